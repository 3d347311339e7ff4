"""3x3 convolution by Winograd's minimal filtering, F(2x2, 3x3): 2.25 times fewer multiplications."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from metaforge import processor
from metaforge.backbones._convolution import check_plain, patches_conv

# Lavin and Gray, section 4.1. A tile of 4 by 4 inputs and a kernel of 3 by 3 make 2 by 2 outputs:
# Y = A' [(G w G') * (B' x B)] A, with * the product of the two 4 by 4 arrays, position by position.
_B_T = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
_G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_A_T = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])

_MIN_CHANNELS = 16
"""Below this, transforming the tiles costs more than it saves, and patches are taken."""

_CHUNK_BYTES = 150_000
"""Images that are convolved together where a program has a core to itself. Their tiles are four times as large, and so
are the products: together about the size of a core's own cache."""


def winograd_conv(
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
) -> Float[Array, "examples height width features"]:
    """A 3x3 convolution of NHWC images with stride 1 and zero padding, of any height and width.

    It has the signature of `jax.lax.conv_general_dilated`, so that flax's `nn.Conv(conv_general_dilated=...)` takes it.
    Each output is a sum of fewer and larger terms than in the direct form: in float32 the two differ by about 1e-6 of
    the largest output. Images of fewer than 16 channels are convolved by `patches_conv`.

    Both arguments' derivatives, of any order and in both modes, are convolutions of the same kind (`_gradient` below);
    the transpose of the tiling, which automatic differentiation would take, is twice as slow.

    Raises:
        ValueError: for another kernel, stride, padding or layout, for dilations or groups.

    Example:
        >>> images, kernel = jnp.ones((1, 4, 4, 16)), jnp.ones((3, 3, 16, 2))
        >>> print(winograd_conv(images, kernel)[0, :, :, 0])
        [[ 64.  96.  96.  64.]
         [ 96. 144. 144.  96.]
         [ 96. 144. 144.  96.]
         [ 64.  96.  96.  64.]]

    References:
        Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016, section 4.1.
    """
    check_plain(
        "winograd_conv", inputs, kernel, dilations=(lhs_dilation, rhs_dilation), dimension_numbers=dimension_numbers,
        groups=(feature_group_count, batch_group_count),
    )  # fmt: skip
    if precision is not None:
        raise ValueError(f"winograd_conv computes its products in the precision of its inputs alone, got {precision}.")
    pads = jax.lax.padtype_to_pads(inputs.shape[1:3], (3, 3), (1, 1), padding) if isinstance(padding, str) else padding
    if kernel.shape[:2] != (3, 3) or tuple(window_strides) != (1, 1) or [tuple(p) for p in pads] != [(1, 1), (1, 1)]:
        raise ValueError(
            f"winograd_conv takes 3x3 kernels, stride 1 and padding 1, got {kernel.shape[:2]}, {window_strides} and "
            f"{padding}."
        )
    if inputs.shape[-1] < _MIN_CHANNELS:
        return patches_conv(inputs, kernel)
    # Sums of sixteen inputs lose what half precision has left of its digits, so they are made in single.
    wide = jnp.promote_types(inputs.dtype, jnp.float32)
    chunk = _CHUNK_BYTES if _a_core_to_itself() else 0
    return _convolve_p.bind(inputs.astype(wide), kernel.astype(wide), chunk=chunk).astype(inputs.dtype)


def _a_core_to_itself() -> bool:
    """Whether the program that is being written down is one of several that share the cores, about one each.

    One program on all cores shares out the rows of each operation among them, and small operations cannot be shared.
    """
    devices = jax.sharding.get_abstract_mesh().size
    return jax.default_backend() == "cpu" and devices > 1 and processor.cores() < 2 * devices


def _convolve(inputs, kernel, *, chunk: int):
    count = _chunks(inputs, chunk)
    if count == 1:
        return _convolved(inputs, kernel)
    outputs = jax.lax.map(lambda some: _convolved(some, kernel), _split(inputs, count))
    return outputs.reshape(-1, *outputs.shape[2:])


def _gradient(inputs, cotangent, *, chunk: int):
    """The cotangent of the kernel."""
    count = _chunks(inputs, chunk)
    if count == 1:
        return _kernel_cotangent(inputs, cotangent)
    start = jnp.zeros((3, 3, inputs.shape[3], cotangent.shape[3]), inputs.dtype)
    pairs = (_split(inputs, count), _split(cotangent, count))
    return jax.lax.scan(lambda total, pair: (total + _kernel_cotangent(*pair), None), start, pairs)[0]


def _chunks(inputs, limit: int) -> int:
    """In how many chunks images are convolved: as few as keep each below `limit` bytes, if they come out even."""
    examples = inputs.shape[0]
    one = inputs.size // max(1, examples) * inputs.dtype.itemsize
    fitting = max(1, limit // max(1, one))
    size = max((n for n in range(1, examples + 1) if examples % n == 0 and n <= fitting), default=1)
    # Far smaller chunks than would fit, as of a prime number of small images, cost more than they save.
    return examples // size if limit and 2 * size > min(fitting, examples) else 1


def _split(array, count: int):
    return array.reshape(count, -1, *array.shape[1:])


def _convolved(inputs, kernel):
    examples, height, width, _ = inputs.shape
    tiles, weights = _tiles(inputs), _both(_G, [[kernel[i, j] for j in range(3)] for i in range(3)])
    products = [[tiles[i][j] @ weights[i][j] for j in range(4)] for i in range(4)]
    rows, columns = -(-height // 2), -(-width // 2)
    parts = [[part.reshape(examples, rows, columns, -1) for part in row] for row in _both(_A_T, products)]
    whole = jnp.stack([jnp.stack(row, axis=3) for row in parts], axis=2)
    return whole.reshape(examples, 2 * rows, 2 * columns, -1)[:, :height, :width]


def _kernel_cotangent(inputs, cotangent):
    """The transpose of the same three steps."""
    (_, height, width, _), features = inputs.shape, cotangent.shape[-1]
    even = jnp.pad(cotangent, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    parts = [[even[:, i::2, j::2].reshape(-1, features) for j in range(2)] for i in range(2)]
    tiles, products = _tiles(inputs), _both(_A_T.T, parts)
    weights = [[tiles[i][j].T @ products[i][j] for j in range(4)] for i in range(4)]
    return jnp.stack([jnp.stack(row) for row in _both(_G.T, weights)])


def _tiles(inputs):
    """B' x B of every tile: 4 by 4 arrays `(tiles, channels)`."""
    _, height, width, channels = inputs.shape
    padded = jnp.pad(inputs, ((0, 0), (1, 1 + height % 2), (1, 1 + width % 2), (0, 0)))
    above, left = height + height % 2 - 1, width + width % 2 - 1
    windows = [[padded[:, i : i + above : 2, j : j + left : 2] for j in range(4)] for i in range(4)]
    return [[tile.reshape(-1, channels) for tile in row] for row in _both(_B_T, windows)]


def _both(matrix, tiles):
    """M t M' of a square of arrays, written out: the matrices hold few numbers but 0 and 1."""
    half = [[_combine(row, column) for column in zip(*tiles, strict=True)] for row in matrix]
    return [[_combine(row, line) for row in matrix] for line in half]


def _combine(row, tiles):
    terms = [tile if c == 1 else -tile if c == -1 else float(c) * tile for c, tile in zip(row, tiles, strict=True) if c]
    return sum(terms[1:], start=terms[0])


def _turned(kernel):
    """The kernel of the transposed convolution."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _bilinear(name: str, function, shape) -> Primitive:
    """A primitive for a product of two arrays, so that JAX differentiates it by our rules, as often as asked."""
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(function, static_argnames="chunk"))
    primitive.def_abstract_eval(lambda left, right, *, chunk: left.update(shape=shape(left, right), weak_type=False))
    mlir.register_lowering(primitive, mlir.lower_fun(function, multiple_results=False))

    def batched(arguments, axes, *, chunk):
        return jax.vmap(functools.partial(function, chunk=chunk), in_axes=tuple(axes))(*arguments), 0

    batching.primitive_batchers[primitive] = batched
    return primitive


_convolve_p = _bilinear("winograd_conv", _convolve, lambda x, w: (*x.shape[:3], w.shape[3]))
_gradient_p = _bilinear("winograd_conv_gradient", _gradient, lambda x, y: (3, 3, x.shape[3], y.shape[3]))
# Each is linear in either argument, and what the one is transposed to is the other, or itself.
ad.defbilinear(
    _convolve_p,
    lambda cotangent, _, kernel, chunk: _convolve_p.bind(cotangent, _turned(kernel), chunk=chunk),
    lambda cotangent, inputs, _, chunk: _gradient_p.bind(inputs, cotangent, chunk=chunk),
)
ad.defbilinear(
    _gradient_p,
    lambda kernel, _, outputs, chunk: _convolve_p.bind(outputs, _turned(kernel), chunk=chunk),
    lambda kernel, inputs, _, chunk: _convolve_p.bind(inputs, kernel, chunk=chunk),
)
