"""Where clusters are looked for: the features themselves, or their principal components."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from metaforge.outliers._gaussian import product


class Projection(NamedTuple):
    """Principal components, `(rows - offset) @ basis`, of the features or, with `unit`, of their directions."""

    offset: Float[Array, " features"]
    basis: Float[Array, "features space"]
    unit: Bool[Array, ""]


def fit_projection(
    rows: Float[Array, "rows features"],
    weights: Float[Array, " rows"],
    *,
    components: int | None = None,
    unit: bool = False,
) -> Projection:
    """The widest directions of the points that count, or, without `components`, all of them as they are.

    Args:
        rows: the features.
        weights: 1 for those that count, 0 for the others.

    Other Arguments:
        components: how many directions.
        unit: whether features are scaled to length 1 first.

    Example:
        >>> rows = jnp.array([[0.0, 9.0], [0.0, -9.0], [1.0, 0.0]])
        >>> projection = fit_projection(rows, jnp.array([1.0, 1.0, 0.0]), components=1)
        >>> print(abs(projection.basis).round(3).T)
        [[0. 1.]]
    """
    rows = unit_rows(rows) if unit else rows
    count = jnp.maximum(jnp.sum(weights), 1e-12)
    offset = product(weights[None, :], rows)[0] / count
    if components is None or components >= rows.shape[1]:
        return Projection(offset, jnp.eye(rows.shape[1], dtype=rows.dtype), jnp.array(unit))
    centred = (rows - offset[None, :]) * jnp.sqrt(weights)[:, None]
    scatter = product(centred.T, centred)
    return Projection(offset, jnp.linalg.eigh(scatter)[1][:, ::-1][:, :components], jnp.array(unit))


def project(projection: Projection, rows: Float[Array, "rows features"]) -> Float[Array, "rows space"]:
    """The rows in the space of the clusters."""
    rows = jnp.where(projection.unit, unit_rows(rows), rows)
    return product(rows - projection.offset[None, :], projection.basis)


def unit_rows(rows: Float[Array, "rows features"]) -> Float[Array, "rows features"]:
    """Rows of length 1; a row of zeros stays one."""
    squares = jnp.sum(rows * rows, axis=1, keepdims=True)
    return rows / jnp.sqrt(jnp.where(squares > 0, squares, 1.0))
