"""Scale and offset of a logit, fitted to few scores with a prior."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SPREADS = (0.3, 0.7)
"""How far the logarithm of the scale and the offset of a target lie from the source's: standard deviations."""

_STEPS = 25


def calibrated(
    scores: Float[Array, " examples"], fake: Float[Array, " examples"], *, scale: jax.Array, offset: jax.Array
) -> tuple[jax.Array, jax.Array]:
    r"""The scale $e^t$ and the offset $b$ of the logit $e^t s + b$ that make labelled scores the most likely.

    Minimises $\sum_i c_i \log(1 + e^{-y_i z_i}) + (t - t_0)^2 / 2\sigma_t^2 + (b - b_0)^2 / 2\sigma_b^2$ by damped
    Newton steps, where $c_i$ gives both classes the same weight, as many as there are images. Of one class alone it
    moves both, and of none nothing. Without the prior it is what is known as Platt's scaling.

    Args:
        scores: of images that their fit did not see.
        fake: 1 for fakes, 0 for reals.

    Other Arguments:
        scale: the prior's, above 0.
        offset: the prior's.

    Returns:
        Scale and offset.

    Example:
        >>> scale, offset = calibrated(jnp.zeros(0), jnp.zeros(0), scale=jnp.array(2.0), offset=jnp.array(-1.0))
        >>> print(scale, offset)
        2.0 -1.0
    """
    counts = jnp.stack([jnp.sum(1 - fake), jnp.sum(fake)])
    classes = jnp.maximum(jnp.sum(counts > 0), 1)
    each = jnp.sum(counts) / classes / jnp.maximum(counts, 1.0)
    weight = jnp.where(fake > 0, each[1], each[0])
    start = jnp.stack([jnp.log(scale), offset]).astype(jnp.float32)

    def loss(at):
        z = jnp.exp(at[0]) * scores + at[1]
        surprise = jnp.sum(weight * jax.nn.softplus(jnp.where(fake > 0, -z, z)))
        return surprise + jnp.sum(jnp.square((at - start) / jnp.array(SPREADS))) / 2

    def step(at, _):
        gradient, hessian = jax.grad(loss)(at), jax.hessian(loss)(at)
        # Not convex in t where scores are on the wrong side: the Hessian's eigenvalues are kept above the prior's half.
        values, vectors = jnp.linalg.eigh(hessian)
        values = jnp.maximum(values, 0.5 / max(SPREADS) ** 2)
        move = vectors @ ((vectors.T @ gradient) / values)
        move = move / jnp.maximum(1.0, jnp.max(jnp.abs(move)) / 0.5)
        return at - move, None

    found, _ = jax.lax.scan(step, start, length=_STEPS)
    return jnp.exp(found[0]), found[1]
