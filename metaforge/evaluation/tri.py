"""From three classes to one score: real against fake and outlier together."""

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from metaforge.types import OUTLIER, REAL


def forgery_log_odds(logits: ArrayLike) -> jax.Array:
    r"""The log-odds of a forgery of any kind, $\log \sum_{c > 0} e^{\ell_c} - \ell_0$, from real and one class or more.

    Args:
        logits: the first is of `REAL`: shape `(..., classes)`, two classes or more.

    Returns:
        $\mathrm{logit}(1 - p_{real})$ of each row, in float32 at least.

    Raises:
        ValueError: for a single logit.

    Example:
        >>> with jnp.printoptions(precision=3):
        ...     print(forgery_log_odds(jnp.array([1.0, 3.0])), forgery_log_odds(jnp.zeros(3)))  # 3 - 1, and log 2
        2.0 0.6931472
    """
    logits = jnp.asarray(logits)
    if logits.ndim < 1 or logits.shape[-1] < 2:
        raise ValueError(f"`logits` must be of real and one class or more, (..., classes); got {logits.shape}.")
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    return jax.nn.logsumexp(logits[..., REAL + 1 :], axis=-1) - logits[..., REAL]


def forgery_score(logits: ArrayLike) -> jax.Array:
    r"""The probability of a forgery of any kind, $1 - p_{real}$: every score that the package gives is made here.

    It is $\sigma(\log \sum_{c > 0} e^{\ell_c} - \ell_0)$, so it is in [0, 1] whatever the rounding, which neither
    $1 - p_{real}$ nor a sum of probabilities is sure of; and a small score keeps its digits: of one as small as
    $10^{-37}$ in float32 five are right, where $1 - p_{real}$ is 0 below $6 \cdot 10^{-8}$. Towards 1 there is no such
    room, and above log-odds of 17 all are 1: to rank what is that sure, take `forgery_log_odds`.

    Args:
        logits: as in `forgery_log_odds`. Minus infinity is a class that cannot be.

    Returns:
        One number in [0, 1] per row, in float32 at least; NaN where a logit is NaN, or none can be.

    Raises:
        ValueError: for a single logit.

    Example:
        >>> print(forgery_score(jnp.array([[0.0, 0.0, -jnp.inf], [-jnp.inf, 0.0, 0.0]])))
        [0.5 1. ]
    """
    return jax.nn.sigmoid(forgery_log_odds(logits))


def tri_log_odds(logits: ArrayLike, *, clips: bool = False) -> jax.Array:
    r"""The log-odds of a forgery, fake and outlier merged: $\log(e^{\ell_1} + e^{\ell_2}) - \ell_0$.

    This is $\mathrm{logit}(1 - p_{real})$, so its sigmoid is a score as everywhere here, the probability of fake. It
    does not saturate where $p_{real}$ is rounded to 0 or 1, and does not change when all three logits are shifted.

    Args:
        logits: in the order of `REAL`, `FAKE`, `OUTLIER`: shape `(..., 3)`.
        clips: whether the rows' last axis is the clips of a video, `(videos, clips, 3)`; their mean is then the
            video's.

    Returns:
        One number per row, in float32 at least; one per video if `clips`.

    Raises:
        ValueError: for other than three logits, or `clips` of logits that have no such axis.

    Example:
        >>> logits = jnp.array([[[2.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])  # one video of two clips
        >>> with jnp.printoptions(precision=3, suppress=True):
        ...     print(tri_log_odds(logits), tri_log_odds(logits, clips=True))
        [[-1.307  1.693]] [0.193]

    References:
        Li et al., *FakeRadar: Probing Forgery Outliers to Detect Unknown Deepfake Videos*, ICCV 2025 (inference:
        outlier is merged into fake). That clips are averaged as log-odds is open there.
    """
    logits = jnp.asarray(logits)
    if logits.ndim < 1 + clips or logits.shape[-1] != OUTLIER + 1:
        raise ValueError(
            f"`logits` must be of real, fake and outlier, {'(..., clips, 3)' if clips else '(..., 3)'}; got "
            f"{logits.shape}."
        )
    odds = forgery_log_odds(logits)
    return jnp.mean(odds, axis=-1) if clips else odds
