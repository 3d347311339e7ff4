"""Conv4: the four-block convolutional network of MAML and DAML."""

import functools
from typing import Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from metaforge.backbones._convolution import patches_conv
from metaforge.backbones._flax import from_flax
from metaforge.backbones._head import Head, check_head, head_of, make_head
from metaforge.backbones._normalisation import Normalisation, Normalise, check_normalisation
from metaforge.backbones._winograd import winograd_conv
from metaforge.types import Backbone, Convolution, Outputs

Precision = Literal["float32", "bfloat16"]
"""What convolutions compute in. Parameters, statistics, the head, losses and gradients of parameters stay float32."""


class Conv4(nn.Module):
    """Four blocks of 3x3 convolution, normalisation, ReLU and 2x2 max-pooling, then a linear head. See `conv4`."""

    num_classes: int = 2
    width: int = 64
    normalisation: Normalisation = "support"
    convolution: Convolution = "auto"
    precision: Precision = "float32"
    neck: int = 0
    head: Head = "linear"

    @nn.compact
    def __call__(self, inputs: jax.Array, context: jax.Array | None = None) -> Outputs:
        """Scores `inputs`, images `(examples, height, width, channels)`, uint8 or floating point in [0, 1]."""
        if min(inputs.shape[1:3]) < 16:
            raise ValueError(f"conv4 pools four times: images must be 16 pixels or more, got {inputs.shape[1:3]}.")
        # Under "support" the support rows go first through every layer and lend their statistics to all rows.
        images, rows = _centred(inputs), inputs.shape[0]
        if context is not None and self.normalisation == "support":
            images, rows = jnp.concatenate([_centred(context), images]), context.shape[0]
        convolve, kind = _convolution(self.convolution), jnp.dtype(self.precision)
        hidden = images.astype(kind) if self.precision == "bfloat16" else images
        for _ in range(4):
            # A bias before batch statistics would be subtracted again at once.
            bias = self.normalisation in ("group", "none")
            dtype = kind if self.precision == "bfloat16" else None
            hidden = nn.Conv(self.width, (3, 3), use_bias=bias, conv_general_dilated=convolve, dtype=dtype)(hidden)
            hidden = Normalise(self.normalisation)(hidden, rows)
        hidden = hidden.astype(jnp.promote_types(hidden.dtype, jnp.float32))
        embeddings = hidden.reshape(hidden.shape[0], -1)[images.shape[0] - inputs.shape[0] :]
        if self.neck:
            embeddings = nn.Dense(self.neck, name="neck")(embeddings)
        return Outputs(make_head(self.head, self.num_classes, name="head")(embeddings), embeddings)


def conv4(
    *,
    num_classes: int = 2,
    width: int = 64,
    normalisation: Normalisation = "support",
    convolution: Convolution = "auto",
    precision: Precision = "float32",
    neck: int = 0,
    head: Head = "linear",
) -> Backbone:
    """The paper's backbone: four blocks of 3x3 convolution, normalisation, ReLU, 2x2 max-pooling, and a linear head.

    Images may have any size from 16 pixels up, 3 channels or another number, uint8 in [0, 255] or floating point in
    [0, 1]; the head's size follows the images that `init` sees.

    Args:
        num_classes: how many logits; 2 for real and fake.
        width: filters in every convolution: 64 as published, 32 in MAML's miniImageNet.
        normalisation: whose statistics normalise an image: "episode" as published, "support", "group" or "none";
            see `metaforge.backbones.Normalisation`.
        convolution: "auto", "lax", "patches" or "winograd": how it is computed; the numbers agree but for rounding.
        precision: "float32", or "bfloat16" for convolutions with half the bytes and 8 bits of mantissa: faster on
            accelerators with matrix units for it, slower on most CPUs.
        neck: the size of an affine map before the head, 0 for none. Outliers want few dimensions.
        head: "linear", as published, "quadratic" or "mlp"; see `metaforge.backbones.Head`.

    Returns:
        A `Backbone` whose embeddings are the flattened features before the head, or the neck's.

    Raises:
        ValueError: for an unknown normalisation, convolution, precision or head; when used, for images under 16 pixels.

    Example:
        >>> model = conv4(width=4)
        >>> params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
        >>> jax.jit(model.apply)(params, jnp.zeros((5, 16, 16, 3))).logits.shape
        (5, 2)

    References:
        Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, ICML 2017,
        section 5.2. Jin and Tan, *Difficulty-Aware Meta-Learning for Cross-Domain Face Forgery Detection*,
        section 3.1.3.
    """
    check_normalisation(normalisation)
    if convolution not in get_args(Convolution):
        raise ValueError(f"unknown `convolution` {convolution!r}; known: {', '.join(get_args(Convolution))}.")
    if precision not in get_args(Precision):
        raise ValueError(f"unknown `precision` {precision!r}; known: {', '.join(get_args(Precision))}.")
    check_head(head)
    return _backbone(num_classes, width, normalisation, convolution, precision, neck, head)


@functools.lru_cache(maxsize=64)
def _backbone(
    num_classes: int, width: int, normalisation: Normalisation, convolution: Convolution, precision: Precision,
    neck: int, head: Head,
) -> Backbone:  # fmt: skip
    # Equal settings give the same functions, and with them each other's compiled programs.
    module = Conv4(num_classes, width, normalisation, convolution, precision, neck, head)
    return from_flax(module, head=head_of(head, num_classes))


def _convolution(kind: Convolution):
    if kind == "auto":
        kind = "winograd" if jax.default_backend() == "cpu" else "lax"
    return {"patches": patches_conv, "winograd": winograd_conv, "lax": jax.lax.conv_general_dilated}[kind]


def _centred(images: jax.Array) -> jax.Array:
    """Images as floating point in [-1, 1]."""
    if jnp.issubdtype(images.dtype, jnp.integer):
        images = images.astype(jnp.float32) / 255.0
    return 2.0 * images - 1.0
