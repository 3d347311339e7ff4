"""Whether every query of the dashboard finds something, with a real service and a real Prometheus.

    python -m experiments.serving.panels

Starts the service, asks it for more verdicts than its measures of drift want, for something that is not there, and
keeps feedback. A Prometheus looks at it every second, and is asked each query of deploy/grafana.json as Grafana would
ask it. A query that is refused, or finds no series, ends this with 1. It takes Debian's `prometheus`.
"""

import contextlib
import dataclasses
import itertools
import json
import shutil
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.serving.bodies import crops
from experiments.serving.harming import Watched
from experiments.serving.scraping import prometheus
from experiments.serving.servers import ROOT
from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting

_THREADS = 8


@dataclasses.dataclass(frozen=True)
class Options:
    """What is watched."""

    model: str = setting("docs/strong/detector", "The detector to serve.", place="read")
    verdicts: int = setting(1200, "How many verdicts it gives before it is looked at.", least=1, most=1_000_000)


def queries(panels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The title of each panel, rows opened, with each of its queries; the choice of an instance is of all."""
    for panel in panels:
        yield from queries(panel.get("panels", []))
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$instance", ".*")


def _asked(service: Watched, count: int) -> None:
    pictures, numbers = itertools.cycle(crops(224)), iter(range(count))
    lock = threading.Lock()

    def ask() -> None:
        client = service.client()
        while True:
            with lock:
                picture, number = next(pictures), next(numbers, None)
            if number is None:
                client.close()
                return
            verdict = client.predict(picture, crops=True).verdict
            if number == 0:
                client.feedback(verdict, "fake")

    threads = [threading.Thread(target=ask) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run(options: Options) -> tuple[int, list[str]]:
    """How many queries there are, and those that found nothing, each with its panel."""
    if shutil.which("prometheus") is None:
        raise InputError("panels: it takes prometheus. Install Debian's package of that name.")
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        service = Watched("one", options.model, folder, environment={}, flags=())
        held.callback(service.stop)
        end = time.monotonic() + 120
        while service.get("/readyz")[0] != 200:
            if time.monotonic() > end:
                raise InputError("panels: the service is not ready in two minutes.")
            time.sleep(0.1)
        ask = held.enter_context(prometheus(folder, {"one": service.port}))
        while not (ask("query?query=metaforge_ready") or {}).get("result"):
            time.sleep(0.1)  # what it sees at first is no rise
        service.get("/v1/nothing")
        _asked(service, options.verdicts)
        time.sleep(3)
        dashboard = json.loads((ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8"))
        every = list(queries(dashboard["panels"]))
        nothing = []
        for title, query in every:
            found = ask(f"query?{urllib.parse.urlencode({'query': query})}")
            if not (found and found["result"]):
                nothing.append(f"{title}: {query}" + (" (refused)" if found is None else ""))
        return len(every), nothing


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        count, nothing = run(options)
        if nothing:
            raise InputError(f"panels: {len(nothing)} of {count} queries find nothing. " + "; ".join(nothing))
        return f"All {count} queries of the dashboard find something."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
