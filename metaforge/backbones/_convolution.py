"""Convolution as patches and one matrix product, which CPUs run well in places where `lax.conv` is slow."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def patches_conv(
    inputs: Float[Array, "examples height width channels"],
    kernel: Float[Array, "kh kw channels features"],
    window_strides=(1, 1),
    padding="SAME",
    lhs_dilation=None,
    rhs_dilation=None,
    dimension_numbers=None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision=None,
) -> Float[Array, "examples out_height out_width features"]:
    """A two-dimensional convolution of undilated, ungrouped NHWC images: patches side by side, one matrix product.

    It has the signature of `jax.lax.conv_general_dilated`, so that flax's `nn.Conv(conv_general_dilated=...)` takes it.
    It is the faster form on CPUs wherever tasks have their own weights: `vmap` makes it a batched matrix product,
    where XLA's convolution becomes a grouped one, and a loop body keeps its threads.

    Raises:
        ValueError: for dilations or groups.

    Example:
        >>> images, kernel = jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 2))
        >>> print(patches_conv(images, kernel)[0, :, :, 0])
        [[4. 6. 6. 4.]
         [6. 9. 9. 6.]
         [6. 9. 9. 6.]
         [4. 6. 6. 4.]]
    """
    check_plain(
        "patches_conv", inputs, kernel, dilations=(lhs_dilation, rhs_dilation), dimension_numbers=dimension_numbers,
        groups=(feature_group_count, batch_group_count),
    )  # fmt: skip
    (kh, kw, _, features), (sh, sw) = kernel.shape, window_strides
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(inputs.shape[1:3], (kh, kw), (sh, sw), padding)
    padded = jnp.pad(inputs, ((0, 0), *((low, high) for low, high in padding), (0, 0)))
    out_h, out_w = (padded.shape[1] - kh) // sh + 1, (padded.shape[2] - kw) // sw + 1
    shifted = [
        padded[:, i : i + sh * (out_h - 1) + 1 : sh, j : j + sw * (out_w - 1) + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]
    patches = jnp.concatenate(shifted, axis=-1)
    flat = jnp.matmul(patches.reshape(-1, patches.shape[-1]), kernel.reshape(-1, features), precision=precision)
    return flat.reshape(inputs.shape[0], out_h, out_w, features)


def check_plain(
    name: str,
    inputs: jax.Array,
    kernel: jax.Array,
    *,
    dilations: tuple = (None, None),
    dimension_numbers=None,
    groups: tuple[int, int] = (1, 1),
) -> None:
    """Raises `ValueError` for a convolution with dilations, groups, or another layout than NHWC and HWIO."""
    for dilation in dilations:
        if dilation is not None and tuple(dilation) != (1, 1):
            raise ValueError(f"{name} takes no dilation, got {dilation}.")
    if groups != (1, 1):
        raise ValueError(f"{name} takes no groups, got {groups[0]} and {groups[1]}.")
    layout = jax.lax.conv_dimension_numbers(inputs.shape, kernel.shape, ("NHWC", "HWIO", "NHWC"))
    if dimension_numbers is not None and layout != jax.lax.conv_dimension_numbers(
        inputs.shape, kernel.shape, dimension_numbers
    ):
        raise ValueError(f"{name} takes NHWC images and HWIO kernels, got {dimension_numbers}.")


def max_pool(
    inputs: Float[Array, "examples height width channels"],
) -> Float[Array, "examples half_height half_width channels"]:
    """2x2 max-pooling with stride 2; an odd last row or column is dropped, as in the paper's framework.

    Written as a reshape and a maximum: the gradient of a windowed reduction costs several times more.

    Example:
        >>> print(max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0])
        [[ 5.  7.]
         [13. 15.]]
    """
    examples, height, width, channels = inputs.shape
    even = inputs[:, : height // 2 * 2, : width // 2 * 2]
    rows = even.reshape(examples, height // 2, 2, width // 2 * 2, channels)
    rows = _larger(rows[:, :, 0], rows[:, :, 1])
    pairs = rows.reshape(examples, height // 2, width // 2, 2, channels)
    return _larger(pairs[:, :, :, 0], pairs[:, :, :, 1])


def _larger(left, right):
    # Not `maximum` nor `max`: their gradients ask which input equals the output, and XLA may compute that output again
    # with other rounding (a fused multiply-add), so that no input equals it and the gradient is lost or 0/0.
    return jnp.where(left >= right, left, right)
