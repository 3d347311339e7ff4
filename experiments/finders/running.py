"""The threshold from one half of the people, everything else from the other half, and the report."""

import dataclasses
import json
import os
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
from metaforge import processor
from metaforge.bounds import check_bounds
from metaforge.data.detection import check_finder, find_faces
from metaforge.data.detection.finding import NAME
from metaforge.evaluation.interval import Interval
from metaforge.provenance import provenance
from metaforge.runs import Run, write_json
from metaforge.whole import write_text

THREADS = 2
LEVELS = 0.3, 0.4, 0.5, 0.6, 0.7, 0.8
"""Thresholds that are judged beside the chosen one."""
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
    """Chooses the threshold, judges the finder, and measures its rate."""
    first = pictures(people, others, config, 0)
    found = [match(each, looked(each, LOWEST)[0]) for each in first]
    false = [score for one in found for score in one.false]
    threshold = threshold_of(false, pictures=len(first), allowed=config.false_boxes)
    plain = [part for each, one in zip(first, found, strict=True) if each.variant == "plain" for part in one.offsets]
    # No two sets of points mean quite the same by a nose; what a finder means is not its error.
    offset = np.mean(plain or [np.zeros((5, 2))], axis=0)
    say(f"threshold {threshold:.2f}, from {len(false)} false boxes in {len(first)} pictures")
    second = pictures(people, others, config, 1)
    matches, seconds = list[list[Match]](), np.zeros((len(second), 2))
    for index, each in enumerate(second):
        seen, *took = looked(each, LOWEST)
        matches.append([match(each, seen, threshold=level) for level in (threshold, *LEVELS)])
        seconds[index] = took
        if index % 100 == 99:
            say(f"{index + 1} of {len(second)} pictures judged")
    chosen = [each[0] for each in matches]
    levels = [_level(level, second, [each[place] for each in matches]) for place, level in enumerate(LEVELS, 1)]
    rows = [_row(name, second, chosen, offset) for name in dict.fromkeys(each.variant for each in second)]
    frames = [np.ascontiguousarray(each.image) for each in second if each.variant == "plain"][:12]
    # By the finder's name, as when there were several.
    return {
        "thresholds": {NAME: threshold}, "offsets": {NAME: offset.tolist()}, "pictures": [len(first), len(second)],
        "false_boxes": {NAME: _mean(second, [len(found.false) for found in chosen])},
        "levels": levels, "rows": rows, "times": [_times(name, second, seconds) for name in TIMED],
        "rates": {NAME: _rate(config, frames, threshold)},
    }  # fmt: skip


def _level(level: float, second: Sequence[Picture], found: Sequence[Match]) -> dict[str, Any]:
    """What a threshold finds of all faces, and its false boxes."""
    with_faces = [(each, float(np.mean(one.found))) for each, one in zip(second, found, strict=True) if one.found]
    recall = _mean([each for each, _ in with_faces], [value for _, value in with_faces])
    return {"threshold": level, "recall": recall, "false": _mean(second, [len(one.false) for one in found])}


def _row(variant: str, second: Sequence[Picture], matches: Sequence[Match], offset: np.ndarray) -> dict[str, Any]:
    """One variant: recall, points and false boxes."""
    mine = [index for index, each in enumerate(second) if each.variant == variant]
    there, found = [second[index] for index in mine], [matches[index] for index in mine]
    row: dict[str, Any] = {"variant": variant, "faces": sum(len(each.boxes) for each in there)}
    part: dict[str, Any] = {"false": _mean(there, [len(one.false) for one in found])}
    if row["faces"]:
        part["recall"] = _mean(there, [float(np.mean(one.found)) for one in found])
        pairs = [
            (each, float(np.linalg.norm(np.stack(one.offsets) - offset, axis=-1).mean()))
            for each, one in zip(there, found, strict=True) if one.offsets
        ]  # fmt: skip
        if pairs and there[0].points is not None:
            part["point_error"] = _mean([each for each, _ in pairs], [error for _, error in pairs])
    return row | {"finders": {NAME: part}}


def _times(variant: str, second: Sequence[Picture], seconds: np.ndarray) -> dict[str, Any]:
    """Milliseconds a picture, of the wall and of the CPUs."""
    took = seconds[[index for index, each in enumerate(second) if each.variant == variant]]
    wall, cpu = (float(1e3 * value) for value in np.median(took, axis=0))
    return {"variant": variant, "finders": {NAME: {"wall_ms": wall, "cpu_ms": cpu}}}


def _rate(config: Config, frames: Sequence[np.ndarray], threshold: float) -> dict[str, Any]:
    """Frames a second with two threads."""
    took = []
    for _ in range(config.rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda frame: find_faces(frame, threshold=threshold), frames))
        took.append([time.perf_counter() - wall, time.process_time() - cpu])
    wall, cpu = np.median(took[1:], axis=0)  # the first round warms up
    return {"frames_a_second": float(len(frames) / wall), "cpu_ms": float(1e3 * cpu / len(frames))}


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
    check_finder()
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
        "machine": {"processor": processor.name(), "cores": os.cpu_count()},
        "provenance": provenance(),
        **measure(config, people, more, say=say),
    }  # fmt: skip
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report
