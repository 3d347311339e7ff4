"""Thresholds from one half of the people, everything else from the other half, and the report."""

import dataclasses
import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from experiments.finders.config import Config
from experiments.finders.known import Known, centred, landmarked
from experiments.finders.measuring import LOWEST, Match, looked, match, threshold_of
from experiments.finders.pictures import VARIANTS, Picture, as_it_is, empty, group
from experiments.finders.table import markdown
from metaforge.bounds import check_bounds
from metaforge.data.detection import FINDERS, check_finder, find_faces
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.provenance import provenance
from metaforge.runs import Run, write_json
from metaforge.whole import write_text

THREADS = 2
TIMED = "plain", "six faces", "no face"


def pictures(people: Sequence[Known], others: Sequence[Known], config: Config, half: int) -> list[Picture]:
    """All pictures of one half of the people; the same ones at each call."""
    chosen = np.random.default_rng(config.seed).permutation(len(people))[: config.people][half::2]
    made = []
    for index in chosen:
        for number, variant in enumerate(VARIANTS):
            made.append(variant(people[index], np.random.default_rng([config.seed, index, number])))
    for begin in range(0, len(chosen), 3):
        six = [people[index] for index in np.roll(chosen, -begin)[:6]]
        made.append(group(six, np.random.default_rng([config.seed, begin, 100 + half])))
    mine = [known for index, known in enumerate(others) if index % 2 == half]
    made += [as_it_is(known) for known in mine]
    drawn = np.random.default_rng([config.seed, 200 + half])
    covered = [known for known in mine[: config.empty // 4]]
    made += [empty(drawn, index, known) for index, known in enumerate(covered)]
    return made + [empty(drawn, index) for index in range(config.empty // 2 - len(covered))]


def measure(config: Config, people: Sequence[Known], others: Sequence[Known], *, say: Callable) -> dict[str, Any]:
    """Chooses the thresholds, judges the finders, and compares their rates."""
    names = config.names()
    first = pictures(people, others, config, 0)
    thresholds, offsets = {}, {}
    for name in names:
        found = [match(each, looked(each, name, LOWEST)[0]) for each in first]
        false = [score for one in found for score in one.false]
        thresholds[name] = threshold_of(false, pictures=len(first), allowed=config.false_boxes)
        plain = [
            part for each, one in zip(first, found, strict=True) if each.variant == "plain" for part in one.offsets
        ]
        # No two sets of points mean quite the same by a nose; what a finder means is not its error.
        offsets[name] = np.mean(plain or [np.zeros((5, 2))], axis=0)
        say(f"{name}: threshold {thresholds[name]:.2f}, from {len(false)} false boxes in {len(first)} pictures")
    second = pictures(people, others, config, 1)
    matches: dict[str, list[Match]] = {name: [] for name in names}
    seconds = {name: np.zeros((len(second), 2)) for name in names}
    for index, each in enumerate(second):
        for name in names:
            seen, *took = looked(each, name, thresholds[name])
            matches[name].append(match(each, seen))
            seconds[name][index] = took
        if index % 100 == 99:
            say(f"{index + 1} of {len(second)} pictures judged")
    rows = [_row(name, second, matches, offsets) for name in dict.fromkeys(each.variant for each in second)]
    report = {
        "thresholds": thresholds, "offsets": {name: each.tolist() for name, each in offsets.items()},
        "pictures": [len(first), len(second)],
        "false_boxes": {name: _mean(second, [len(found.false) for found in matches[name]]) for name in names},
        "rows": rows, "times": [_times(name, second, seconds) for name in TIMED],
    }  # fmt: skip
    frames = [np.ascontiguousarray(each.image) for each in second if each.variant == "plain"][:12]
    return report | {"rates": _rates(config, frames, thresholds)}


def _row(
    variant: str, second: Sequence[Picture], matches: dict[str, list[Match]], offsets: dict[str, np.ndarray]
) -> dict[str, Any]:
    """One variant: recall, its difference to the first finder's, points and false boxes of each finder."""
    mine = [index for index, each in enumerate(second) if each.variant == variant]
    there = [second[index] for index in mine]
    row: dict[str, Any] = {"variant": variant, "faces": sum(len(each.boxes) for each in there), "finders": {}}
    first = [next(iter(matches.values()))[index].found for index in mine]
    for name, found in matches.items():
        part: dict[str, Any] = {"false": _mean(there, [len(found[index].false) for index in mine])}
        if row["faces"]:
            recalls = [float(np.mean(found[index].found)) for index in mine]
            part["recall"] = _mean(there, recalls)
            part["below_first"] = _mean(
                there, [float(np.mean(one)) - other for one, other in zip(first, recalls, strict=True)]
            )
            pairs = [
                (second[index], float(np.linalg.norm(np.stack(found[index].offsets) - offsets[name], axis=-1).mean()))
                for index in mine if found[index].offsets
            ]  # fmt: skip
            if pairs and there[0].points is not None:
                part["point_error"] = _mean([each for each, _ in pairs], [error for _, error in pairs])
        row["finders"][name] = part
    return row


def _times(variant: str, second: Sequence[Picture], seconds: dict[str, np.ndarray]) -> dict[str, Any]:
    """Milliseconds a picture, of the wall and of the CPUs, and how many times the first finder's they are."""
    mine = [index for index, each in enumerate(second) if each.variant == variant]
    first, found = next(iter(seconds.values()))[mine], {}
    for name, took in seconds.items():
        ratios = _resampled([second[index] for index in mine], np.concatenate([took[mine], first], axis=1))
        wall, cpu = ratios[:, 0] / ratios[:, 2], ratios[:, 1] / ratios[:, 3]
        found[name] = {
            "wall_ms": float(1e3 * np.median(took[mine, 0])), "cpu_ms": float(1e3 * np.median(took[mine, 1])),
            "wall_to_first": _interval(wall), "cpu_to_first": _interval(cpu),
        }  # fmt: skip
    return {"variant": variant, "finders": found}


def _rates(config: Config, frames: Sequence[np.ndarray], thresholds: dict[str, float]) -> dict[str, Any]:
    """Frames a second of each finder with two threads, all in every round, and ratios by round."""
    took: dict[str, list[list[float]]] = {name: [] for name in thresholds}
    for _ in range(config.rounds):
        for name, threshold in thresholds.items():
            look = lambda frame, n=name, t=threshold: find_faces(frame, finder=n, threshold=t)
            wall, cpu = time.perf_counter(), time.process_time()
            # A network that XLA runs has both cores already; those of LiteRT have one each.
            with ThreadPoolExecutor(THREADS if name == "blazeface" else 1) as pool:
                list(pool.map(look, frames))
            took[name].append([time.perf_counter() - wall, time.process_time() - cpu])
    first = np.array(took[next(iter(took))])
    rates = {}
    for name, each in took.items():
        seconds = np.array(each)
        rates[name] = {"frames_a_second": float(len(frames) / np.median(seconds[:, 0])),
                       "cpu_ms": float(1e3 * np.median(seconds[:, 1]) / len(frames))}  # fmt: skip
        for axis, what in enumerate(("wall", "cpu")):
            ratios = seconds[1:, axis] / first[1:, axis]  # the first round warms up
            rates[name][f"{what}_to_first"] = Interval(*map(float, np.percentile(ratios, [50, 5, 95]))).as_json()
    return rates


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _resampled(there: Sequence[Picture], values: np.ndarray, *, resamples: int = 1000) -> np.ndarray:
    """Means of the columns of `values`: over all pictures first, then of resamples of people."""
    units = defaultdict(list)
    for index, each in enumerate(there):
        units[each.people[0]].append(index)
    sums = np.stack([values[index].sum(axis=0) for index in units.values()])
    sizes = np.array([len(index) for index in units.values()])
    draws = np.random.default_rng(0).multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=resamples)
    weights = np.concatenate([np.ones((1, len(sizes))), draws])
    return weights @ sums / (weights @ sizes)[:, None]


def _mean(there: Sequence[Picture], values: Sequence[float]) -> dict[str, float]:
    return _interval(_resampled(there, np.array(values, np.float64)[:, None])[:, 0])


def _interval(replicates: np.ndarray) -> dict[str, float]:
    """The first of them, and where the middle 95 % of the others lie."""
    low, high = np.percentile(replicates[1:], [2.5, 97.5])
    value = float(replicates[0])
    return Interval(value, min(float(low), value), max(float(high), value)).as_json()


def run(config: Config, workdir: str | Path, *, faces: str, others: str = "", quiet: bool = False) -> dict[str, Any]:
    """Measures, and writes report.json and report.md; a finished run returns its report at once.

    Args:
        config: what is measured.
        workdir: where to.

    Other Arguments:
        faces: the folder of the landmarked set.
        others: the folder of faces of known width, or none.
        quiet: whether to say nothing on the way.
    """
    check_bounds(config)
    names = config.names()
    if unknown := [name for name in names if name not in FINDERS]:
        raise InputError(f"--finders: '{unknown[0]}' is unknown; known: {', '.join(FINDERS)}.")
    for name in names:
        check_finder(name)
    people, more = landmarked(faces), centred(others, each=config.each) if others else []
    directory = Run(workdir, dataclasses.asdict(config)).directory
    if (directory / "report.json").exists():
        return json.loads((directory / "report.json").read_text(encoding="utf-8"))
    say = (lambda text: None) if quiet else lambda text: print(text, flush=True)
    report = {
        "command": "python -m experiments.finders" + "".join(
            f" --{field.name}={getattr(config, field.name)}" for field in dataclasses.fields(config)
            if getattr(config, field.name) != field.default
        ),
        "config": dataclasses.asdict(config),
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
        "provenance": provenance(),
        **measure(config, people, more, say=say),
    }  # fmt: skip
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report
