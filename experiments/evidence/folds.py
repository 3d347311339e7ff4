"""What each feature is worth on a collection and a half of the methods that it was not calibrated on."""

from typing import Any, NamedTuple

import numpy as np

from experiments.evidence.config import Config
from experiments.evidence.values import POINTS, Values
from metaforge.evaluation.ranking import auc
from metaforge.screening.evidence.calibrating import Scoring, fit_scoring
from metaforge.screening.evidence.features import FEATURES
from metaforge.screening.evidence.shape import Prior, distances, fit_prior
from metaforge.types import REAL

LEAST_MEAN, LEAST_LOW = 0.6, 0.5
"""The rule: above the first is the mean of a shown feature's AUCs, above the other the lower end of its interval."""


class Fitted(NamedTuple):
    """What was fitted: a scoring for each feature, and the prior of shapes."""

    scorings: dict[str, Scoring]
    prior: Prior


def halves(methods: np.ndarray) -> tuple[list[str], list[str]]:
    """The methods in their order, every other one."""
    names = sorted(set(methods.tolist()))
    return names[::2], names[1::2]


def fit(values: Values) -> Fitted:
    """Calibrates every feature on labelled images; shapes are those of the real ones."""
    prior = fit_prior(values.found[POINTS][values.label == REAL].astype(np.float64))
    return Fitted({each.name: fit_scoring(numbers(values, each.name, prior), values.label) for each in FEATURES}, prior)


def numbers(values: Values, name: str, prior: Prior) -> np.ndarray:
    """The numbers of a feature, a row for each image."""
    if name in values.found:
        return values.found[name].astype(np.float64)
    return np.log(np.stack([distances(prior, shape) for shape in values.found[POINTS].astype(np.float64)]) + 1e-6)


def scores(values: Values, fitted: Fitted) -> np.ndarray:
    """`(features, images)`: the probability of being fake that each feature gives."""
    return np.stack([fitted.scorings[each.name](numbers(values, each.name, fitted.prior)) for each in FEATURES])


class Fold(NamedTuple):
    """What was left out: its images, and the scores of each feature on them."""

    values: Values
    scores: np.ndarray


def folds(values: Values) -> list[Fold]:
    """A fold for each collection and each half of the methods."""
    found = []
    for collection in sorted(set(values.collection.tolist())):
        for half in halves(values.kind):
            out, mine = values.collection == collection, np.isin(values.kind, half)
            fitted = fit(values.take(np.flatnonzero(~out & ~mine)))
            judged = values.take(np.flatnonzero(out & mine))
            found.append(Fold(judged, scores(judged, fitted)))
    return found


def measure(config: Config, found: list[Fold]) -> list[dict[str, Any]]:
    """A row for each feature: its AUC on what was left out, over all folds and by parts."""
    whole = _over(config, found, lambda values: np.ones(len(values.label), bool))
    kinds = sorted({kind for fold in found for kind in fold.values.kind.tolist()})
    ways = sorted({kind for fold in found for kind in fold.values.acquisition.tolist()})
    by_method = {name: _over(config, found, lambda values, name=name: values.kind == name) for name in kinds}
    by_way = {name: _over(config, found, lambda values, name=name: values.acquisition == name) for name in ways}
    by_collection = {
        name: _over(config, found, lambda values, name=name: values.collection == name)
        for name in sorted({fold.values.collection[0] for fold in found})
    }
    return [
        {
            "name": feature.name,
            "tag": feature.tag,
            "auc": whole[place],
            "shown": whole[place]["value"] > LEAST_MEAN and whole[place]["low"] > LEAST_LOW,
            "by_method": {name: each[place] for name, each in by_method.items()},
            "by_acquisition": {name: each[place] for name, each in by_way.items()},
            "by_collection": {name: each[place] for name, each in by_collection.items()},
        }
        for place, feature in enumerate(FEATURES)
    ]


def _over(config: Config, found: list[Fold], which) -> list[dict[str, float]]:
    """The mean over folds of each feature's AUC on some of the images, with an interval over people."""
    parts = []
    for fold in found:
        rows = np.flatnonzero(which(fold.values))
        if len(rows):
            parts.append((fold.values.take(rows), fold.scores[:, rows]))
    value = np.mean([auc(values.label, found) for values, found in parts], axis=0)
    people = {}
    for values, _ in parts:
        people.setdefault(values.collection[0], set()).update(values.person.tolist())
    drawn = []
    for number in range(config.resamples):
        rng = np.random.default_rng([config.seed, number])
        # The same people of a collection in both of its folds.
        times = {}
        for name, mine in sorted(people.items()):
            names = sorted(mine)
            times[name] = dict(zip(names, np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names)),
                                   strict=True))  # fmt: skip
        drawn.append(np.mean([
            auc(values.label, found, weights=[times[values.collection[0]][each] for each in values.person.tolist()])
            for values, found in parts
        ], axis=0))  # fmt: skip
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return [{"value": float(v), "low": float(b), "high": float(t)} for v, b, t in zip(value, low, high, strict=True)]
