"""Depthwise convolution: XLA's own, or as a sum of shifted images, which CPUs run ten times faster."""

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

DepthwiseForm = Literal["auto", "lax", "shifts"]
"""How to convolve each channel by itself: "lax" is XLA's grouped convolution, "shifts" a sum of products; "auto" takes
shifts on a CPU and lax elsewhere."""


Pads = str | Sequence[tuple[int, int]]
"""Pixels around an image: before and behind in each direction, or "SAME"."""


def pads_of(padding: Literal["same", "symmetric"], side: int) -> Pads:
    """The padding of a kernel of so many pixels a side, an odd number, by a plan's word for it.

    "symmetric" puts half the kernel on every side. That is TensorFlow's "SAME" too, unless an even side is halved.

    Example:
        >>> pads_of("symmetric", 5), pads_of("same", 5)
        (((2, 2), (2, 2)), 'SAME')
    """
    return "SAME" if padding == "same" else ((side // 2, side // 2), (side // 2, side // 2))


def shifts_conv(
    inputs: Float[Array, "examples height width channels"],
    kernel: Float[Array, "kh kw channels"],
    stride: int = 1,
    pads: Pads = "SAME",
) -> Float[Array, "examples out_height out_width channels"]:
    r"""Depthwise convolution, by default with TensorFlow's "SAME" padding, as a sum over the kernel's positions.

    $y_{hwc} = \sum_{ij} x_{sh + i, sw + j, c}\, k_{ijc}$: every term is an elementwise product, so that vector units
    are used along the channels. XLA's CPU backend runs grouped convolutions number by number.

    Example:
        >>> print(shifts_conv(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1)))[0, :, :, 0])
        [[4. 6. 4.]
         [6. 9. 6.]
         [4. 6. 4.]]
    """
    kh, kw, _ = kernel.shape
    if isinstance(pads, str):
        pads = jax.lax.padtype_to_pads(inputs.shape[1:3], (kh, kw), (stride, stride), pads)
    padded = jnp.pad(inputs, ((0, 0), *pads, (0, 0)))
    rows, columns = ((length - 1) // stride * stride + 1 for length in inputs.shape[1:3])
    terms = [
        padded[:, i : i + rows : stride, j : j + columns : stride] * kernel[i, j].reshape(1, 1, 1, -1)
        for i in range(kh)
        for j in range(kw)
    ]
    return sum(terms[1:], start=terms[0])


def lax_conv(
    inputs: Float[Array, "examples height width channels"],
    kernel: Float[Array, "kh kw channels"],
    stride: int = 1,
    pads: Pads = "SAME",
) -> Float[Array, "examples out_height out_width channels"]:
    """The same by `jax.lax.conv_general_dilated`."""
    return jax.lax.conv_general_dilated(
        inputs,
        kernel[:, :, None].astype(inputs.dtype),
        (stride, stride),
        pads,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=inputs.shape[-1],
    )
