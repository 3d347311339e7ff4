"""Heads in closed form for a target: fitted to embeddings that are made once, of however many support sets."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.adaptation.gaussian import NO_PAIR, Head, distances, head_of, posterior, whitened_head
from metaforge.backbones.features import embed
from metaforge.data.domains import TestSplit
from metaforge.errors import InputError
from metaforge.screening.finished_run import FinishedRun
from metaforge.training import build, kept_features, trainable
from metaforge.types import FAKE, REAL

RULES = ("discriminant", "whitened")
"""The rules that give a head in closed form."""


KNOWN = 4
"""How many images of a target the source's own distances count as."""

MOST_UNLABELLED = 300
"""Real images without labels that are looked at, at most: a hundred do nearly as well."""


def rule_of(trained: FinishedRun, asked: str = "") -> str:
    """The rule by which a run is adapted: the one asked for, or its own.

    Raises:
        InputError: for a rule that it cannot follow.
    """
    own = "discriminant" if trained.prior is not None else "steps"
    rule = asked or own
    if rule == "discriminant" and trained.prior is None:
        raise InputError("--rule=discriminant: the run has kept no prior of its source. Train it with "
                         "--adapt.rule=discriminant, or take --rule=whitened.")  # fmt: skip
    if rule == "steps" and trained.prior is not None:
        raise InputError("--rule=steps: the run was trained with --adapt.rule=discriminant and has no rate. Take "
                         "discriminant or whitened.")  # fmt: skip
    if rule in RULES and trained.transductive:
        raise InputError(f"--rule={rule}: with normalisation=episode no embedding stays as it is. Take --rule=steps.")
    if rule in RULES and trained.config.model.head != "linear":
        raise InputError(f"--rule={rule}: its head is linear, and the run's is '{trained.config.model.head}'. Take "
                         "--rule=steps.")  # fmt: skip
    return rule


def refuse_again(trained: FinishedRun, rule: str, *, where: str = "") -> None:
    """Refuses to begin at the source again what has become a target's.

    A detector keeps the prior of its source and not the images that it was adapted on, nor their embeddings, which
    would tell of people. So a second support set could not be added to the first; the first would be forgotten.

    Raises:
        InputError: for a discriminant that is to be adapted a second time.
    """
    adaptation = trained.before.get("adaptation", "none")
    if trained.called and rule == "discriminant" and adaptation != "none":
        raise InputError(f"--rule=discriminant: the detector{where} was adapted before ({adaptation}) and has not kept "
                         "those images, which would be forgotten. Give what it was made from, with the images of both "
                         "in one target.")  # fmt: skip


def embedder(trained: FinishedRun) -> Callable[[np.ndarray], np.ndarray]:
    """Images to embeddings, float32 `(images, features)`, normalised as the run's own source images are."""
    model = build.model(trained.config)
    params = trainable.whole(build.learner(trained.config).model(trained.params), trained.frozen)
    # Embeddings need no head in particular.
    context = trained.context if trained.config.model.normalisation == "support" else None
    return functools.partial(embed, model, params, batch=kept_features.BATCH, context=context)


def head(
    trained: FinishedRun, rule: str, support: np.ndarray, labels: np.ndarray, *,
    pairs: np.ndarray | None = None, unlabelled: np.ndarray | None = None,
) -> Head:  # fmt: skip
    """The head of a support set.

    Args:
        trained: the run.
        rule: of `RULES`.
        support: embeddings.
        labels: theirs.

    Other Arguments:
        pairs: as in `metaforge.adaptation.gaussian.posterior`.
        unlabelled: embeddings of real images of the target beside the support set.
    """
    given = (jnp.asarray(support, jnp.float32), jnp.asarray(labels, jnp.int32))
    beside = None if unlabelled is None else jnp.asarray(unlabelled, jnp.float32)
    if rule == "whitened":
        return _whitened(*given, beside)
    numbers = np.full(len(labels), NO_PAIR) if pairs is None else pairs
    return _posterior(trained.prior, *given, jnp.asarray(numbers, jnp.int32), beside)


@jax.jit
def _posterior(prior, support, labels, pairs, unlabelled):
    return posterior(prior, support, labels, pairs=pairs, unlabelled=unlabelled)


@jax.jit
def _whitened(support, labels, unlabelled):
    return whitened_head(support, labels, unlabelled=unlabelled)


def source_head(trained: FinishedRun) -> Head | None:
    """The head without anything of a target: the prior's; `None` for a run that keeps its trained one."""
    return None if trained.prior is None else head_of(trained.prior)


def scores_of(
    trained: FinishedRun, rule: str, images: Any, labels: np.ndarray, draws: list[np.ndarray], test: TestSplit, *,
    pairs: np.ndarray | None = None, unlabelled: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """p(fake) of the test images after each of several draws of the support set; all else as of `logits_of`."""
    logits = logits_of(trained, rule, images, labels, draws, test, pairs=pairs, unlabelled=unlabelled)
    return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))


def logits_of(
    trained: FinishedRun, rule: str, images: Any, labels: np.ndarray, draws: list[np.ndarray], test: TestSplit, *,
    pairs: np.ndarray | None = None, unlabelled: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Logits of the test images after each of several draws of the support set, float64 `(draws, images)`.

    Args:
        trained: the run.
        rule: of `RULES`.
        images: to draw from, read only where a draw asks.
        labels: theirs.
        draws: row numbers of each support set.
        test: what is judged.

    Other Arguments:
        pairs: of `images`.
        unlabelled: uint8 real images of the target, which are not judged.
    """
    made = embedder(trained)
    rows, place = np.unique(np.concatenate(draws), return_inverse=True)
    features, beside = made(np.asarray(images[rows])), None if unlabelled is None else made(unlabelled)
    where = np.split(place, np.cumsum([len(each) for each in draws])[:-1])
    heads = [
        head(
            trained, rule, features[at], labels[rows[at]],
            pairs=None if pairs is None else pairs[rows[at]], unlabelled=beside,
        )
        for at in where
    ]  # fmt: skip
    weights, bias = (np.stack([np.asarray(part, np.float64) for part in parts]) for parts in zip(*heads, strict=True))
    return test.score(lambda some: made(some).astype(np.float64) @ weights.T + bias).T


def pairs_of(labels: np.ndarray, names: np.ndarray) -> np.ndarray:
    """A number for each fake and the one real image of its name, where one of each has it; else `NO_PAIR`.

    A name is a path in the folder of the class, without a suffix: in subfolders the same number names other images.

    Example:
        >>> print(pairs_of(np.array([0, 0, 1, 1]), np.array(["ann/1", "bo/1", "bo/1", "bo/2"])))
        [-1  1  1 -1]
    """
    each, number = np.unique(names, return_inverse=True)
    counts = [np.bincount(number[labels == label], minlength=len(each)) for label in (REAL, FAKE)]
    return np.where((counts[0] == 1)[number] & (counts[1] == 1)[number], number, NO_PAIR).astype(np.int32)


def familiar(trained: FinishedRun, calibration: dict[str, Any], reals: np.ndarray) -> dict[str, Any]:
    """A detector's calibration once it was adapted: real images of the target are no longer strange.

    The scale of familiarity is stretched by how much farther they lie than the source's images do, their median against
    the source's, of which the source counts as `KNOWN` images. What is nearer changes nothing.

    Args:
        trained: the run.
        calibration: of the source, as a detector holds it.
        reals: embeddings of real images of the target.
    """
    if trained.prior is None or calibration.get("familiarity") is None or not len(reals):
        return calibration
    knots = calibration["familiarity"]["knots"]
    ratio = np.median(distances(trained.prior, reals)) / max(knots[len(knots) // 2], 1e-12)
    stretch = max(1.0, float(ratio ** (len(reals) / (len(reals) + KNOWN))))
    return calibration | {"familiarity": {"knots": [knot * stretch for knot in knots]}}
