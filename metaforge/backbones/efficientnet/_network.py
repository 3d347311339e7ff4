"""EfficientNet as a flax module: inverted residual blocks, with or without squeeze-and-excitation."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from metaforge.backbones._convolution import patches_conv
from metaforge.backbones._head import Head, make_head
from metaforge.backbones.efficientnet._depthwise import DepthwiseForm, lax_conv, pads_of, shifts_conv
from metaforge.backbones.efficientnet._fusion import Fusion, packed, unpacked
from metaforge.backbones.efficientnet._layers import (
    INIT,
    EfficientNetNormalisation,
    activation,
    computed_in,
    normalised,
    pointwise,
)
from metaforge.backbones.efficientnet._plan import Plan, Stage
from metaforge.types import Outputs


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
        activate, norm = activation(self.plan), functools.partial(normalised, self.plan, self.normalisation)
        if stage.expansion != 1:
            hidden = pointwise(self.plan, self.width, "expand")(hidden)
            hidden = activate(norm("expand_norm", hidden, rows))
        hidden = Depthwise(stage.kernel, self.stride, self.form, self.plan, name="depthwise")(hidden)
        hidden = activate(norm("depthwise_norm", hidden, rows))
        if self.plan.squeeze:
            few = max(1, int(channels * self.plan.squeeze))
            dense = functools.partial(nn.Dense, kernel_init=INIT, dtype=computed_in(self.plan))
            gate = activate(dense(few, name="squeeze")(jnp.mean(hidden, (1, 2), keepdims=True)))
            hidden = hidden * nn.sigmoid(dense(hidden.shape[-1], name="excite")(gate))
        hidden = norm("project_norm", pointwise(self.plan, stage.features, "project")(hidden), rows)
        return hidden + inputs if self.stride == 1 and channels == stage.features else hidden


class Trunk(nn.Module):
    """The first parts of a plan alone. Their parameters have the names that they have in the whole."""

    plan: Plan
    parts: int
    normalisation: EfficientNetNormalisation = "frozen"
    form: DepthwiseForm = "auto"

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """What the part after the last one would be given; of a plan with fusion also what is fused, packed."""
        plan = self.plan
        maps = _handed(self, _centred(plan, images), images.shape[0], 0, self.parts, plan.fused)
        return packed(maps) if plan.fused else maps[0]


class Maps(nn.Module):
    """What chosen blocks of a plan hand on, the first being block 0; what comes after the last of them is not run."""

    plan: Plan
    blocks: tuple[int, ...]
    form: DepthwiseForm = "auto"

    @nn.compact
    def __call__(self, images: jax.Array) -> tuple[jax.Array, ...]:
        """Their maps, `(examples, height, width, channels)` each, in the order of the network."""
        hidden, end = _centred(self.plan, images), self.blocks[-1] + 2
        return tuple(_handed(self, hidden, images.shape[0], 0, end, self.blocks))


class EfficientNet(nn.Module):
    """Stem, blocks, top and head of a plan. See `efficientnet_lite0`.

    With `done` parts it takes what these have made of the images, and has no parameters for them. Of a plan with fusion
    it then has to know the side of the images in pixels.
    """

    plan: Plan
    num_classes: int = 2
    normalisation: EfficientNetNormalisation = "frozen"
    form: DepthwiseForm = "auto"
    neck: int = 0
    head: Head = "linear"
    done: int = 0
    side: int = 0

    @nn.compact
    def __call__(self, inputs: jax.Array, context: jax.Array | None = None) -> Outputs:
        """Scores `inputs`, images `(examples, height, width, 3)`, uint8 or floating point in [0, 1]."""
        # Under "support" the support rows go first through every layer and lend their statistics to all rows.
        plan, hidden, rows = self.plan, self._taken(inputs), inputs.shape[0]
        if context is not None and self.normalisation == "support":
            hidden, rows = jnp.concatenate([self._taken(context), hidden]), context.shape[0]
        maps = []
        if plan.fused and self.done:
            *maps, hidden = unpacked(plan, hidden, self.done, self.side)
            maps += [hidden] if self.done - 2 in plan.fused else []
        maps += _handed(self, hidden, rows, self.done, len(plan.parts), plan.fused)
        embeddings = Fusion(plan, self.normalisation, name="fusion")(maps, rows).embedding if plan.fused else maps[0]
        embeddings = embeddings[embeddings.shape[0] - inputs.shape[0] :]
        if self.neck:
            embeddings = nn.Dense(self.neck, name="neck")(embeddings)
        return Outputs(make_head(self.head, self.num_classes, name="head")(embeddings), embeddings)

    def _taken(self, inputs: jax.Array) -> jax.Array:
        # Kept maps may have half precision; nothing is computed in it.
        return inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32)) if self.done else _centred(self.plan, inputs)


def _handed(
    module: EfficientNet | Trunk | Maps, hidden: jax.Array, rows: int, begin: int, end: int, blocks: tuple[int, ...]
) -> list[jax.Array]:
    """What these blocks among the parts hand on, and behind that what the last part does, unless it is one of them."""
    maps = []
    for block in blocks:
        # The stem is part 0.
        if begin < block + 2 <= end:
            hidden, begin = _parts(module, hidden, rows, begin, block + 2), block + 2
            maps.append(hidden)
    return maps if blocks and begin == end else [*maps, _parts(module, hidden, rows, begin, end)]


def _parts(module: EfficientNet | Trunk | Maps, hidden: jax.Array, rows: int, begin: int, end: int) -> jax.Array:
    """The parts from `begin` up to `end` of a plan, in the scope of the module that calls."""
    plan, form = module.plan, module.form
    kind = "frozen" if isinstance(module, Maps) else module.normalisation
    if form == "auto":
        form = "shifts" if jax.default_backend() == "cpu" else "lax"
    activate = activation(plan)
    for part, name in list(enumerate(plan.parts))[begin:end]:
        if name == "stem":
            convolve = patches_conv if form == "shifts" else jax.lax.conv_general_dilated
            stem = nn.Conv(
                plan.stem, (3, 3), 2, pads_of(plan.padding, 3), use_bias=False, kernel_init=INIT,
                conv_general_dilated=convolve, dtype=computed_in(plan), name=name,
            )  # fmt: skip
            hidden = activate(normalised(plan, kind, "stem_norm", stem(hidden), rows))
        elif name == "top":
            hidden = activate(normalised(plan, kind, "top_norm", pointwise(plan, plan.top, name)(hidden), rows))
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
        pads, dtype = pads_of(self.plan.padding, self.side), computed_in(self.plan)
        if dtype is None:
            return (shifts_conv if self.form == "shifts" else lax_conv)(inputs, kernel, self.stride, pads)
        inputs, kernel = inputs.astype(dtype), kernel.astype(dtype)
        if self.form == "lax":
            return lax_conv(inputs, kernel, self.stride, pads)
        # A sum in half precision would round each of its terms; convolutions and products sum in single.
        wide = jnp.promote_types(dtype, jnp.float32)
        return shifts_conv(inputs.astype(wide), kernel.astype(wide), self.stride, pads).astype(dtype)


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
