"""Accuracy, AUC and costs of every system, with paired differences."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.strangers import resampling
from experiments.strangers.made_small import making
from experiments.strangers.made_small.config import Config
from metaforge.backbones import choice
from metaforge.compression import costs, prune
from metaforge.core.tuning import interleave
from metaforge.evaluation.interval import Interval
from metaforge.screening import Detector
from metaforge.screening.portable import onnx_of
from metaforge.screening.portable.opened import session_of
from metaforge.whole import whole_file

DETECTOR = "detector"


def replicates(config: Config, found: dict[tuple[str, int], Any], name: str) -> dict[str, np.ndarray]:
    """Accuracy and AUC on resamples of people, the mean over folds and seeds."""
    parts: dict[str, list[np.ndarray]] = {"accuracy": [], "auc": []}
    for (collection, _), fold in found.items():
        if name not in fold["systems"]:
            continue  # not made of every fold
        label = fold["label"]
        weights = resampling.People(config.study, collection, fold["person"]).weights(fold["person"])
        each = fold["systems"][name]
        parts["auc"].append(np.mean([resampling.auc(label, one, weights) for one in each], axis=0))
        parts["accuracy"].append(
            np.mean([resampling.mean(((one > 0) == (label > 0)).astype(float), weights) for one in each], axis=0)
        )
    return {column: np.mean(folds, axis=0) for column, folds in parts.items()}


def rows(config: Config, found: dict[tuple[str, int], Any]) -> dict[str, Any]:
    """A row for every system: accuracy, AUC, and the AUC of each fold."""
    made = {}
    for name in _names(found):
        mine = {place: fold for place, fold in found.items() if name in fold["systems"]}
        mean = replicates(config, found, name)
        each = {
            f"{place[0]}:{place[1]}": resampling.interval(replicates(config, {place: fold}, name)["auc"])
            for place, fold in mine.items()
        }
        seeds = [
            float(np.mean([replicates(config, {place: {**fold, "systems": {name: fold["systems"][name][s : s + 1]}}},
                                      name)["auc"][0] for place, fold in mine.items()]))
            for s in range(len(next(iter(mine.values()))["systems"][name]))
        ]  # fmt: skip
        made[name] = {column: resampling.interval(part) for column, part in mean.items()} | {
            "folds": each, "auc_of_seeds": seeds
        }  # fmt: skip
    return made


def differences(config: Config, found: dict[tuple[str, int], Any]) -> list[dict[str, Any]]:
    """What each step is worth: gains of AUC and of accuracy on the same people."""
    names = _names(found)
    pairs = [(name, DETECTOR) for name in names if name != DETECTOR]
    for name in names:
        begins, _, last = name.partition(", ")
        against = {
            making.MATCHED: (making.FALLS,), making.TUNED: (making.MATCHED,), making.TAUGHT: (making.FALLS,),
            making.REFITTED: (making.TAUGHT,), making.BOTH: (making.TAUGHT,), "distilled": ("labels alone",),
            "distilled from both": ("labels alone", "distilled"),
        }.get(last, ())  # fmt: skip
        pairs += [(name, f"{begins}, {one}") for one in against if f"{begins}, {one}" in names]
    made = []
    for first, second in pairs:
        both = {place: fold for place, fold in found.items() if {first, second} <= {*fold["systems"]}}
        ours, theirs = (replicates(config, both, name) for name in (first, second))
        made.append({
            "system": first, "against": second, "folds": len(both),
            **{column: resampling.interval(ours[column] - theirs[column]) for column in ours},
        })  # fmt: skip
    return made


def _names(found: dict[tuple[str, int], Any]) -> list[str]:
    """All systems, in order."""
    return list(dict.fromkeys(name for fold in found.values() for name in fold["systems"]))


def costs_of(config: Config, params: Any, directory: Path, *, quiet: bool = True) -> dict[str, Any]:
    """Of every network its parameters, multiply-adds, size, latency and memory; none of them depends on a fold."""
    del quiet
    networks: dict[str, tuple[Any, Any]] = {DETECTOR: (config.study.model, params)}
    for share in config.parts():
        networks[f"pruned {share:g}"] = prune(config.study.model, params, share)
    rng = np.random.default_rng(0)
    for kind in ("Conv4", "B0"):
        spec = making.student_spec(config, kind)
        # Whatever the numbers are, they cost the same.
        draw = lambda leaf: rng.uniform(0.1, 0.2, leaf.shape).astype(np.float32)
        networks[kind] = spec, jax.tree.map(draw, choice.shapes(spec))
    made, models = {}, {}
    for name, (spec, own) in networks.items():
        side = spec.image_size
        # Two images whose statistics normalise are enough: what they are is folded into the weights.
        context = rng.integers(0, 256, (2, side, side, 3), np.uint8)
        models[name] = onnx_of(Detector(own, context, spec, {}))
        path = directory / f"{name.replace(' ', '-')}.onnx"
        with whole_file(path) as file:
            file.write_bytes(models[name])
        made[name] = {
            **costs(spec)._asdict(), "size": spec.image_size, "mb": len(models[name]) / 1e6,
        }  # fmt: skip
        if config.rounds:
            made[name]["peak_memory_mb"] = _memory(path, spec.image_size)
    for batch in (1, 16) if config.rounds else ():
        programs = {name: _program(models[name], networks[name][0].image_size, batch) for name in networks}
        times = interleave(programs, rounds=config.rounds)
        for name, ms in times.items():
            ratio = np.percentile(times[DETECTOR] / ms, [50, 5, 95]).tolist()
            made[name][f"ms_at_{batch}"] = float(np.median(ms))
            made[name][f"times_as_fast_at_{batch}"] = Interval(*ratio).as_json()
    return made


def _program(model: bytes, size: int, batch: int) -> Callable[[], Any]:
    session = session_of(model)
    images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    return lambda: session.run(None, {"images": images})


def _memory(path: Path, size: int) -> float:
    """The most that a process of its own takes that loads a model and scores 16 images, in MB."""
    words = [sys.executable, "-m", "experiments.strangers.made_small.memory", str(path), str(size)]
    return float(subprocess.run(words, capture_output=True, encoding="utf-8", check=True).stdout)
