"""A Prometheus of a measurement's own, which looks at services of this machine every second."""

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from experiments.serving.servers import free_port


@contextlib.contextmanager
def prometheus(
    folder: Path, services: dict[str, int], *, rules: str = "", token: str = ""
) -> Iterator[Callable[[str], Any]]:
    """A Prometheus that has ended behind the block: its answer to a path below /api/v1, `None` where it gives none.

    Args:
        folder: where it writes.
        services: ports by the names that the services go by.

    Other Arguments:
        rules: of alerts, as a file has them.
        token: that it shows to the services.
    """
    targets = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}} for name, port in services.items()]
    scraped: dict[str, Any] = {"job_name": "metaforge", "static_configs": targets}
    scraped |= {"authorization": {"credentials": token}} if token else {}
    config: dict[str, Any] = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}}
    if rules:
        (folder / "alerts.yaml").write_text(rules, encoding="utf-8")
        config["rule_files"] = ["alerts.yaml"]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config | {"scrape_configs": [scraped]}), encoding="utf-8")
    port = free_port()
    command = ["prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]  # fmt: skip

    def ask(path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield ask
        finally:
            process.terminate()
