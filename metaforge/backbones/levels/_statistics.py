"""What standardises levels: a mean and a scale of every number, as parameters with a name."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from metaforge.types import Params

STANDARDISE = "standardise"
"""The name of the statistics among the parameters: a dictionary of `mean` and `scale`, a number a feature each."""


def standardised(params: Params, features: Float[jax.Array | np.ndarray, "images size"]) -> jax.Array:
    """Levels as the head sees them.

    Example:
        >>> params = {"standardise": {"mean": jnp.ones(1), "scale": jnp.full(1, 2.0)}}
        >>> print(standardised(params, jnp.full((1, 1), 5.0)))
        [[2.]]
    """
    statistics = jax.lax.stop_gradient(params[STANDARDISE])
    return (jnp.asarray(features, jnp.float32) - statistics["mean"][None]) / statistics["scale"][None]


def with_statistics(params: Params, features: Float[np.ndarray, "images size"]) -> Params:
    """The same parameters with the statistics of other images, such as some of a target domain.

    The head stays as it is, and says something else of an image then.

    Args:
        params: of a backbone of `levels`.
        features: levels before they are standardised, as `embed` gives them for `without_statistics(params)`.

    Returns:
        Parameters. A number that is the same for all images has scale 1.

    Raises:
        ValueError: for no images, another number of features, or some that are not finite.

    Example:
        >>> found = with_statistics({"standardise": {"mean": jnp.zeros(2)}}, np.array([[1.0, 7.0], [3.0, 7.0]]))
        >>> print(found["standardise"]["mean"], found["standardise"]["scale"])
        [2. 7.] [1. 1.]
    """
    features, size = np.asarray(features, np.float64), params[STANDARDISE]["mean"].size
    if features.ndim != 2 or not len(features) or features.shape[1] != size or not np.isfinite(features).all():
        raise ValueError(f"`features` must be (images, {size}), finite, of one image or more; got {features.shape}.")
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    # What differs by rounding alone is the same.
    scale = np.where(deviation > 1e-6 * np.abs(mean) + 1e-12, deviation, 1.0)
    return {**params, STANDARDISE: {"mean": np.float32(mean), "scale": np.float32(scale)}}


def without_statistics(params: Params) -> Params:
    """The same parameters with the statistics 0 and 1: embeddings are then the levels themselves.

    Example:
        >>> print(without_statistics({"standardise": {"mean": jnp.full(1, 5.0)}})["standardise"]["mean"])
        [0.]
    """
    size = params[STANDARDISE]["mean"].size
    return {**params, STANDARDISE: {"mean": np.zeros(size, np.float32), "scale": np.ones(size, np.float32)}}
