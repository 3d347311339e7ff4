"""Depthwise convolution: XLA's own, or as a sum of shifted images, which CPUs run ten times faster."""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

DepthwiseForm = Literal["auto", "lax", "shifts"]
"""How to convolve each channel by itself: "lax" is XLA's grouped convolution, "shifts" a sum of products; "auto" takes
shifts on a CPU and lax elsewhere."""


def shifts_conv(
    inputs: Float[Array, "examples height width channels"], kernel: Float[Array, "kh kw channels"], stride: int = 1
) -> Float[Array, "examples out_height out_width channels"]:
    r"""Depthwise convolution with TensorFlow's "SAME" padding, written as a sum over the kernel's positions.

    $y_{hwc} = \sum_{ij} x_{sh + i, sw + j, c}\, k_{ijc}$: every term is an elementwise product, so that vector units
    are used along the channels. XLA's CPU backend runs grouped convolutions number by number.

    Example:
        >>> print(shifts_conv(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1)))[0, :, :, 0])
        [[4. 6. 4.]
         [6. 9. 6.]
         [4. 6. 4.]]
    """
    kh, kw, _ = kernel.shape
    pads = jax.lax.padtype_to_pads(inputs.shape[1:3], (kh, kw), (stride, stride), "SAME")
    padded = jnp.pad(inputs, ((0, 0), *pads, (0, 0)))
    rows, columns = ((length - 1) // stride * stride + 1 for length in inputs.shape[1:3])
    terms = [
        padded[:, i : i + rows : stride, j : j + columns : stride] * kernel[i, j].reshape(1, 1, 1, -1)
        for i in range(kh)
        for j in range(kw)
    ]
    return sum(terms[1:], start=terms[0])


def lax_conv(
    inputs: Float[Array, "examples height width channels"], kernel: Float[Array, "kh kw channels"], stride: int = 1
) -> Float[Array, "examples out_height out_width channels"]:
    """The same by `jax.lax.conv_general_dilated`."""
    return jax.lax.conv_general_dilated(
        inputs,
        kernel[:, :, None].astype(inputs.dtype),
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=inputs.shape[-1],
    )
