"""Position embeddings for another image size: bicubic interpolation of the grid of patches."""

import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jaxtyping import Array, Float


def resized_positions(table: Float[Array, "tokens width"], grid: int) -> Float[Array, "resized_tokens width"]:
    r"""The embeddings of a square grid of `grid` by `grid` patches; the class token's stays as it is.

    With $W$ the weights of cubic convolution (`cubic_weights`) and $P$ the grid of embeddings, every channel becomes
    $W P W^\top$. It is how the released models are run at other sizes: Keys' kernel with $a = -0.75$, half-pixel
    centres, the border repeated, and no smoothing when the grid becomes smaller.

    Args:
        table: the embeddings, the class token's first, then the patches' row by row.
        grid: patches to a side, at least 1.

    Returns:
        A table of $1 + grid^2$ rows; the same array if the size is the same.

    Raises:
        ValueError: if the patches of `table` are no square.

    Example:
        >>> resized_positions(jnp.ones((1 + 4, 3)), 3).shape
        (10, 3)

    References:
        Keys, *Cubic Convolution Interpolation for Digital Image Processing*, IEEE TASSP 1981.
    """
    tokens = len(table)
    side = round((tokens - 1) ** 0.5)
    if side * side != tokens - 1:
        raise ValueError(f"a table of {tokens} positions is no class token and a square of patches.")
    if side == grid:
        return table
    weights = jnp.asarray(cubic_weights(side, grid), table.dtype)
    patches = rearrange(table[1:], "(row column) width -> row column width", row=side)
    resized = jnp.einsum("ai,bj,ijw->abw", weights, weights, patches)
    return jnp.concatenate([table[:1], rearrange(resized, "row column width -> (row column) width")])


def cubic_weights(size: int, resized: int) -> np.ndarray:
    """What each of `size` samples counts in each of `resized` ones: float64, shape `(resized, size)`, rows add up to 1.

    Example:
        >>> cubic_weights(1, 2).tolist()
        [[1.0], [1.0]]
    """
    places = (np.arange(resized) + 0.5) * size / resized - 0.5
    first = np.floor(places).astype(int)
    weights = np.zeros((resized, size))
    for tap in range(-1, 3):
        samples = np.clip(first + tap, 0, size - 1)
        np.add.at(weights, (np.arange(resized), samples), _keys(places - (first + tap)))
    return weights


def _keys(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    t = np.abs(distance)
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))
