"""Rounds in which every server is asked everything once, and what they say together."""

import collections
import contextlib
import dataclasses
import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.serving import bodies
from experiments.serving.config import Config
from experiments.serving.servers import COMMANDS, Server, asked, resident_mb, serving
from metaforge import processor
from metaforge.backbones.spec import EFFICIENTNETS
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.processor import cores

CROPS, PHOTOGRAPHS, BUSY = "crops", "photographs", "crops, busy"
BATCHES, SINGLES = "crops in batches", "crops at once"
PHASES = (CROPS, PHOTOGRAPHS, BUSY, BATCHES, SINGLES)
"""What a server is asked in a round, in this order."""


def run(config: Config, out: str, *, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Measures and writes the report."""
    from metaforge.provenance import provenance
    from metaforge.runs import write_json

    names = _names(config.servers)
    models = [name for name in config.models.split(",") if name]
    if not models or len(set(models)) < len(models):
        raise InputError(f"--models={config.models}: give detectors with commas, each once.")
    report: dict[str, Any] = {
        "command": " ".join(["python -m experiments.serving", *flags_of(config, Config())]),
        "machine": {"processor": processor.name(), "cores": cores(), "versions": _versions()},
        "config": dataclasses.asdict(config),
        "models": {},
    }
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            report["models"][model] = _measured(model, names, config, Path(folder), say)
    report["provenance"] = provenance()
    write_json(out, report)
    return report


def _names(servers: str) -> list[str]:
    names = [name for name in servers.split(",") if name]
    if not names or len(set(names)) < len(names) or set(names) - set(COMMANDS):
        raise InputError(f"--servers={servers}: give some of {', '.join(COMMANDS)}, each once.")
    if "litserve" in names and importlib.util.find_spec("litserve") is None:
        raise InputError(f"--servers={servers}: LitServe is not installed. Call pip install litserve, or leave it out.")
    return names


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("onnxruntime", "fastapi", "uvicorn", "litserve", "httpx"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _measured(model: str, names: list[str], config: Config, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    file, size = _graph(model, folder)
    plans = _plans(config, size, folder)
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with contextlib.ExitStack() as stack:
        servers = {}
        say(f"{model}: the start of servers begins.")
        for name in names:
            (folder / name).mkdir()
            servers[name] = stack.enter_context(serving(name, file, folder / name))
        say(f"{model}: the start of servers ends.")
        fresh = {name: resident_mb(server.pid) for name, server in servers.items()}
        order = collections.deque(names)
        for number in range(config.rounds):
            say(f"{model}: round {number + 1} of {config.rounds} begins.")
            for name in order:
                rounds[name].append(_asked_all(servers[name], plans, folder))
            say(f"{model}: round {number + 1} of {config.rounds} ends.")
            order.rotate(-1)
            time.sleep(config.pause if number + 1 < config.rounds else 0)
        return {
            name: _together(rounds[name], rounds[names[0]])
            | {
                "seconds_to_start": servers[name].started,
                "fresh_mb": fresh[name],
                "resident_mb": resident_mb(servers[name].pid),
            }
            for name in names
        }


def _graph(model: str, folder: Path) -> tuple[Path, int]:
    from metaforge.screening.portable import onnx_of, read_onnx
    from metaforge.screening.predicting import detector_in

    if Path(model).is_file():
        data = Path(model).read_bytes()
    else:
        data = onnx_of(_random(model) if model in EFFICIENTNETS else detector_in(model))
    file = folder / "model.onnx"
    file.write_bytes(data)
    return file, read_onnx(data, model).image_size


def _random(backbone: str) -> Any:
    """A network with random weights, which stands for speed alone."""
    import jax

    from metaforge.backbones import choice
    from metaforge.backbones.spec import BackboneSpec
    from metaforge.screening import Detector

    spec = BackboneSpec(image_size=224, backbone=backbone, normalisation="frozen")
    blank = np.zeros((1, 224, 224, 3), np.uint8)
    params = jax.jit(choice.choose(spec).init)(jax.random.key(0), blank.astype(np.float32))
    return Detector(jax.tree.map(np.asarray, params), blank, spec, {})


def _plans(config: Config, size: int, folder: Path) -> dict[str, dict[str, Any]]:
    """What the client is told, but for the server."""
    crops = bodies.crops(size)
    single = bodies.write(folder / "crops", [bodies.body([one], field="file", crops="true") for one in crops])
    whole = [bodies.body([one], field="file") for one in bodies.photographs(config.width)]
    groups = [[crops[(first + at) % len(crops)] for at in range(config.batch)] for first in range(0, 64, 16)]
    batches = [bodies.body(group, field="files", crops="true") for group in groups]
    arriving = lambda rate: {"rate": rate, "count": max(1, round(rate * config.seconds)), "warm": 4, "flight": 64}
    fast = lambda count, flight: {"rate": None, "count": count, "warm": 2 * flight, "flight": flight}
    return {
        CROPS: arriving(config.rate) | {"bodies": single},
        PHOTOGRAPHS: arriving(config.rate) | {"bodies": bodies.write(folder / "photographs", whole)},
        BUSY: arriving(config.busy) | {"bodies": single},
        # One is on its way while the other is scored.
        BATCHES: fast(-(-config.images // config.batch), 2) | {"bodies": bodies.write(folder / "batches", batches)},
        SINGLES: fast(config.images, config.flight) | {"bodies": single},
    }


def _asked_all(server: Server, plans: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    where = {phase: server.url + ("/v1/predict/batch" if phase == BATCHES else "/v1/predict") for phase in plans}
    if server.name == "litserve":
        del where[BATCHES]  # it has no such request
    given = {"type": bodies.TYPE, "pid": server.pid}
    return asked({phase: plans[phase] | given | {"url": url} for phase, url in where.items()}, folder)


def _together(rounds: list[dict[str, Any]], first: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each phase: pooled times, what passes in a second, the processor's share, and ratios by rounds."""
    phases = {}
    for phase in rounds[0]:
        seen = [each[phase] for each in rounds]
        ms = np.concatenate([each["ms"] for each in seen])
        middle, late, last = np.percentile(ms, [50, 95, 99]).tolist()
        rates = [len(each["scores"]) / each["seconds"] for each in seen]
        busy = [each["server_seconds"] / each["seconds"] / cores() for each in seen]
        stages = seen[0]["stages"]
        phases[phase] = {
            "requests": len(ms), "failed": sum(sum(each["failed"].values()) for each in seen),
            "ms_p50": middle, "ms_p95": late, "ms_p99": last, "ms_most": float(ms.max()),
            "p95_of_rounds": _of([float(np.percentile(each["ms"], 95)) for each in seen]),
            "images_a_second": _of(rates), "processor": _of(busy),
            "processor_ms_an_image": 1e3 * sum(each["server_seconds"] for each in seen)
            / max(1, sum(len(each["scores"]) for each in seen)),
            "client_processor": float(np.median([each["client_seconds"] / each["seconds"] for each in seen]) / cores()),
            "late_ms": max(each["late_ms"] for each in seen),
            "mean_ms": float(ms.mean()),
            "stages_ms": {stage: float(np.mean([each["stages"][stage] for each in seen])) for stage in stages},
            "largest_difference": _difference(seen[0]["scores"], first[0].get(phase, {}).get("scores", [])),
        }  # fmt: skip
        theirs = [each[phase] for each in first if phase in each]
        if len(theirs) == len(seen):
            phases[phase]["p50_over_first"] = _of(
                [np.median(mine["ms"]) / np.median(other["ms"]) for mine, other in zip(seen, theirs, strict=True)]
            )
            phases[phase]["rate_over_first"] = _of(
                [mine / (len(other["scores"]) / other["seconds"]) for mine, other in zip(rates, theirs, strict=True)]
            )
    return {"phases": phases}


def _of(values: list[Any]) -> dict[str, float]:
    """The median of rounds, and where 90 % of them lie."""
    middle, low, high = np.percentile(values, [50, 5, 95]).tolist()
    return Interval(middle, low, high).as_json()


def _difference(mine: list[float | None], theirs: list[float | None]) -> float | None:
    """How far scores lie apart; `None` if one was not said by both."""
    pairs = list(zip(mine, theirs, strict=False))
    if len(mine) != len(theirs) or any((one is None) != (other is None) for one, other in pairs):
        return None
    return max((abs(one - other) for one, other in pairs if one is not None and other is not None), default=0.0)
