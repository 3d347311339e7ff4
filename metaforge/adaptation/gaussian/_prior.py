"""What a linear discriminant knows before it sees a target: the covariance of what says nothing, and a first guess."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import linalg

STRENGTH = 100.0
"""How many images of a target the source covariance counts as. On source collections anything from 30 to 300 is worth
the same."""

SPREADS = (0.3, 0.7)
"""How far the logarithm of the scale and the offset of a target lie from the source's: standard deviations."""


class Prior(NamedTuple):
    r"""What is known of a Gaussian model of embeddings, $x \sim N(m + y\,\delta, \Sigma)$ with $y = 1$ for fakes.

    The shift $\delta$ of a kind of forgery is drawn about $\Sigma w_0$, the mean shift of the source kinds, with a
    variance $\tau$ in each coordinate in which $\Sigma$ is the identity.

    Attributes:
        weights: $w_0 = \Sigma^{-1} \cdot$ mean shift, the source's discriminant direction.
        factor: the lower Cholesky factor $L$ of $\Sigma = L L^\top$.
        middle: $m$, the mean of real source images.
        variance: $\tau$, at least 0.
        noise: the variance of a whitened coordinate, of an image within its class, and of the difference between a
            fake and the real image that it was made from.
        drift: the variance between collections of the mean score of real images, where the scores of one collection
            have variance 1.
        scale: of the calibrated logit: `scale * score + offset`.
        offset: see `scale`.
    """

    weights: Float[Array, " features"]
    factor: Float[Array, "features features"]
    middle: Float[Array, " features"]
    variance: Float[Array, ""]
    noise: Float[Array, "2"]
    drift: Float[Array, ""]
    scale: Float[Array, ""]
    offset: Float[Array, ""]


def uninformed(features: int, *, weights: jax.Array | None = None) -> Prior:
    """A prior that knows no source: isotropic, with the direction of a trained head if it is given.

    Args:
        features: how many numbers an embedding has.

    Other Arguments:
        weights: of the head; zero if left out, so that the support set alone decides.

    Example:
        >>> prior = uninformed(3)
        >>> print(prior.weights, prior.noise)
        [0. 0. 0.] [1. 1.]
    """
    number = lambda value: jnp.asarray(value, jnp.float32)
    return Prior(
        weights=jnp.zeros(features) if weights is None else number(weights),
        factor=jnp.eye(features), middle=jnp.zeros(features), variance=number(1.0), noise=jnp.ones(2),
        drift=number(1.0), scale=number(1.0), offset=number(0.0),
    )  # fmt: skip


class Head(NamedTuple):
    """A linear head: the logit of an embedding `x` is `weights @ x + bias`, with the weights of a target."""

    weights: Float[Array, " features"]
    bias: Float[Array, ""]


def head_of(prior: Prior) -> Head:
    """The source's own head: that of no label and no image of a target.

    Example:
        >>> head = head_of(uninformed(2, weights=jnp.array([3.0, 4.0])))
        >>> print(head.weights, head.bias)
        [0.6 0.8] 0.0
    """
    norm = jnp.linalg.norm(prior.factor.T @ prior.weights)
    weights = prior.scale * prior.weights / jnp.maximum(norm, 1e-12)
    return Head(weights, prior.offset - weights @ prior.middle)


def distances(prior: Prior, embeddings: np.ndarray) -> np.ndarray:
    """How far images lie from the source's real ones: squared, in the metric of its covariance, a feature.

    Args:
        prior: of the source.
        embeddings: `(images, features)`.

    Returns:
        float64, `(images,)`; about 1 for an image like the source's.

    Example:
        >>> print(distances(uninformed(2), np.array([[3.0, 4.0]])))
        [12.5]
    """
    factor, middle = np.asarray(prior.factor, np.float64), np.asarray(prior.middle, np.float64)
    return np.mean(np.square(linalg.solve_triangular(factor, (embeddings - middle).T, lower=True)), axis=0)


def to_arrays(prior: Prior) -> dict[str, np.ndarray]:
    """The prior as arrays by name, of its factor the lower triangle alone, row by row.

    Example:
        >>> arrays = to_arrays(uninformed(3))
        >>> arrays["factor"].shape, sorted(arrays)[:3]
        ((6,), ['drift', 'factor', 'middle'])
    """
    arrays = {name: np.asarray(part, np.float32) for name, part in prior._asdict().items()}
    return arrays | {"factor": arrays["factor"][np.tril_indices(len(arrays["weights"]))]}


def from_arrays(arrays: Mapping[str, Any], *, features: int | None = None) -> Prior:
    """The prior that `to_arrays` made them of.

    Args:
        arrays: by name.

    Other Arguments:
        features: how many numbers the embeddings have that it is for; any if left out.

    Raises:
        ValueError: for arrays that are missing, of shapes that do not fit, not finite, or of no prior.

    Example:
        >>> from_arrays(to_arrays(uninformed(3))).factor.shape
        (3, 3)
    """
    found = {name: np.asarray(arrays[name], np.float32) for name in Prior._fields if name in arrays}
    size = found["weights"].size if "weights" in found else 0
    shapes = {name: () for name in Prior._fields} | {"weights": (size,), "middle": (size,), "noise": (2,)}
    shapes |= {"factor": (size * (size + 1) // 2,)}
    if {name: part.shape for name, part in found.items()} != shapes:
        raise ValueError("arrays of a prior are missing or of other shapes")
    if features not in (None, size):
        raise ValueError(f"a prior of embeddings of {size} numbers; those of the network have {features}")
    factor = np.zeros((size, size), np.float32)
    factor[np.tril_indices(size)] = found["factor"]
    positive = (np.diagonal(factor), found["noise"], found["scale"])
    if not all(np.isfinite(part).all() for part in found.values()) or not all((part > 0).all() for part in positive):
        raise ValueError("arrays of a prior are not finite, or no prior has them")
    return Prior(**{name: jnp.asarray(part) for name, part in (found | {"factor": factor}).items()})
