"""What source images say of a prior, in closed form: by kinds of forgery, and by collections that are left out."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import linalg

from metaforge.adaptation.gaussian._moments import Fit, Moments, fitted, moments_of, total
from metaforge.adaptation.gaussian._prior import SPREADS, Prior
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Calibration, fit_calibration
from metaforge.types import FAKE

SHRINKAGE = 0.1
"""How far the covariance of standardised embeddings is moved to the identity. Anything from 0.03 to 0.3 is worth the
same on source collections."""

DRIFT = 0.1
"""The drift between collections where there is one alone, as that between open collections of portraits is."""


_FOLDS = 5


class Source(NamedTuple):
    """A prior, and what it said of source images whose collection and kind of forgery it was not fitted on.

    Attributes:
        prior: fitted on all.
        logits: float64, `(images,)`, calibrated; of a real image that stands beside several kinds one each.
        distances: float64, `(images,)`: the squared distance from the real images' mean in the metric of the
            covariance, divided by the number of features; about 1 for an image like the source's.
        rows: which of the images that were given each is.
    """

    prior: Prior
    logits: np.ndarray
    distances: np.ndarray
    rows: np.ndarray


def fit(
    embeddings: Float[np.ndarray, "images features"],
    labels: np.ndarray,
    kinds: np.ndarray,
    *,
    collections: np.ndarray | None = None,
    pairs: np.ndarray | None = None,
    people: np.ndarray | None = None,
    shrinkage: float = SHRINKAGE,
) -> Source:
    r"""The prior that source images give.

    $\Sigma$ is the mean of the classes' covariances, in units of the real images' standard deviation, moved to the
    identity by `shrinkage`; $w_0 = \Sigma^{-1}(\text{mean of fakes} - \text{mean of reals})$. The variance $\tau$ is
    how far one kind's shift lies from the mean shift of the others, the drift how far one collection's real images lie
    from the others' in score. What the calibration and the drift are fitted to is said of every image by a fit
    without its collection and without its kind.

    Args:
        embeddings: of images, all finite; real images that stand beside a kind have that kind too.
        labels: 0 for real, anything above for fake, `(images,)`.
        kinds: the kind of forgery of each image, `(images,)`.

    Other Arguments:
        collections: where each image comes from, `(images,)`; one name for all if left out.
        pairs: what a fake and the real image that it was made from share, `(images,)`; if left out there are none.
        people: who is on each image, `(images,)`. Where all come from one collection, people are left out in its place,
            a fifth of them at a time, so that nobody is judged by a fit that saw them.
        shrinkage: above 0, at most 1.

    Returns:
        A `Source`.

    Raises:
        ValueError: for a shrinkage out of range, or columns of other lengths.
        InputError: for a single class, or embeddings that are not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.tile([0, 1], 100)
        >>> seen = rng.normal(size=(200, 3)) + 2 * labels[:, None]
        >>> source = fit(seen, labels, np.repeat(["a", "b"], 100))
        >>> bool(np.mean((source.logits > 0) == labels[source.rows]) > 0.9)
        True

    References:
        Friedman, *Regularized Discriminant Analysis*, 1989 (shrinkage); Efron and Morris, *Stein's Estimation Rule
        and its Competitors*, 1973 (a prior's variance from many cases).
    """
    if not 0 < shrinkage <= 1:
        raise ValueError(f"`shrinkage` must be above 0 and at most 1, got {shrinkage}.")
    count = len(embeddings)
    where = np.zeros(count, int) if collections is None else np.unique(collections, return_inverse=True)[1]
    kind = np.unique(kinds, return_inverse=True)[1]
    if not len(labels) == len(kind) == len(where) == count:
        raise ValueError(f"{count} embeddings, {len(labels)} labels, {len(kind)} kinds and {len(where)} collections.")
    if not np.isfinite(embeddings).all():
        raise InputError("discriminant: an embedding is not finite. Look for images or parameters that are broken.")
    fake = np.asarray(labels) >= FAKE
    if fake.all() or not fake.any():
        raise InputError("discriminant: only one class. Give real and fake images of the source.")
    x = np.asarray(embeddings, np.float64)
    cells = _cells(x, fake, where, kind)
    every = total(cells.values())
    apart = where
    if people is not None and not where.any():
        apart = np.unique(people, return_inverse=True)[1] % _FOLDS
        cells = _cells(x, fake, apart, kind)
    left = _left_out(x, cells, every, apart, kind, shrinkage)
    return source_of(Rows(x, fake, kind, where, pairs), every, left, shrinkage)


def _cells(x: np.ndarray, fake: np.ndarray, where: np.ndarray, kind: np.ndarray) -> dict[tuple[int, int], Moments]:
    """The moments of each collection and kind that has images."""
    origin = x.mean(axis=0)
    rows = {(c, k): np.flatnonzero((where == c) & (kind == k)) for c in np.unique(where) for k in np.unique(kind)}
    return {(int(c), int(k)): moments_of(x[at], fake[at], origin) for (c, k), at in rows.items() if at.size}


class Rows(NamedTuple):
    """What is known of source images, with kinds and collections as numbers."""

    x: np.ndarray
    fake: np.ndarray
    kind: np.ndarray
    where: np.ndarray
    pairs: np.ndarray | None


class Scored(NamedTuple):
    """What a fit that did not see some images says of them."""

    rows: np.ndarray
    scores: np.ndarray
    distances: np.ndarray


def scored(found: Fit, x: np.ndarray, rows: np.ndarray) -> Scored:
    """A fit's scores and distances of some rows."""
    return _scored(found, found.whiten(x[rows]), rows)


def _scored(found: Fit, whitened: np.ndarray, rows: np.ndarray) -> Scored:
    return Scored(rows, found.scores(whitened), np.mean(np.square(whitened), axis=1))


def source_of(images: Rows, every: Moments, left_out: Iterable[Scored], shrinkage: float) -> Source:
    """The prior of images whose moments are known, and of fits that left some out."""
    x, fake, kind, where, pairs = images
    whole = fitted(every, shrinkage)
    assert whole is not None
    whitened = whole.whiten(x)
    left = list(left_out) or [_scored(whole, whitened, np.arange(len(x)))]
    rows, scores, distances = (np.concatenate(parts) for parts in zip(*left, strict=True))

    means = [scores[(where[rows] == c) & ~fake[rows]] for c in range(where.max() + 1)]
    means = [each for each in means if len(each)]
    drift = float(np.var([each.mean() / max(each.std(), 1e-6) for each in means], ddof=1)) if len(means) > 2 else DRIFT
    deviation = float(np.mean([each.std() for each in means]))
    start = Calibration(1 / max(deviation, 1e-6), 0.0)
    calibration = fit_calibration(scores, fake[rows].astype(np.int32), prior=start, spreads=SPREADS)
    prior = Prior(
        weights=_single(linalg.solve_triangular(whole.factor, whole.shift, lower=True, trans=1)),
        factor=_single(whole.factor),
        middle=_single(whole.middle),
        variance=_single(_between(whitened, fake, kind)),
        noise=_single(_noise(whitened, fake, kind, where, pairs)),
        drift=_single(drift),
        scale=_single(calibration.scale),
        offset=_single(calibration.offset),
    )
    return Source(prior, calibration(scores), distances, rows)


def _single(value) -> jax.Array:
    return jnp.asarray(value, jnp.float32)


def _left_out(x, cells, every, where, kind, shrinkage) -> Iterator[Scored]:
    """What a fit without both says of the images of each collection and kind."""
    collections, kinds = sorted({c for c, _ in cells}), sorted({k for _, k in cells})
    by_kind = {k: total(cells[c, k] for c in collections if (c, k) in cells) for k in kinds}
    for c in collections:
        ours = total(cells[c, k] for k in kinds if (c, k) in cells)
        without = every - ours if len(collections) > 1 else every
        for k in (k for k in kinds if (c, k) in cells):
            # What stands in both was taken out twice.
            rest = without - by_kind[k] + (cells[c, k] if len(collections) > 1 else cells[c, k] - cells[c, k])
            found = fitted(rest, shrinkage)
            if found is not None:
                yield scored(found, x, np.flatnonzero((where == c) & (kind == k)))


def _between(whitened: np.ndarray, fake: np.ndarray, kind: np.ndarray) -> float:
    """The variance of a whitened coordinate of one kind's shift about the mean shift of the others."""
    kinds = np.unique(kind)
    if len(kinds) < 2:
        # One kind says nothing of how kinds differ: as much as a shift itself.
        return float(np.mean(np.square(whitened[fake].mean(axis=0) - whitened[~fake].mean(axis=0))))
    shifts = np.stack(
        [whitened[(kind == k) & fake].mean(axis=0) - whitened[(kind == k) & ~fake].mean(axis=0) for k in kinds]
    )
    others = (shifts.sum(axis=0) - shifts) / (len(kinds) - 1)
    # The median: a kind that changes every pixel lies a hundred times as far as the rest.
    return float(np.median(np.mean(np.square(shifts - others), axis=1)))


def _noise(whitened, fake, kind, where, pairs) -> np.ndarray:
    """The variance of a whitened coordinate within a class of a kind and collection, and of a pair's difference."""
    cell = np.unique(np.stack([kind, where, fake]), axis=1, return_inverse=True)[1].ravel()
    count = np.bincount(cell)
    means = np.zeros((len(count), whitened.shape[1]))
    np.add.at(means, cell, whitened)
    means /= count[:, None]
    degrees = max(len(whitened) - len(count), 1)
    within = float(np.sum(np.square(whitened - means[cell])) / degrees / whitened.shape[1])
    if pairs is None:
        return np.array([within, 2 * within])
    found = np.unique(pairs, return_inverse=True)[1]
    fakes = {int(found[row]): row for row in np.flatnonzero(fake)}
    both = [(fakes[int(found[row])], row) for row in np.flatnonzero(~fake) if int(found[row]) in fakes]
    if len(both) < 2:
        return np.array([within, 2 * within])
    ours, theirs = np.array(both).T
    difference = whitened[ours] - whitened[theirs]
    place = np.unique(np.stack([kind[ours], where[ours]]), axis=1, return_inverse=True)[1].ravel()
    centred = difference.copy()
    for each in range(place.max() + 1):
        centred[place == each] -= difference[place == each].mean(axis=0)
    degrees = max(len(both) - int(place.max()) - 1, 1)
    return np.array([within, float(np.sum(np.square(centred)) / degrees / whitened.shape[1])])
