"""Several comparisons at once: p-values of bootstrapped differences, and how many of them to believe.

Of twenty differences that are not there, one falls below 0.05. Whoever compares two detectors on several targets, or
several detectors on one, corrects for that before calling any difference real.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError


class Decision(NamedTuple):
    """What is said of one hypothesis.

    Attributes:
        p: its own p-value.
        adjusted: the smallest level at which it would be rejected among all the others, in [p, 1].
        rejected: whether `adjusted` is at most the level asked for.
    """

    p: float
    adjusted: float
    rejected: bool


def holm(p_values: Mapping[str, float], *, level: float = 0.05) -> dict[str, Decision]:
    r"""Which of several hypotheses to reject, so that the chance of any false rejection is at most `level`.

    Sorted as $p_{(1)} \le \dots \le p_{(m)}$, the adjusted values are $\max_{j \le i} \min(1, (m - j + 1)\,p_{(j)})$.
    This holds however the p-values depend on each other (the same models and seeds are behind all of them), and rejects
    whatever Bonferroni's $m\,p$ rejects, and more.

    All comparisons that were made belong in, also those that look dull.

    Args:
        p_values: name to p-value, in [0, 1].
        level: the family-wise error rate, in (0, 1).

    Returns:
        A `Decision` by name, in the order given.

    Raises:
        InputError: if there is no p-value, one is not in [0, 1], or the level is not in (0, 1).

    Example:
        >>> for target, found in holm({"faceswap": 0.01, "wav2lip": 0.04, "simswap": 0.03}).items():
        ...     print(f"{target}: {found.adjusted:.2f} {found.rejected}")
        faceswap: 0.03 True
        wav2lip: 0.06 False
        simswap: 0.06 False

    References:
        Holm, *A simple sequentially rejective multiple test procedure*, 1979.
    """
    if not p_values or not 0 < level < 1:
        raise InputError(f"holm: {len(p_values)} p-values at level {level}. Give at least one, and a level in (0, 1).")
    for name, p in p_values.items():
        if not 0 <= p <= 1:
            raise InputError(f"holm: the p-value of {name!r} is {p}. Give numbers in [0, 1].")
    names = sorted(p_values, key=lambda name: p_values[name])
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(names):
        highest = max(highest, min(1.0, (len(names) - rank) * float(p_values[name])))
        adjusted[name] = highest
    return {name: Decision(float(p), adjusted[name], adjusted[name] <= level) for name, p in p_values.items()}


def bootstrap_p(replicates: ArrayLike, value: float = 0.0) -> float:
    """The two-sided p-value of "the truth is `value`", from bootstrap replicates of an estimate.

    Twice the share of replicates on the thinner side of `value`, itself on both sides; so a percentile interval of
    level `1 - p` just touches `value`. No side is taken for emptier than one resample in `resamples + 1` can show: p is
    never 0, and 1,000 resamples cannot give less than 0.002.

    Args:
        replicates: shape `(resamples,)`, finite.
        value: what the hypothesis says, 0 for "no difference".

    Returns:
        p, in (0, 1].

    Raises:
        InputError: if there is no replicate, or one is not finite.

    Example:
        >>> bootstrap_p([0.1, 0.2, -0.1, 0.3, 0.2, 0.1, 0.4, 0.1])
        0.25

    References:
        Davison and Hinkley, *Bootstrap Methods and their Application*, 1997, sections 4.2.5 and 5.4.
    """
    replicates = np.asarray(replicates, np.float64)
    if replicates.ndim != 1 or replicates.size == 0 or not np.isfinite(replicates).all():
        raise InputError("bootstrap_p: replicates must be finite numbers of shape (resamples,). Give at least one.")
    thinner = min(np.mean(replicates <= value), np.mean(replicates >= value))
    return float(min(1.0, 2 * max(thinner, 1 / (replicates.size + 1))))
