"""What the losses share: rows that may be padding, float32 inside, and a label's score."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

NEVER = -1e30
"""The score of what is left out of a softmax. Minus infinity would do for values, but not for gradients: a row of
nothing else has the gradient NaN."""


def numbers(rows: Float[Array, "rows columns"], where: Bool[Array, " rows"] | None) -> Float[Array, "rows columns"]:
    """The rows in float32 at least, those outside `where` set to 0.

    This has to happen before any arithmetic. A mask that is applied to the results alone multiplies a gradient of 0
    with a derivative of NaN on the way back.
    """
    rows = rows.astype(jnp.promote_types(rows.dtype, jnp.float32))
    return rows if where is None else jnp.where(where[:, None], rows, 0.0)


def labels_of(labels: Int[Array, " rows"], where: Bool[Array, " rows"] | None) -> Int[Array, " rows"]:
    """The labels, those outside `where` set to 0."""
    return labels if where is None else jnp.where(where, labels, 0)


def score_of(scores: Float[Array, "rows columns"], labels: Int[Array, " rows"]) -> Float[Array, " rows"]:
    """Each row's entry at its label; 0 where the row has no such entry."""
    # A label of -1 would count from the end.
    at_label = jnp.arange(scores.shape[1])[None, :] == labels[:, None]
    return jnp.sum(jnp.where(at_label, scores, 0.0), axis=1)


def per_example(
    losses: Float[Array, " rows"], where: Bool[Array, " rows"] | None, *, defined: Shaped[Array, " rows"] | None = None
) -> Float[Array, " rows"]:
    """The losses: 0 outside `where`, and NaN inside it where the loss is not `defined`, so that a wrong label shows."""
    if where is not None:
        losses = jnp.where(where, losses, 0.0)
    if defined is not None:
        losses = jnp.where(defined if where is None else defined | ~where, losses, jnp.nan)
    return losses


def check_positive(name: str, value: float | jax.Array) -> None:
    """Raises if an option that is a Python number is not above 0. The value of an array may not be known yet."""
    if isinstance(value, int | float) and not value > 0:
        raise ValueError(f"`{name}` must be above 0, got {value}.")
