"""The Kullback-Leibler divergence between two softmaxes, in either direction."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from metaforge.losses._rows import numbers, per_example

Direction = Literal["forward", "reverse"]
"""Which distribution weights the logarithms: "forward" is KL(target || prediction), "reverse" the other way round."""


def kl_divergence(
    logits: Float[Array, "examples classes"],
    target_logits: Float[Array, "examples classes"],
    *,
    direction: Direction = "forward",
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""How far a prediction $p = \mathrm{softmax}(\ell)$ is from a target $q = \mathrm{softmax}(\ell')$.

    $$\mathrm{forward:}\; \mathrm{KL}(q \,\|\, p) = \sum_c q_c \log \frac{q_c}{p_c}, \qquad
    \mathrm{reverse:}\; \mathrm{KL}(p \,\|\, q) = \sum_c p_c \log \frac{p_c}{q_c}.$$

    "forward" makes the prediction cover all that the target holds likely; it is `optax.losses.kl_divergence`, and what
    DeepDPM's code computes for cluster assignments. "reverse" lets the prediction settle on a part of it; FakeRadar's
    clustering loss is written that way, $\mathrm{KL}(r_i \,\|\, r_i^E)$.

    Both arguments are differentiated; hold a teacher constant with `jax.lax.stop_gradient`.

    Args:
        logits: $\ell$, the prediction. A class that is left out has the logit minus infinity.
        target_logits: $\ell'$, the target, likewise.
        direction: "forward" or "reverse".
        where: the examples that exist; all if left out.

    Returns:
        One value per example, in nats, float32, at least 0 up to rounding, and 0 for equal distributions. Infinity
        where the second distribution leaves out a class that the first holds possible.

    Raises:
        ValueError: for an unknown `direction`.

    Example:
        >>> half, quarter = jnp.log(jnp.array([[0.5, 0.5]])), jnp.log(jnp.array([[0.25, 0.75]]))
        >>> with jnp.printoptions(precision=4):
        ...     print(kl_divergence(quarter, half), kl_divergence(quarter, half, direction="reverse"))
        [0.1438] [0.1308]

    References:
        Kullback and Leibler, *On Information and Sufficiency*, 1951, section 2. Ronen, Finder and Freifeld, *DeepDPM:
        Deep Clustering with an Unknown Number of Clusters*, CVPR 2022 (the clustering loss).
    """
    if direction not in get_args(Direction):
        raise ValueError(f"unknown `direction` {direction!r}; known: {', '.join(get_args(Direction))}.")
    first, second = (jax.nn.log_softmax(numbers(rows, where), axis=1) for rows in (target_logits, logits))
    if direction == "reverse":
        first, second = second, first
    # A class that the first leaves out adds 0, not 0 times infinity.
    possible = first > -jnp.inf
    ratios = jnp.where(possible, first, 0.0) - jnp.where(possible, second, 0.0)
    weights = jnp.where(possible, jnp.exp(jnp.where(possible, first, 0.0)), 0.0)
    return per_example(jnp.sum(weights * ratios, axis=1), where)
