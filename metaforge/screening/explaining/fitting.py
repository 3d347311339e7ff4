"""Fitting a region head in closed form, and calibrating it on people and methods that it was not fitted to."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import linalg

from metaforge.errors import InputError
from metaforge.evaluation.calibration import fit_calibration
from metaforge.evaluation.regions import region_score
from metaforge.screening.explaining.region_head import RegionHead, blank_head, contrasts, region_probabilities

SHRINKAGE = 0.3
"""What is added to the covariance, as a share of its mean variance."""

PIECES = ("own", "size", "face")
"""The kinds of numbers that get weights: $d$, $|d|$ and $f$ of `metaforge.screening.explaining.region_head`."""


class Moments(NamedTuple):
    """What a discriminant needs of the regions of one group of images, of which each group counts alike.

    Attributes:
        count: the weight of regions that are not forged, and of those that are.
        total: their weighted sums.
        square: their weighted sums of products.
    """

    count: Float[np.ndarray, "2"]
    total: Float[np.ndarray, "2 size"]
    square: Float[np.ndarray, "2 size size"]


def standards(
    features: Float[np.ndarray, "images regions size"], there: Bool[np.ndarray, "images regions"]
) -> RegionHead:
    """A blank head that knows what real faces look like.

    Args:
        features: of real images, as `metaforge.screening.explaining.seeing.pooled` gives them.
        there: which regions they show; of others nothing is learned.

    Raises:
        InputError: without an image.
    """
    if not len(features):
        raise InputError("explain: a region head is fitted to real images and to forged regions. Give some of both.")
    shown = there[..., None]
    count = np.maximum(shown.sum(0), 1)
    values = np.where(shown, np.asarray(features, np.float32), 0)
    mean = values.sum(0, dtype=np.float64) / count
    spread = np.sqrt((np.where(shown, values - mean, 0) ** 2).sum(0, dtype=np.float64) / count)
    # A number that hardly moves would make much of nothing.
    scale = np.maximum(spread, 1e-3 + 0.05 * np.median(spread, axis=0))
    head = blank_head(features.shape[2])
    return head._replace(mean=mean.astype(np.float32), scale=scale.astype(np.float32))


def rows_of(
    head: RegionHead, features: np.ndarray, there: np.ndarray, *, columns: np.ndarray | slice = slice(None)
) -> Float[np.ndarray, "images regions numbers"]:
    """The three `PIECES` of each region, one after the other; of some of the features alone if `columns` says so."""
    some = head._replace(mean=head.mean[:, columns], scale=head.scale[:, columns])
    differs, rest = contrasts(some, features[..., columns], there)
    return np.concatenate([differs, np.abs(differs), rest], axis=-1)


def moments(
    rows: Float[np.ndarray, "images regions numbers"],
    there: Bool[np.ndarray, "images regions"],
    true: Bool[np.ndarray, "images regions"],
) -> Moments:
    """Of one group of images."""
    weight = there / max(len(rows), 1)
    parts = []
    for kind in (~true, true):
        chosen = kind & there
        some, share = rows[chosen], weight[chosen].astype(np.float32)[:, None]
        parts.append((weight[chosen].sum(), (share * some).sum(0), (share * some).T @ some))
    return Moments(*(np.stack(each) for each in zip(*parts, strict=True)))


def discriminant(
    groups: Sequence[Moments], *, columns: np.ndarray | slice = slice(None), shrinkage: float = SHRINKAGE
) -> tuple[Float[np.ndarray, " size"], float]:
    r"""Weights and bias, $w = (S + \lambda \bar{s} I)^{-1} (m_1 - m_0)$.

    $S$ is the mean of the covariances of forged and of other regions, $\bar{s}$ its mean variance, and $m_y$ are the
    means of the two.

    Args:
        groups: each counts alike.

    Other Arguments:
        columns: the numbers that get weights.
        shrinkage: $\lambda$, above 0.

    Raises:
        InputError: without a forged region and another one.

    Example:
        >>> rows = np.array([[[0.0], [1.0]], [[2.0], [3.0]]], np.float32)
        >>> one = moments(rows, np.ones((2, 2), bool), np.array([[False, False], [True, True]]))
        >>> weights, bias = discriminant([one], shrinkage=1e-9)
        >>> print(weights.round(3), round(bias, 3))  # means 0.5 and 2.5, variance 0.25
        [8.] -12.0
    """
    count = np.sum([group.count for group in groups], axis=0)
    if not groups or not np.all(count > 0):
        raise InputError("explain: a region head is fitted to real images and to forged regions. Give some of both.")
    means = np.sum([group.total[:, columns] for group in groups], axis=0) / count[:, None]
    size = means.shape[1]
    covariance = np.zeros((size, size))
    for kind in range(2):
        for group in groups:
            covariance += group.square[kind][columns][:, columns] / (2 * count[kind])
        covariance -= np.outer(means[kind], means[kind]) / 2
    covariance[np.diag_indices_from(covariance)] += shrinkage * np.trace(covariance) / len(covariance)
    weights = linalg.cho_solve(linalg.cho_factor(covariance), (means[1] - means[0]).astype(np.float64))
    return weights, float(-weights @ (means[1] + means[0]).astype(np.float64) / 2)


def with_weights(head: RegionHead, weights: np.ndarray, bias: float, places: np.ndarray) -> RegionHead:
    """The head with weights of some of the numbers of `rows_of` all features, whose places are given."""
    contrast = np.zeros(3 * head.mean.shape[1], np.float32)
    contrast[places] = weights
    return head._replace(contrast=contrast.reshape(3, -1), bias=np.float32(bias))


def fit_head(
    features: Float[np.ndarray, "images regions size"],
    there: Bool[np.ndarray, "images regions"],
    true: Bool[np.ndarray, "images regions"],
    groups: np.ndarray,
    *,
    real: str = "",
    shrinkage: float = SHRINKAGE,
) -> RegionHead:
    """A linear discriminant between forged regions and all others, with one set of weights for all regions.

    Args:
        features: of `metaforge.screening.explaining.seeing.pooled`.
        there: which regions the images show.
        true: which are forged.
        groups: the method of each image, which count alike; those of `real` no one forged, and they standardise.

    Other Arguments:
        real: the name of the group of real images.
        shrinkage: as in `discriminant`.

    Returns:
        A head that is not calibrated.

    Raises:
        InputError: without real images, or without a forged region and another one.
    """
    groups = np.asarray(groups)
    head = standards(features[groups == real], there[groups == real])
    rows = rows_of(head, features, there)
    each = [moments(rows[groups == name], there[groups == name], true[groups == name]) for name in np.unique(groups)]
    weights, bias = discriminant(each, shrinkage=shrinkage)
    return with_weights(head, weights, bias, np.arange(len(weights)))


def calibrated(
    head: RegionHead,
    logits: Float[np.ndarray, "images regions"],
    there: Bool[np.ndarray, "images regions"],
    true: Bool[np.ndarray, "images regions"],
) -> RegionHead:
    """The head with a scale and an offset for each region, and the threshold above which regions are named.

    Scale and offset are fitted to all regions first, and then to each by itself with those as prior. The probability is
    then that of a region in an image of which a part is forged, where that region is forged as often as in these. The
    threshold is the probability with the best F1: there is one, for probabilities compare.

    Args:
        head: as fitted.
        logits: of images of other people of which a part was forged, each by a head that had not seen its method. Where
            a face is forged everywhere, no region is unlike the rest.
        there: which regions they show.
        true: which are forged.

    Raises:
        InputError: without a forged region and another one.
    """
    if not (true & there).any() or not (~true & there).any():
        raise InputError("explain: a region head is calibrated on images of which a part was forged. Give some.")
    # Both kinds count alike in the fit; how often each region is forged moves the offset to what is met.
    prior = fit_calibration(logits[there], true[there].astype(int), spreads=(5.0, 5.0))
    share, table = float(true[there].mean()), np.zeros_like(head.calibration)
    for place, shown in enumerate(there.T):
        kind = true[shown, place]
        one = prior
        if 0 < kind.sum() < len(kind):
            one = fit_calibration(logits[shown, place], kind.astype(int), prior=prior)
        # As if ten more images had been seen with the mean share.
        mine = (kind.sum() + 10 * share) / (len(kind) + 10)
        table[place] = one.scale, one.offset + np.log(mine / (1 - mine))
    head = head._replace(calibration=table)
    told = np.where(there, region_probabilities(head, logits), 0.0)
    values = np.unique(told)
    if len(values) > 400:
        values = np.quantile(values, np.linspace(0, 1, 400))
    cuts = (values[1:] + values[:-1]) / 2
    best = max(cuts.tolist(), key=lambda cut: region_score(true, told > cut).f1)
    return head._replace(threshold=np.full(len(head.threshold), best, np.float32))
