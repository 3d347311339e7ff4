"""The discriminant under a prior whose covariance was learned: kinds differ from their mean in few directions."""

import jax
import jax.numpy as jnp

from metaforge.adaptation.gaussian import Prior
from metaforge.adaptation.gaussian._posterior import DEGREES
from metaforge.adaptation.gaussian._prior import STRENGTH


def weights(prior: Prior, spread: jax.Array, real, fake, unlabelled, *, matched: jax.Array) -> jax.Array:
    r"""The direction of a target, up to its length.

    As in `metaforge.adaptation.gaussian.posterior`, but the shift of a kind is drawn with the covariance
    $\frac{1}{m - 1} A A^\top + \tau I$, where the $m$ columns of $A$ are the source kinds' shifts less their mean. With
    its eigenvectors $u_i$ and eigenvalues $\lambda_i$, what a support set shows counts by
    $(\lambda_i + \tau) / (\lambda_i + \tau + v)$ along $u_i$, and elsewhere by $\tau / (\tau + v)$.

    Args:
        prior: of the source.
        spread: $A^\top$, `(kinds, features)`, whitened; zero for the prior without it.
        real: embeddings of the support set's real images.
        fake: of its fakes; with pairs each in its real image's place.
        unlabelled: of further real images; there may be none.

    Other Arguments:
        matched: whether they are pairs.
    """
    white = lambda x: jax.scipy.linalg.solve_triangular(prior.factor, (x - prior.middle[None]).T, lower=True).T
    real, fake, beside = white(real), white(fake), white(unlabelled)
    first = prior.factor.T @ prior.weights
    apart = _variance(real, prior.noise[0]) + _variance(fake, prior.noise[0])
    variance = jnp.where(matched, _variance(fake - real, prior.noise[1]), apart)
    step = jnp.mean(fake, axis=0) - jnp.mean(real, axis=0) - first
    _, sizes, along = jnp.linalg.svd(spread / jnp.sqrt(max(len(spread) - 1, 1)), full_matrices=False)
    trust = lambda known: known / (known + variance)
    off = trust(prior.variance)
    on = trust(jnp.square(sizes) + prior.variance)
    shift = first + off * step + along.T @ ((on - off) * (along @ step))
    of_target = jnp.concatenate([real, beside])
    rows = of_target - jnp.mean(of_target, axis=0, keepdims=True)
    inner = STRENGTH * jnp.eye(len(rows)) + rows @ rows.T
    found = shift - rows.T @ jnp.linalg.solve(inner, rows @ shift)
    return jax.scipy.linalg.solve_triangular(prior.factor, found, lower=True, trans=1)


def _variance(rows: jax.Array, noise: jax.Array) -> jax.Array:
    """The variance of a coordinate of the rows' mean, with the prior's noise."""
    about = jnp.sum(jnp.square(rows - jnp.mean(rows, axis=0, keepdims=True))) / rows.shape[1]
    return (DEGREES * noise + about) / (DEGREES + len(rows) - 1) / len(rows)
