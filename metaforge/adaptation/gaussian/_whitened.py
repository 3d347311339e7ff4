"""The difference of the class means, whitened by real images of the target: it knows no source."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaforge.adaptation.gaussian._prior import Head
from metaforge.types import FAKE, REAL


def whitened_head(
    support: Float[Array, "examples features"],
    labels: Int[Array, " examples"],
    *,
    l2: float | jax.Array = 1.0,
    unlabelled: Float[Array, "images features"] | None = None,
) -> Head:
    r"""The direction between the class means, in the metric of what differs between real images.

    $$w = (S + \lambda I)^{-1} (\bar x_\text{fake} - \bar x_\text{real})$$

    on embeddings that are standardised by the target's real images, whose correlations are $S$. The threshold lies
    halfway between the class means, where the logit is 0; at the means it is -1 and 1.

    Args:
        support: embeddings.
        labels: 0 for real, anything above for fake.

    Other Arguments:
        l2: $\lambda$, above 0; the larger, the nearer to the plain difference of the means.
        unlabelled: embeddings of real images of the target beside the support set.

    Returns:
        A `Head`; of zeros where a class is missing.

    Example:
        >>> head = whitened_head(jnp.array([[0.0], [0.2], [2.0], [2.2]]), jnp.array([0, 0, 1, 1]))
        >>> print(head.weights * 1.1 + head.bias)
        [0.]

    References:
        Fisher, *The Use of Multiple Measurements in Taxonomic Problems*, 1936.
    """
    fake = labels >= FAKE
    reals = support if unlabelled is None else jnp.concatenate([support, unlabelled])
    weight = jnp.concatenate([(~fake).astype(support.dtype), jnp.ones(len(reals) - len(support), support.dtype)])
    count = jnp.maximum(jnp.sum(weight), 1.0)
    middle = jnp.sum(weight[:, None] * reals, axis=0) / count
    rows = jnp.sqrt(weight)[:, None] * (reals - middle[None])
    deviation = jnp.sqrt(jnp.sum(jnp.square(rows), axis=0) / count)
    # Of few images a number may be the same in all; it then weighs as much as the others do.
    scale = jnp.where(deviation > 1e-6, deviation, jnp.maximum(jnp.mean(deviation), 1e-6))
    rows = rows / scale[None]

    def mean(of):
        return jnp.sum(of[:, None] * (support - middle[None]) / scale[None], axis=0) / jnp.maximum(jnp.sum(of), 1.0)

    means = [mean(of.astype(support.dtype)) for of in (~fake, fake)]
    gap = jnp.where(jnp.any(fake) & jnp.any(~fake), means[FAKE] - means[REAL], 0.0)
    # (S + l I)^-1 d by the images' products, which are fewer than the features.
    product = lambda a, b: jnp.matmul(a, b, precision="highest")
    inner = count * l2 * jnp.eye(len(rows), dtype=rows.dtype) + product(rows, rows.T)
    direction = gap - product(rows.T, jnp.linalg.solve(inner, product(rows, gap[:, None])))[:, 0]
    weights = direction / jnp.maximum(jnp.dot(direction, gap, precision="highest") / 2, 1e-12) / scale
    halfway = middle + scale * (means[FAKE] + means[REAL]) / 2
    return Head(weights, -jnp.dot(weights, halfway, precision="highest"))
