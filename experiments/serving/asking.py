"""Requests of many kinds, what the library says of each, and clients in a process of their own that send them."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.serving import bodies
from experiments.serving.overloading import request
from experiments.serving.servers import ROOT, Server
from metaforge.errors import InputError

if TYPE_CHECKING:
    from experiments.serving.overload import Config

ADDRESSES = 16
"""From so many the clients ask; the service lets each have 64 connections."""

KINDS = ((False, False), (False, True), (True, False), (True, True))
"""Of each picture there are requests that are breaking or not, and ask for evidence or not."""


def expected(config: "Config") -> list[dict[str, Any]]:
    """Pictures as `data`, `crops`, and what the library says of each: `full`, `bare` and, with a spare, `spare`."""
    from metaforge.screening.evidence.showing import evidence
    from metaforge.screening.verdicts import screener

    judge = screener(config.model, engine="onnx")
    spare = screener(config.spare, engine="onnx") if config.spare else None
    pictures = [(data, True) for data in bodies.crops(judge.detector.image_size, count=12)]
    pictures += [(data, False) for data in bodies.photographs(640)] if config.photographs else []
    measure, found = evidence() if config.evidence else None, []
    said = lambda by, data, **more: by._replace(**more).verdict(data, name="0.jpg").as_json()
    for data, crops in pictures:
        known = {"bare": said(judge, data, crops=crops), "full": said(judge, data, crops=crops, measure=measure)}
        known["spare"] = said(spare, data, crops=crops) if spare else None
        found.append({"data": data, "crops": crops, **known})
    return found


class Asking:
    """What is asked of a server: plans for `experiments.serving.overloading`."""

    def __init__(self, server: Server, config: "Config", pictures: list[dict[str, Any]], folder: Path):
        """Writes the bodies of all requests."""
        self._config, self._folder, self._url = config, folder, server.url
        self._kinds, self._weights, self._number = [], [], 0
        photographs = sum(not each["crops"] for each in pictures)
        for each in pictures:
            alike = (1 - config.photographs, len(pictures) - photographs) if each["crops"] else (
                config.photographs, photographs)  # fmt: skip
            share = alike[0] / alike[1]
            for breaking, evidence in KINDS:
                texts = {"crops": each["crops"], "breaking": breaking, "evidence": evidence}
                form = bodies.body([each["data"]], field="file", **{k: str(v).lower() for k, v in texts.items()})
                path = folder / f"body-{len(self._kinds)}"
                path.write_bytes(request(server.url, "/v1/predict", form, bodies.TYPE))
                known = {name: each[name] for name in ("full", "bare", "spare")}
                self._kinds.append({"body": str(path), "breaking": breaking, "evidence": evidence, **known})
                of = config.breaking if breaking else 1 - config.breaking
                self._weights.append(share * of * (config.evidence if evidence else 1 - config.evidence))
        self._light = [
            number for number, kind in enumerate(self._kinds)
            if not kind["breaking"] and kind["evidence"] == bool(config.evidence)
        ]  # fmt: skip

    @contextlib.contextmanager
    def begun(self, **plan: Any) -> Iterator[tuple[subprocess.Popen[str], Path]]:
        """A client that is asking, and the file with what it saw when it has ended."""
        self._number += 1
        file, out = (self._folder / f"{name}-{self._number}.json" for name in ("plan", "seen"))
        whole = {"url": self._url, "kinds": self._kinds, "weights": self._weights, "addresses": ADDRESSES,
                 "seed": self._config.seed + self._number, "light": self._light, "light_rate": 4.0,
                 "light_seconds": 0.0, "out": str(out), **plan}  # fmt: skip
        file.write_text(json.dumps(whole), encoding="utf-8")
        command = [sys.executable, "-m", "experiments.serving.overloading", str(file)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8")
        try:
            yield process, out
        finally:
            process.kill()
            process.wait()

    def seen(self, **plan: Any) -> dict[str, Any]:
        """What a client saw."""
        with self.begun(**plan) as (process, out):
            return ended(process, out)


def ended(process: subprocess.Popen[str], out: Path) -> dict[str, Any]:
    """What a client saw, when it has ended.

    Raises:
        InputError: if it failed.
    """
    _, said = process.communicate()
    if process.returncode:
        raise InputError(f"client: it failed: {(said.strip().splitlines() or ['it says nothing'])[-1]}")
    return json.loads(out.read_text(encoding="utf-8"))
