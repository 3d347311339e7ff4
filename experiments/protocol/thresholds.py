"""Thresholds fitted on source validation: one for each state of a model, of what is judged, frames or videos.

A state moves all scores, and the mean over a video's frames lies elsewhere than they do: the threshold of one state or
unit says nothing of another.
"""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.protocol.judging import by_video
from metaforge.data import prepared
from metaforge.data.aside import set_aside
from metaforge.data.domains import TestSplit, clusters
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.thresholds import fit_threshold
from metaforge.runs import fingerprint, read_json, write_json
from metaforge.screening import from_run

_MOST = 4096  # images that a threshold is fitted on
_DRAWS = 4  # support sets, of source validation


class Thresholds(NamedTuple):
    """What was fitted, by state, and why of some states nothing was."""

    fitted: dict[str, float]
    lacking: dict[str, str]


def thresholds_of(path: Path, model: from_run.FinishedRun, validation: Records, **asked: Any) -> Thresholds:
    """`fit`, kept in a file, and used again only for the same model and the same images.

    Raises:
        InputError: when the file is damaged, or of another model or other images.
    """
    of_sources = [prepared.paths(validation), validation.label, model.params, model.context]
    known = fingerprint([{name: str(value) for name, value in asked.items()}, of_sources])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"fingerprint": known, **fit(model, validation, **asked)._asdict()})
    found = read_json(path)
    if found.get("fingerprint") != known:
        raise InputError(
            f"workdir: '{path}' holds thresholds of another model or of other data than are here now. Restore those, "
            "delete it to fit anew, or choose another --workdir."
        )
    return Thresholds(found["fitted"], found["lacking"])


def fit(
    model: from_run.FinishedRun, validation: Records, *, level: str, shots: int, draws: int, seed: int, rate: float,
    steps: int,
) -> Thresholds:  # fmt: skip
    """Fits a threshold for each state in which a model is judged, on images of its sources that nothing was trained on.

    The model as it was trained is fitted on all of them. For the others, people are set aside as they are where a
    target has no images to adapt on: the model is adapted on support sets of theirs, and its scores of everybody else,
    of all support sets together, are what the threshold suits best.

    Args:
        model: a finished run.
        validation: its source-validation images, each once.

    Other Arguments:
        level: "frame" or "video": what is one row.
        shots: support images a class.
        draws: the most support sets; few are enough.
        seed: which support sets.
        rate: the rate of adaptation.
        steps: its steps.
    """
    every = TestSplit(_fewer(validation, level))
    scores = {from_run.UNADAPTED: from_run.scores(model, from_run.detector(model), every)}
    tests, lacking = {from_run.UNADAPTED: every}, {}
    adapting = from_run.states_of(model)[1:]
    whole = np.full(len(validation), "test", np.dtypes.StringDType())
    try:
        parts = set_aside(dataclasses.replace(validation, split=whole), shots=shots)
    except InputError:
        parts = validation.take(np.zeros(0, int))
    pool, rest = parts.where(split="train"), _fewer(parts.where(split="test"), level)
    if len(rest):
        found = from_run.scores_over_draws(
            model, (pool.image, pool.label), TestSplit(rest), shots=shots, draws=min(draws, _DRAWS), seed=seed,
            rate=rate, steps=steps,
        )  # fmt: skip
        scores |= {state: found[state] for state in adapting}
        tests |= dict.fromkeys(adapting, TestSplit(rest))
    else:
        why = f"source validation is too small to set {shots} labelled images a class aside, and to judge on the rest"
        lacking |= dict.fromkeys(adapting, why)
    fitted = {}
    for state, values in scores.items():
        try:
            labels, rows = tests[state].label, np.atleast_2d(values)
            if level == "video":
                labels, _, by_state = by_video(tests[state], clusters(tests[state]), {state: rows})
                rows = by_state[state]
            fitted[state] = fit_threshold(np.tile(labels, len(rows)), rows.ravel())
        except InputError as error:
            lacking[state] = f"source validation gives none ({error})"
    return Thresholds(fitted, lacking)


def _fewer(records: Records, level: str) -> Records:
    """At most some thousand images, spread evenly; of videos, whole ones, as they are judged whole."""
    every = max(1, -(-len(records) // _MOST))
    if level != "video":
        return records.take(np.arange(0, len(records), every))
    videos = list(zip(records.method.tolist(), records.video.tolist(), strict=True))
    number = {video: place for place, video in enumerate(sorted(set(videos)))}
    return records.take(np.flatnonzero([number[video] % every == 0 for video in videos]))
