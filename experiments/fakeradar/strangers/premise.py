"""Whether images of methods that nobody has seen lie where outliers are put.

Outliers are drawn at a squared distance between two quantiles (99 and 99.9 %) of what held-out images have to their own
subcluster. So an image is *inside* if it is nearer to its nearest subcluster than the shell, *in the shell*, or
*beyond*. If the premise of the method holds, images of unseen methods are where outliers are and real ones are not: the
AUC of outliers against real images is high, and that of outliers against images of unseen methods is 0.5.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy import linalg
from scipy.special import logsumexp

from experiments.fakeradar.config import Recipe
from experiments.fakeradar.programs import synthesizer_of
from experiments.fakeradar.strangers.folds import TEST, TRAIN, Given
from experiments.fakeradar.strangers.training import Trained, programs
from experiments.strangers import resampling
from experiments.strangers.features import Table
from experiments.strangers.resampling import People
from metaforge.outliers import Outliers, OutlierState
from metaforge.types import REAL

OUTLIERS = 1000
"""Outliers that images are compared with."""
REFRESHES = 3
"""Refreshes on the frozen features themselves, which do not move."""
PLACES = ("inside", "in the shell", "beyond")


class Located(NamedTuple):
    """Where the rows of a table and fresh outliers lie; the first axis is of models.

    Attributes:
        shell: the inner and outer squared distance of outliers, `(models, 2)`.
        size: how many numbers a feature has, `(models,)`.
        calibration: mean of d^2 / D of held-out training images at the last refresh, `(models,)`.
        near: squared distance of each row to its nearest subcluster, `(models, rows)`.
        near_real: to the nearest one of real images.
        odds: log-odds of the class of outliers against the two others; not a number without a head.
        outliers_near: as `near`, of outliers, `(models, OUTLIERS)`.
        outliers_near_real: as `near_real`.
        outliers_odds: as `odds`.
        around_real: which outliers surround a subcluster of real images.
        taken_for_real: the share of outliers whose largest logit is of real; not a number without a head.
    """

    shell: np.ndarray
    size: np.ndarray
    calibration: np.ndarray
    near: np.ndarray
    near_real: np.ndarray
    odds: np.ndarray
    outliers_near: np.ndarray
    outliers_near_real: np.ndarray
    outliers_odds: np.ndarray
    around_real: np.ndarray
    taken_for_real: np.ndarray


def nearest(state: OutlierState, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances to the nearest subcluster, and to the nearest of real images, in the metric of outliers.

    Args:
        state: of subclusters.
        features: in the space in which outliers are drawn.
    """
    active = np.flatnonzero(np.asarray(state.clusters.active))
    means, factors = (np.asarray(part, np.float64) for part in (state.source.mean, state.source.factor))
    real = np.asarray(state.clusters.label)[active] == REAL
    each, white = [], None
    for slot in active:
        factor = factors[0 if len(factors) == 1 else slot]
        if white is None or len(factors) > 1:
            white = linalg.solve_triangular(factor, np.asarray(features, np.float64).T, lower=True)
        each.append(
            np.sum(np.square(white - linalg.solve_triangular(factor, means[slot], lower=True)[:, None]), axis=0)
        )
    apart = np.stack(each)
    return apart.min(axis=0), apart[real].min(axis=0, initial=np.inf)


def of_model(recipe: Recipe, kinds: int, trained: Trained, features: jax.Array, given: Given) -> Located:
    """Where everything lies in the features of a trained model, of the row "full"."""
    made = programs(recipe, "full", kinds)
    seen = made.look(trained.params, given, features)
    drawn = made.sample(jax.random.key(0), trained.outliers, OUTLIERS)
    # The head sees outliers as it sees embeddings.
    logits = np.asarray(made.head(trained.params, drawn.features), np.float64)
    taken = np.mean(logits.argmax(axis=1) == REAL)
    return _located(
        trained.outliers, trained.info, np.asarray(seen.embeddings), _odds(np.asarray(seen.logits, np.float64)), drawn,
        _odds(logits), taken,
    )  # fmt: skip


def of_features(recipe: Recipe, kinds: int, seed: int, features: jax.Array, given: Given) -> Located:
    """Where everything lies in the frozen features themselves, standardised."""
    synthesizer = synthesizer_of(recipe, "full", kinds)
    seen = given.standard(features)
    state, update, info = synthesizer.init(seen.shape[1]), jax.jit(synthesizer.update), None
    for number in range(REFRESHES):
        key = jax.random.fold_in(jax.random.key(seed), number)
        state, info = update(key, state, seen[given.rows], given.kind, where=given.where)
    drawn = synthesizer.sample(jax.random.key(0), state, OUTLIERS)
    nothing = np.full(len(seen), np.nan)
    return _located(state, info, np.asarray(seen), nothing, drawn, nothing[:1].repeat(OUTLIERS), np.nan)


def _odds(logits: np.ndarray) -> np.ndarray:
    return logits[:, 2] - logsumexp(logits[:, :2], axis=1)


def _located(state: OutlierState, info, seen, odds, drawn: Outliers, outliers_odds, taken) -> Located:
    near, near_real = nearest(state, seen)
    theirs, theirs_real = nearest(state, np.asarray(drawn.features))
    around = np.asarray(state.clusters.label)[np.asarray(drawn.slot)] == REAL
    shell = np.asarray(state.source.shell, np.float64)[[0, -1]]
    found = Located(
        shell, np.array(seen.shape[1]), np.array(info.calibration), near, near_real, odds, theirs, theirs_real,
        outliers_odds, around, np.array(taken),
    )  # fmt: skip
    return Located(*(np.asarray(part)[None] for part in found))


def place_of(squares: np.ndarray, shell: np.ndarray) -> np.ndarray:
    """For each squared distance the number of its place in `PLACES`."""
    return np.searchsorted(shell, squares, side="right")


def groups(table: Table, part: np.ndarray, methods: list[str], without: str) -> Iterator[tuple[str, str, np.ndarray]]:
    """Of a fold: the name of a group, a collection, and rows, each collection alone."""
    seen, real = np.isin(table.kind, methods), table.label == 0
    of = {"real": real, "forged, known methods": ~real & seen, "forged, unseen methods": ~real & ~seen}
    for name, mine in of.items():
        yield f"{name}, unknown collection", without, np.flatnonzero(mine & (table.collection == without))
        for other in np.unique(table.collection[table.collection != without]):
            yield (
                f"{name}, known collection",
                str(other),
                np.flatnonzero(mine & (table.collection == other) & (part == TEST)),
            )
    for other in np.unique(table.collection[table.collection != without]):
        rows = real & seen & (table.collection == other) & (part == TRAIN)
        yield "real, trained on", str(other), np.flatnonzero(rows)


def measure(
    table: Table, part: np.ndarray, methods: list[str], found: dict[str, Located], people: dict[str, People], rng
) -> dict[str, Any]:
    """Shares by group, distances, and how well outliers, images of unseen methods and real ones are told apart.

    Args:
        table: all images.
        part: of each row.
        methods: that were trained on.
        found: by the collection that was left out.
        people: of each collection.
        rng: a generator of the same resamples of models at each call.
    """
    shares: dict[str, dict[str, list]] = {}
    for without, one in found.items():
        for name, collection, rows in groups(table, part, methods, without):
            if not rows.size:
                continue
            weights = people[collection].weights(table.person[rows])
            mine = shares.setdefault(name, {place: [] for place in (*PLACES, "sigma")})
            for number, place in enumerate(PLACES):
                values = [
                    place_of(near[rows], shell) == number for near, shell in zip(one.near, one.shell, strict=True)
                ]
                mine[place].append(
                    over_models([resampling.mean(each.astype(float), weights) for each in values], rng())
                )
            sigma = np.sqrt(one.near[:, rows] / one.size[:, None])
            mine["sigma"].append(over_models([resampling.mean(each, weights) for each in sigma], rng()))
    outliers = {
        place: float(np.mean([place_of(near, shell) == number for one in found.values()
                              for near, shell in zip(one.outliers_near, one.shell, strict=True)]))
        for number, place in enumerate(PLACES)
    }  # fmt: skip
    outliers["sigma"] = float(np.mean([np.sqrt(one.outliers_near / one.size[:, None]) for one in found.values()]))
    calibration = np.concatenate([one.calibration for one in found.values()])
    mean = lambda each: resampling.interval(np.mean(each, axis=0))
    taken = np.concatenate([one.taken_for_real for one in found.values()])
    report: dict[str, Any] = {
        "shares": {name: {what: mean(each) for what, each in mine.items()} for name, mine in shares.items()},
        "outliers": outliers,
        "calibration": [float(calibration.min()), float(calibration.max())],
        "told_apart": {"distance": _told_apart(table, methods, found, people, rng, "near_real")},
    }
    if np.isfinite(taken).all():
        report["outliers_taken_for_real"] = float(taken.mean())
        report["told_apart"]["odds of the outlier class"] = _told_apart(table, methods, found, people, rng, "odds")
    return report


def _told_apart(table: Table, methods: list[str], found, people, rng, what: str) -> dict[str, Any]:
    """AUCs in the collection that was left out, the mean over collections and unseen methods."""
    made: dict[str, list[np.ndarray]] = {}
    for without, one in found.items():
        scores, theirs = getattr(one, what), getattr(one, f"outliers_{what}")
        mine = table.collection == without
        for kind in np.unique(table.kind[~np.isin(table.kind, methods)]):
            rows = np.flatnonzero(mine & (table.kind == kind))
            label, weights = table.label[rows], people[without].weights(table.person[rows])
            parts: dict[str, list] = {}
            for model in range(len(scores)):
                # Of the distance to real images those say something that surround them.
                drawn = theirs[model][one.around_real[model]] if what == "near_real" else theirs[model]
                pairs = {
                    "unseen methods against real": (scores[model][rows], label, weights),
                    "outliers against real": _against(drawn, scores[model][rows], label == 0, weights),
                    "outliers against unseen methods": _against(drawn, scores[model][rows], label > 0, weights),
                }
                for name, (values, labels, weight) in pairs.items():
                    parts.setdefault(name, []).append(resampling.auc(labels, values, weight))
            for name, each in parts.items():
                made.setdefault(name, []).append(over_models(each, rng()))
    return {name: resampling.interval(np.mean(each, axis=0)) for name, each in made.items()}


def _against(drawn: np.ndarray, scores: np.ndarray, kept: np.ndarray, weights: np.ndarray):
    """Outliers as fakes, each once, and some images as real."""
    values = np.concatenate([drawn, scores[kept]])
    labels = np.repeat([1, 0], [len(drawn), int(kept.sum())])
    return values, labels, np.concatenate([np.ones((len(weights), len(drawn))), weights[:, kept]], axis=1)


def over_models(each: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The mean over models, which are resampled too; of one model as it is."""
    return each[0] if len(each) == 1 else resampling.over_draws(np.stack(each), rng)
