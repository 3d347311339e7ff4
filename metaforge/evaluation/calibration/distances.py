"""How familiar an image is, from its distance to what a detector was trained on; and doubt about what is unfamiliar."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation.calibration._stored import number, stored

LEAST = 0.10
"""The familiarity from which on a logit is believed as it is: all but a tenth of the source images have it."""

NOTHING = 0.02
"""The familiarity up to which a logit says nothing: one in fifty of the source images has no more. The quantiles beyond
depend on a few images, and the last one on the strangest of all alone."""


class Familiarity(NamedTuple):
    """The share of the source images that lie at least as far as an image: a percentile, in [0, 1].

    1 for what is nearer than all of them, 0 for what is farther than all of them.

    Attributes:
        knots: quantiles of the source images' distances, evenly spaced from the nearest to the farthest; between two
            the share is interpolated.

    Example:
        >>> print(Familiarity((0.0, 1.0, 3.0))([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0]))
        [1.   1.   0.5  0.25 0.   0.  ]
    """

    knots: tuple[float, ...]

    def __call__(self, distances: ArrayLike) -> np.ndarray:
        """The familiarity of each distance, float64; a distance that is no number is as far as can be."""
        distances = np.asarray(distances, np.float64)
        # From the farthest: of equal knots the last counts, so that an image as far as many is as familiar as they are.
        shares = np.interp(-distances, -np.array(self.knots)[::-1], np.linspace(0, 1, len(self.knots)))
        return np.where(np.isnan(distances), 0.0, shares)

    def as_json(self) -> dict[str, list[float]]:
        """What a file holds of it."""
        return {"knots": list(self.knots)}

    @classmethod
    def from_json(cls, found: Any) -> "Familiarity":
        """What `as_json` wrote.

        Raises:
            InputError: for anything else.
        """
        knots = stored(found, cls._fields, "quantiles of distances")["knots"]
        if not isinstance(knots, list) or len(knots) < 2:
            raise InputError("calibration: the quantiles of distances are no list of two or more. Fit them anew.")
        read = tuple(number(knot, "a quantile of the distances") for knot in knots)
        if list(read) != sorted(read):
            raise InputError("calibration: the quantiles of distances do not rise. Fit them anew.")
        return cls(read)


def fit_familiarity(distances: ArrayLike, *, weights: ArrayLike | None = None, knots: int = 101) -> Familiarity:
    r"""The quantiles of the source images' distances.

    Sorted, image $k$ of $n$ is the quantile of $(k - 1) / (n - 1)$, and with weights of
    $(\sum_{i \le k} w_i - (w_k + w_1) / 2) / (\sum_i w_i - (w_n + w_1) / 2)$; between two the quantile is interpolated.

    Args:
        distances: of the source images, finite, shape `(rows,)`. Each is to be measured by a fit without the collection
            of its image: to a fit that has seen its collection, an image of it lies nearer than any stranger's.

    Other Arguments:
        weights: above 0, shape `(rows,)`, `None` for 1 each. So all collections can count the same.
        knots: how many quantiles are kept.

    Returns:
        What says how familiar a distance is.

    Raises:
        InputError: if there is no distance, one is not finite, or a weight is not above 0.

    Example:
        >>> fit_familiarity([3.0, 1.0, 2.0, 5.0], knots=4)
        Familiarity(knots=(1.0, 2.0, 3.0, 5.0))
    """
    distances = np.asarray(distances, np.float64)
    if distances.ndim != 1 or not distances.size or not np.isfinite(distances).all():
        raise InputError(
            f"fit_familiarity: {distances.shape} distances. Give finite ones of one image or more, (rows,)."
        )
    weights = np.ones(len(distances)) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != distances.shape or not (np.isfinite(weights).all() and weights.min() > 0):
        raise InputError(f"fit_familiarity: weights must be finite and above 0, one for each of {len(distances)} rows.")
    if knots < 2:
        raise InputError(f"fit_familiarity: {knots} quantiles. Keep two or more; 101 are percents.")
    order = np.argsort(distances, kind="stable")
    ranked, weights = distances[order], weights[order]
    levels = weights.cumsum() - weights / 2
    levels = (levels - levels[0]) / ((levels[-1] - levels[0]) or 1.0)
    return Familiarity(tuple(np.interp(np.linspace(0, 1, knots), levels, ranked).tolist()))


def tempered(
    logits: ArrayLike, familiarity: ArrayLike, *, least: float = LEAST, nothing: float = NOTHING
) -> np.ndarray:
    r"""Calibrated logits with less to say of what is unfamiliar.

    $z \cdot \min(1, \max(0, (f - f_{nothing}) / (f_{least} - f_{nothing})))$ of the logit $z$ and the familiarity $f$.

    A logit is evidence, the logarithm of a ratio of likelihoods, and was fitted where the source images lie. The fewer
    of them lie as far out, the less is known there of what it is worth, and the evidence counts by a share that falls
    to 0. With a logit of 0, half of the images are fake, as everywhere without evidence. Of the source images' own
    evidence this takes 6 % at the values given here.

    It is continuous in both. It rises with the logit, and its size with the familiarity, so doubt never turns real into
    fake or fake into real.

    Args:
        logits: calibrated, shape `(rows,)` or one.
        familiarity: in [0, 1], of the same shape.

    Other Arguments:
        least: from here on the logit is as it was; above `nothing`.
        nothing: up to here it is 0.

    Returns:
        float64, of the shape of `logits`.

    Example:
        >>> print(tempered([4.0, 4.0, 4.0, -4.0], [0.5, 0.1, 0.06, 0.02]))
        [4. 4. 2. 0.]

    References:
        Grunwald and van Ommen, *Inconsistency of Bayesian inference for misspecified linear models, and a proposal for
        repairing it*, 2017: likelihoods to a power below 1 where the model is wrong.
    """
    logits, known = np.asarray(logits, np.float64), np.asarray(familiarity, np.float64)
    share = np.where(known >= least, 1.0, np.maximum(known - nothing, 0.0) / (least - nothing))
    # An infinite logit is as little evidence there as any.
    return np.multiply(logits, share, out=np.zeros(np.broadcast_shapes(logits.shape, share.shape)), where=share > 0)
