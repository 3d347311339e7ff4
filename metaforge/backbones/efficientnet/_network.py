"""EfficientNet as a flax module: inverted residual blocks, with or without squeeze-and-excitation."""

import functools
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from metaforge.backbones._convolution import patches_conv
from metaforge.backbones._head import Head, make_head
from metaforge.backbones._normalisation import EpisodicBatchNorm
from metaforge.backbones.efficientnet._depthwise import DepthwiseForm, lax_conv, pads_of, shifts_conv
from metaforge.backbones.efficientnet._plan import Plan, Stage
from metaforge.types import Outputs

EfficientNetNormalisation = Literal["frozen", "support", "episode", "group"]
"""Whose statistics normalise an image: "frozen" those of the data that the weights were trained on, which stand in the
parameters and never move; the others as in `metaforge.backbones.Normalisation`."""

# The published initialisation of convolutions.
_INIT = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class FrozenNorm(nn.Module):
    r"""$y = \gamma\,(x - \mu)/\sqrt{v + \epsilon} + \beta$ with $\mu$ and $v$ that no gradient reaches."""

    epsilon: float

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Normalises every channel."""
        channels, zeros, ones = inputs.shape[-1:], nn.initializers.zeros, nn.initializers.ones
        scale, bias = self.param("scale", ones, channels), self.param("bias", zeros, channels)
        mean, variance = self.param("mean", zeros, channels), self.param("variance", ones, channels)
        mean, variance = jax.lax.stop_gradient((mean, variance))
        gain = scale / jnp.sqrt(variance + self.epsilon)
        return inputs * gain.reshape(1, 1, 1, -1) + (bias - mean * gain).reshape(1, 1, 1, -1)


class Block(nn.Module):
    """Channels are added, each convolved by itself, and taken away again; what went in is added if it has the shape."""

    stage: Stage
    stride: int
    width: int
    plan: Plan
    normalisation: EfficientNetNormalisation
    form: DepthwiseForm

    @nn.compact
    def __call__(self, inputs: jax.Array, rows: int) -> jax.Array:
        """One inverted residual; `rows` is how many leading examples may lend statistics."""
        stage, channels, hidden = self.stage, inputs.shape[-1], inputs
        activate, norm = _activation(self.plan), functools.partial(_normalised, self.plan, self.normalisation)
        if stage.expansion != 1:
            hidden = _pointwise(self.plan, self.width, "expand")(hidden)
            hidden = activate(norm("expand_norm", hidden, rows))
        hidden = Depthwise(stage.kernel, self.stride, self.form, self.plan, name="depthwise")(hidden)
        hidden = activate(norm("depthwise_norm", hidden, rows))
        if self.plan.squeeze:
            few = max(1, int(channels * self.plan.squeeze))
            dense = functools.partial(nn.Dense, kernel_init=_INIT, dtype=_computed_in(self.plan))
            gate = activate(dense(few, name="squeeze")(jnp.mean(hidden, (1, 2), keepdims=True)))
            hidden = hidden * nn.sigmoid(dense(hidden.shape[-1], name="excite")(gate))
        hidden = norm("project_norm", _pointwise(self.plan, stage.features, "project")(hidden), rows)
        return hidden + inputs if self.stride == 1 and channels == stage.features else hidden


class Trunk(nn.Module):
    """The first parts of a plan alone. Their parameters have the names that they have in the whole."""

    plan: Plan
    parts: int
    normalisation: EfficientNetNormalisation = "frozen"
    form: DepthwiseForm = "auto"

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """What the part after the last one would be given."""
        return _parts(self, _centred(self.plan, images), images.shape[0], 0, self.parts)


class Maps(nn.Module):
    """What chosen blocks of a plan hand on, the first being block 0; what comes after the last of them is not run."""

    plan: Plan
    blocks: tuple[int, ...]
    form: DepthwiseForm = "auto"

    @nn.compact
    def __call__(self, images: jax.Array) -> tuple[jax.Array, ...]:
        """Their maps, `(examples, height, width, channels)` each, in the order of the network."""
        hidden, done, maps = _centred(self.plan, images), 0, []
        for block in self.blocks:
            # The stem is part 0.
            hidden, done = _parts(self, hidden, images.shape[0], done, block + 2), block + 2
            maps.append(hidden)
        return tuple(maps)


class EfficientNet(nn.Module):
    """Stem, blocks, top and head of a plan. See `efficientnet_lite0`.

    With `done` parts it takes what these have made of the images, and has no parameters for them.
    """

    plan: Plan
    num_classes: int = 2
    normalisation: EfficientNetNormalisation = "frozen"
    form: DepthwiseForm = "auto"
    neck: int = 0
    head: Head = "linear"
    done: int = 0

    @nn.compact
    def __call__(self, inputs: jax.Array, context: jax.Array | None = None) -> Outputs:
        """Scores `inputs`, images `(examples, height, width, 3)`, uint8 or floating point in [0, 1]."""
        # Under "support" the support rows go first through every layer and lend their statistics to all rows.
        hidden, rows = self._taken(inputs), inputs.shape[0]
        if context is not None and self.normalisation == "support":
            hidden, rows = jnp.concatenate([self._taken(context), hidden]), context.shape[0]
        hidden = _parts(self, hidden, rows, self.done, len(self.plan.parts))
        embeddings = hidden[hidden.shape[0] - inputs.shape[0] :]
        if self.neck:
            embeddings = nn.Dense(self.neck, name="neck")(embeddings)
        return Outputs(make_head(self.head, self.num_classes, name="head")(embeddings), embeddings)

    def _taken(self, inputs: jax.Array) -> jax.Array:
        # Kept maps may have half precision; nothing is computed in it.
        return inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32)) if self.done else _centred(self.plan, inputs)


def _parts(module: EfficientNet | Trunk | Maps, hidden: jax.Array, rows: int, begin: int, end: int) -> jax.Array:
    """The parts from `begin` up to `end` of a plan, in the scope of the module that calls."""
    plan, form = module.plan, module.form
    kind = "frozen" if isinstance(module, Maps) else module.normalisation
    if form == "auto":
        form = "shifts" if jax.default_backend() == "cpu" else "lax"
    activate = _activation(plan)
    for part, name in list(enumerate(plan.parts))[begin:end]:
        if name == "stem":
            convolve = patches_conv if form == "shifts" else jax.lax.conv_general_dilated
            stem = nn.Conv(
                plan.stem, (3, 3), 2, pads_of(plan.padding, 3), use_bias=False, kernel_init=_INIT,
                conv_general_dilated=convolve, dtype=_computed_in(plan), name=name,
            )  # fmt: skip
            hidden = activate(_normalised(plan, kind, "stem_norm", stem(hidden), rows))
        elif name == "top":
            hidden = activate(_normalised(plan, kind, "top_norm", _pointwise(plan, plan.top, name)(hidden), rows))
            hidden = jnp.mean(hidden, axis=(1, 2))
        else:
            stage, stride = plan.blocks[part - 1]
            hidden = Block(stage, stride, plan.widths[part - 1], plan, kind, form, name=name)(hidden, rows)
    return hidden


class Depthwise(nn.Module):
    """A convolution of each channel by itself."""

    side: int
    stride: int
    form: DepthwiseForm
    plan: Plan

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Convolves, to as many pixels for every stride of either padding."""
        init = nn.initializers.normal((2 / self.side**2) ** 0.5)
        kernel = self.param("kernel", init, (self.side, self.side, inputs.shape[-1]))
        pads, dtype = pads_of(self.plan.padding, self.side), _computed_in(self.plan)
        if dtype is None:
            return (shifts_conv if self.form == "shifts" else lax_conv)(inputs, kernel, self.stride, pads)
        inputs, kernel = inputs.astype(dtype), kernel.astype(dtype)
        if self.form == "lax":
            return lax_conv(inputs, kernel, self.stride, pads)
        # A sum in half precision would round each of its terms; convolutions and products sum in single.
        wide = jnp.promote_types(dtype, jnp.float32)
        return shifts_conv(inputs.astype(wide), kernel.astype(wide), self.stride, pads).astype(dtype)


def _normalised(plan: Plan, kind: EfficientNetNormalisation, name: str, inputs: jax.Array, rows: int) -> jax.Array:
    """One of the normalisations by name; `rows` is how many leading examples may lend statistics."""
    if kind == "frozen":
        return FrozenNorm(plan.epsilon, name=name)(inputs)
    if kind == "group":
        groups = max(g for g in range(1, 9) if inputs.shape[-1] % g == 0)
        return nn.GroupNorm(num_groups=groups, epsilon=plan.epsilon, name=name)(inputs)
    return EpisodicBatchNorm(plan.epsilon, name=name)(inputs, rows)


def _pointwise(plan: Plan, features: int, name: str) -> nn.Dense:
    # A 1x1 convolution is a matrix product, and as such fast under `vmap` over tasks too.
    return nn.Dense(features, use_bias=False, kernel_init=_INIT, dtype=_computed_in(plan), name=name)


def _computed_in(plan: Plan):
    """The type of products; `None` for that of their inputs. What is normalised is float32 again, by its statistics."""
    return jnp.bfloat16 if plan.precision == "bfloat16" else None


def _activation(plan: Plan):
    return nn.relu6 if plan.activation == "relu6" else nn.swish


def _centred(plan: Plan, images: jax.Array) -> jax.Array:
    """Images as the network was trained on them."""
    if min(images.shape[1:3]) < 32 or images.shape[-1] != 3:
        raise ValueError(f"efficientnet takes RGB images of 32 pixels or more, got {images.shape[1:]}.")
    if jnp.issubdtype(images.dtype, jnp.integer):
        images = images.astype(jnp.float32)
    else:
        images = 255.0 * images
    mean, deviation = (jnp.asarray(part, images.dtype).reshape(1, 1, 1, 3) for part in (plan.mean, plan.deviation))
    return (images - mean) / deviation
