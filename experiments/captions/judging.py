"""Annotating known pairs with thresholds, choosing these on one half, and scoring on the other."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.captions.pairs import CODINGS, NAMES, Known, covered
from metaforge.captions.annotation import annotate, types_of
from metaforge.captions.cues import CUES
from metaforge.captions.difference import difference
from metaforge.captions.exchange import NOTE
from metaforge.captions.thresholds import Thresholds
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.regions import mask_iou, per_region, region_score, type_confusion
from metaforge.forgeries.parts import PARTS, STRENGTHS

GRID = {"noise": (3.0, 4.0, 6.0), "least": (3.0, 4.0, 5.0)}
"""Values that are tried for the mask."""
REGION = 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5
"""Values that are tried for the share of a region."""
GROUPS = {"part": tuple(PARTS), "change": tuple(STRENGTHS), "coding": CODINGS}
"""By what F1 is told, and in which order."""
NOTHING = "none"
"""What is said of a pair whose cues all stay below their thresholds."""


class Found(NamedTuple):
    """What was found in pairs with one set of thresholds.

    Attributes:
        coverage: share of each region that the mask covers, shape `(pairs, regions)`.
        iou: of the mask with the true one.
        cues: the cues of each pair; empty where nothing was found.
    """

    coverage: np.ndarray
    iou: np.ndarray
    cues: list[dict[str, float]]


def found_in(pairs: Sequence[Known], thresholds: Thresholds) -> Found:
    """Annotates pairs, as `metaforge.captions.annotate` does."""
    found = [annotate(pair.real, pair.fake, pair.landmarks, thresholds=thresholds) for pair in pairs]
    coverage = np.array([[one.coverage.get(name, 0.0) for name in NAMES] for one in found])
    iou = [
        mask_iou(pair.mask, np.zeros_like(pair.mask) if one.mask is None else one.mask)
        for pair, one in zip(pairs, found, strict=True)
    ]
    return Found(coverage, np.array(iou), [one.cues for one in found])


def masks_in(pairs: Sequence[Known], thresholds: Thresholds) -> np.ndarray:
    """Only the coverage of regions, shape `(pairs, regions)`: for many thresholds."""
    found = (difference(pair.real, pair.fake, pair.outside, thresholds=thresholds).mask for pair in pairs)
    return np.stack([covered(mask, pair.inside) for mask, pair in zip(found, pairs, strict=True)])


def choose(pairs: Sequence[Known], *, say: Callable[[str], object]) -> Thresholds:
    """The thresholds with the best F1 on pairs: of regions for the mask, then of each type for its cue."""
    true, best, chosen = _true(pairs), -1.0, Thresholds()
    for values in itertools.product(*GRID.values()):
        tried = dataclasses.replace(Thresholds(), **dict(zip(GRID, values, strict=True)))
        coverage = masks_in(pairs, tried)
        for region in REGION:
            if (score := region_score(true, coverage > region).f1) > best:
                best, chosen = score, dataclasses.replace(tried, region=region)
    say(f"chosen for regions: {chosen}, F1 {best:.3f}")
    cues = found_in(pairs, chosen).cues
    return dataclasses.replace(chosen, **{name: _cut(pairs, cues, name) for name in CUES})


def _cut(pairs: Sequence[Known], cues: Sequence[dict[str, float]], name: str) -> float:
    """The positive value above which a cue tells its type best."""
    values = np.array([found.get(name, -np.inf) for found in cues])
    true = np.array([name in pair.types for pair in pairs])
    # Between neighbours, so that a value of the judged half is not cut by one of the choosing half.
    there = np.unique(values[values > 0])
    between = np.array([getattr(Thresholds(), name), *(there[1:] + there[:-1]) / 2])
    scores = [region_score(true[:, None], (values > cut)[:, None]).f1 for cut in between]
    return float(between[int(np.argmax(scores))])


def scores(pairs: Sequence[Known], said: np.ndarray, *, resamples: int) -> dict[str, Any]:
    """Precision, recall and F1 (with its interval over people) of regions, and F1 by part, change and coding."""
    true, people = _true(pairs), [pair.person for pair in pairs]
    whole = region_score(true, said)
    report: dict[str, Any] = {
        "precision": whole.precision, "recall": whole.recall, "f1": _f1(true, said, people, resamples)
    }  # fmt: skip
    for field, names in GROUPS.items():
        rows = {name: np.array([getattr(pair, field) == name for pair in pairs]) for name in names}
        rows = {name: row for name, row in rows.items() if row.any()}
        report[field] = {
            name: _f1(true[row], said[row], [one for one, there in zip(people, row, strict=True) if there], resamples)
            for name, row in rows.items()
        }
    report["region"] = {
        name: {**score._asdict(), "forged": int(true[:, place].sum())}
        for place, (name, score) in enumerate(per_region(true, said, NAMES).items())
    }
    return report


def type_scores(pairs: Sequence[Known], found: Found, thresholds: Thresholds) -> dict[str, Any]:
    """How well types are told: F1 of each, and of the pairs with one change of known type, which one is said first."""
    said = [types_of(cues, thresholds) for cues in found.cues]
    names = [*CUES, NOTHING]
    true = np.array([[name in pair.types for name in CUES] for pair in pairs])
    # Also of the boundary, which is measured but never said.
    told = np.array([[cues.get(name, -np.inf) > getattr(thresholds, name) for name in CUES] for cues in found.cues])
    # Of a splice it is known that the structure is another, but not what else.
    rows = [place for place, pair in enumerate(pairs) if pair.change != "splice"]
    first = [next(iter(said[place]), NOTHING) for place in rows]
    changes = [pairs[place].change for place in rows]
    return {
        "names": names,
        "accuracy": float(np.mean([one == other for one, other in zip(changes, first, strict=True)])),
        "pairs": len(rows),
        "f1": {name: {**score._asdict(), "true": int(true[:, place].sum())}
               for place, (name, score) in enumerate(per_region(true, told, list(CUES)).items())},
        "confusion": type_confusion(changes, first, names).tolist(),
    }  # fmt: skip


def exchange_scores(pairs: Sequence[Known], thresholds: Thresholds, *, resamples: int) -> dict[str, Any]:
    """How often pairs are noted to be perhaps exchanged, in their order and exchanged."""
    counts: dict[str, dict[str, Any]] = {}
    noted = np.array([
        [NOTE in annotate(*images, pair.landmarks, thresholds=thresholds).reason
         for images in ((pair.real, pair.fake), (pair.fake, pair.real))]
        for pair in pairs
    ])  # fmt: skip
    for name in ("all", *STRENGTHS):
        rows = np.array([name in ("all", pair.change) for pair in pairs])
        wrong, right = noted[rows].sum(axis=0)
        counts[name] = {"pairs": int(rows.sum()), "in_order": int(wrong), "exchanged": int(right)}
    # Of each person, the notes that are right and all notes.
    _, who = np.unique([pair.person for pair in pairs], return_inverse=True)
    count = int(who.max()) + 1
    hits, total = (np.bincount(who, part, minlength=count) for part in (noted[:, 1], noted.sum(axis=1)))
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=resamples)
    low, high = np.percentile(drawn @ hits / np.maximum(drawn @ total, 1), [2.5, 97.5])
    value = float(hits.sum() / max(total.sum(), 1))
    right = Interval(value, min(float(low), value), max(float(high), value)).as_json()
    return {"right": right, "noted": counts}


def sensitivity(pairs: Sequence[Known], thresholds: Thresholds) -> dict[str, dict[str, float]]:
    """F1 of regions with each threshold of mask and regions by half, as it is, and by twice."""
    true, found, usual = _true(pairs), {}, masks_in(pairs, thresholds)
    middle = region_score(true, usual > thresholds.region).f1
    for name in ("noise", "least", "closing", "near", "half", "area"):
        ends = [
            region_score(true, masks_in(pairs, _times(thresholds, name, factor)) > thresholds.region).f1
            for factor in (0.5, 2.0)
        ]
        found[name] = {"halved": ends[0], "as_it_is": middle, "doubled": ends[1]}
    ends = [region_score(true, usual > thresholds.region * factor).f1 for factor in (0.5, 2.0)]
    return found | {"region": {"halved": ends[0], "as_it_is": middle, "doubled": ends[1]}}


def type_sensitivity(pairs: Sequence[Known], found: Found, thresholds: Thresholds) -> dict[str, Any]:
    """F1 of each type with its cue's threshold by half, as it is, and by twice."""
    table = {}
    for name in CUES:
        values = np.array([cues.get(name, -np.inf) for cues in found.cues])
        true = np.array([name in pair.types for pair in pairs])
        ends = [
            region_score(true[:, None], (values > getattr(thresholds, name) * factor)[:, None]).f1
            for factor in (0.5, 1.0, 2.0)
        ]
        table[name] = dict(zip(("halved", "as_it_is", "doubled"), ends, strict=True))
    return table


def guesses(first: Sequence[Known], second: Sequence[Known]) -> dict[str, np.ndarray]:
    """What needs no image: all regions, or the one that is forged most often in the first half."""
    shape = (len(second), len(NAMES))
    usual = np.zeros(shape, bool)
    usual[:, int(_true(first).sum(axis=0).argmax())] = True
    return {"all regions": np.ones(shape, bool), "the most frequent region": usual}


def _true(pairs: Sequence[Known]) -> np.ndarray:
    return np.stack([pair.regions for pair in pairs])


def _times(thresholds: Thresholds, name: str, factor: float) -> Thresholds:
    return dataclasses.replace(thresholds, **{name: getattr(thresholds, name) * factor})


def _f1(true: np.ndarray, said: np.ndarray, people: Sequence[str], resamples: int) -> dict[str, float]:
    """Micro F1 with its interval: people resampled, each with all of its pairs."""
    _, who = np.unique(people, return_inverse=True)
    count = int(who.max()) + 1
    hits, total = (
        np.bincount(who, values.sum(axis=1), minlength=count) for values in (true & said, true.astype(int) + said)
    )
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=resamples)
    # A resample in which nothing is forged and nothing said cannot be: every pair is forged somewhere.
    replicates = 2 * (drawn @ hits) / np.maximum(drawn @ total, 1)
    low, high = np.percentile(replicates, [2.5, 97.5])
    value = region_score(true, said).f1
    return Interval(value, min(float(low), value), max(float(high), value)).as_json()
