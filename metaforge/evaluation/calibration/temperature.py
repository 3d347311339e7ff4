"""Logits as probabilities: one scale (an inverse temperature) and one offset, fitted on rows that were held out."""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import checked
from metaforge.evaluation.calibration._stored import number, stored


class Calibration(NamedTuple):
    r"""A logit $z$ becomes $sz + o$ with a scale $s > 0$, so that no order and no AUC changes.

    Attributes:
        scale: above 0; below 1 for a detector that is too sure.
        offset: what is added.

    Example:
        >>> print(Calibration(0.5, 1.0)([-2.0, 4.0]))
        [0. 3.]
        >>> Calibration.from_json(Calibration(0.5, 1.0).as_json())
        Calibration(scale=0.5, offset=1.0)
    """

    scale: float = 1.0
    offset: float = 0.0

    def __call__(self, logits: ArrayLike) -> np.ndarray:
        """Calibrated logits, float64, of the shape of `logits`."""
        return self.scale * np.asarray(logits, np.float64) + self.offset

    def as_json(self) -> dict[str, float]:
        """What a file holds of it."""
        return self._asdict()

    @classmethod
    def from_json(cls, found: Any) -> "Calibration":
        """What `as_json` wrote.

        Raises:
            InputError: for anything else.
        """
        found = stored(found, cls._fields, "a scale and an offset")
        # A scale of 0 would make all images equal.
        scale = number(found["scale"], "the scale", low=np.finfo(np.float64).tiny)
        return cls(scale, number(found["offset"], "the offset"))


SPREADS = (0.5, 0.5)
"""How far the logarithm of the scale and the offset lie from the prior's if nothing else is said: a factor of 1.65 in
the scale, and 0.5 in the offset."""


def fit_calibration(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    prior: Calibration | None = None,
    spreads: tuple[float, float] = SPREADS,
) -> Calibration:
    r"""The scale and the offset under which logits are those of frequencies, where half of the images are fake.

    `fit_scaling` in double precision; its documentation has the sum that is minimised, and why one class alone, like no
    row, gives the prior.

    Args:
        logits: higher for fake, finite, shape `(rows,)`. Each is to be scored by a fit without the collection (camera,
            source, data set) of its image: scores of what was trained on are too sure.
        labels: 0 (real) or 1 (fake), shape `(rows,)`.

    Other Arguments:
        weights: shape `(rows,)`, at least 0, `None` for 1 each. Only their ratios count. The number of rows of a class
            is then $(\sum w)^2 / \sum w^2$.
        prior: what is believed before any row: scale 1 and offset 0 if left out.
        spreads: the prior's standard deviations, above 0: of the logarithm of the scale and of the offset.

    Returns:
        Its calibration; with other rows it can be the `prior` of a further fit.

    Raises:
        InputError: if a logit is not finite, the shapes do not match, or a spread is not above 0.

    Example:
        >>> fitted = fit_calibration([-3.0, -1.0, 1.0, 1.0, 3.0, -1.0], [0, 0, 0, 1, 1, 1])
        >>> print(f"{fitted.scale:.2f} {abs(fitted.offset):.2f}")
        0.90 0.00
        >>> fit_calibration([], [], prior=Calibration(2.0, -1.0))
        Calibration(scale=2.0, offset=-1.0)

    References:
        Platt, *Probabilistic outputs for support vector machines*, 1999; Guo et al., *On Calibration of Modern Neural
        Networks*, 2017, section 4.2.
    """
    prior = Calibration() if prior is None else prior
    if not all(0 < spread < math.inf for spread in spreads):
        raise InputError(f"fit_calibration: spreads are {spreads}. Give two numbers above 0; {SPREADS} are the usual.")
    if np.size(labels) == 0 and np.size(logits) == 0:
        return prior
    rows = checked(labels, logits, weights)
    if rows.scores.ndim != 1:
        raise InputError(f"fit_calibration: logits of shape {rows.scores.shape}. Give those of one detector, (rows,).")
    # A power of two, so that few programs serve all numbers of rows; what is filled up has no weight.
    more = (0, (1 << (len(rows.fake) - 1).bit_length()) - len(rows.fake))
    fake, scores, counts = (np.pad(part, more) for part in rows)
    # Whoever only judges needs no JAX.
    import jax

    with jax.enable_x64(True):
        found = _fitted()(
            scores, fake, np.float64(prior.scale), np.float64(prior.offset), np.asarray(spreads, np.float64), counts
        )
    return Calibration(*(float(part) for part in found))


@functools.cache
def _fitted():
    import jax

    from metaforge.evaluation.calibration.scaling import fit_scaling

    def fitted(scores, fake, scale, offset, spreads, weights):
        return fit_scaling(scores, fake, weights=weights, scale=scale, offset=offset, spreads=spreads)

    return jax.jit(fitted)
