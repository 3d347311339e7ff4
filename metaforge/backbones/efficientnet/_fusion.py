r"""Fusion of depths: maps of shallow, middle and deep blocks as one vector, with weights that depend on the image.

Of block $d$ of $D$ comes a map $x_d$ of $n_d$ positions $p$. It is projected to the common width, pooled by a spatial
attention, and weighed against the other depths by a gate:

$$z_d = \phi(N(W_d x_d)), \qquad v_d = \sum_p a_d(p)\, z_d(p), \qquad
a_d = \mathrm{softmax}_p\Big(\frac{u_d^\top z_d(p)}{\sqrt{k}}\Big),$$

$$\mathrm{embedding} = \sum_d g_d\, v_d, \qquad
g = \mathrm{softmax}_d\Big(\frac{C\, [v_1; \ldots; v_D]}{\sqrt{D k}} + c\Big).$$

$W_d$ is a 1x1 convolution, $N$ the normalisation and $\phi$ the activation of the network. With statistics that came
with weights ("frozen") there are none for these new layers, so that an image normalises itself, in groups of channels.

- *Attention is a softmax over positions*, as in the context blocks of GCNet, and no gate between 0 and 1 of each
  position, as in CBAM: a softmax sums to 1, so that $v_d$ is a mean of positions whatever the size of the map, and with
  $u_d = 0$ the plain one. CBAM's 7x7 convolution is also wider than the maps of deep blocks.
- *The gate is a softmax over depths*, as the selection in SKNet, but one weight a depth and not one a channel, so that
  it can be shown what an image was judged by.
- *Sums are divided by the root of their length*, as in scaled dot-product attention. Activations are hardly ever below
  0, so that a step of Adam moves all terms one way: undivided, a gate was at 0.999 for one depth, whatever the image.
- *Depths are summed*, so that the embedding is as short as one depth's.

$u$, $C$ and $c$ begin at 0: all depths weigh the same, all positions too, and the embedding is the mean of the
average-pooled projections. Parameters, with $c_d$ channels in block $d$ and width $k$:
$\sum_d (c_d + 3)\, k + D^2 k + D$.

References:
    Li et al., *Selective Kernel Networks*, CVPR 2019, section 3.1.
    Cao et al., *GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond*, ICCV Workshops 2019.
    Woo et al., *CBAM: Convolutional Block Attention Module*, ECCV 2018, section 3.
    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, section 3.2.1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from metaforge.backbones.efficientnet._layers import EfficientNetNormalisation, activation, normalised, pointwise
from metaforge.backbones.efficientnet._plan import Plan


class Fused(NamedTuple):
    """What fusion makes of images.

    Attributes:
        embedding: `(images, width)`.
        weights: the gate, `(images, depths)`, which sums to 1.
        attention: of each depth where it looked, `(images, rows, columns)`, which sums to 1.
    """

    embedding: jax.Array
    weights: jax.Array
    attention: tuple[jax.Array, ...]


class Fusion(nn.Module):
    """Maps of the blocks that a plan fuses, as one vector an image."""

    plan: Plan
    normalisation: EfficientNetNormalisation = "frozen"

    @nn.compact
    def __call__(self, maps: Sequence[jax.Array], rows: int) -> Fused:
        """Fuses maps `(images, height, width, channels)`; `rows` is how many leading images may lend statistics."""
        plan, seen, attention = self.plan, [], []
        kind = fusion_kind(self.normalisation)
        for block, given in zip(plan.fused, maps, strict=True):
            projected = pointwise(plan, plan.fused_width, f"project{block}")(given)
            projected = activation(plan)(normalised(plan, kind, f"project{block}_norm", projected, rows))
            scores = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.zeros, name=f"attend{block}")(projected)
            found = _softmax(scores.reshape(len(scores), -1) / plan.fused_width**0.5).reshape(scores.shape[:3])
            attention.append(found)
            seen.append(jnp.einsum("nhw,nhwc->nc", found, projected))
        zeros = nn.initializers.zeros
        every = jnp.concatenate(seen, axis=-1)
        weights = _softmax(nn.Dense(len(seen), kernel_init=zeros, name="gate")(every / every.shape[-1] ** 0.5))
        return Fused(jnp.einsum("nd,dnc->nc", weights, jnp.stack(seen)), weights, tuple(attention))


def fusion_kind(normalisation: EfficientNetNormalisation) -> EfficientNetNormalisation:
    """Whose statistics normalise projections, in a network that is normalised so.

    Example:
        >>> fusion_kind("frozen"), fusion_kind("support")
        ('group', 'support')
    """
    return "group" if normalisation == "frozen" else normalisation


def _softmax(scores: jax.Array) -> jax.Array:
    """Along the last axis, in single precision at least."""
    return jax.nn.softmax(scores.astype(jnp.promote_types(scores.dtype, jnp.float32)), axis=-1).astype(scores.dtype)


def packed(maps: Sequence[jax.Array]) -> jax.Array:
    """Maps as one row an image, so that they can be kept like any features."""
    return jnp.concatenate([part.reshape(len(part), -1) for part in maps], axis=-1)


def unpacked(plan: Plan, rows: jax.Array, done: int, side: int) -> list[jax.Array]:
    """The maps again that a trunk of `done` parts packed of square images: those that are fused, and the last one.

    Example:
        >>> from metaforge.backbones.efficientnet._plan import LITE0
        >>> plan, shapes = LITE0._replace(fused=(0, 3)), lambda maps: [part.shape[1:] for part in maps]
        >>> shapes(unpacked(plan, jnp.zeros((1, 16 * 16 * 16 + 8 * 8 * 24)), 3, 32))  # the stem, blocks 0 and 1
        [(16, 16, 16), (8, 8, 24)]
    """
    made, found = [(-(-side // 2), plan.stem)], []
    for stage, stride in plan.blocks[: done - 1]:
        made.append((-(-made[-1][0] // stride), stage.features))
    kept = [block + 1 for block in plan.fused if block + 2 < done] + [done - 1]
    sizes = [made[part][0] ** 2 * made[part][1] for part in kept]
    for part, begin, size in zip(kept, [sum(sizes[:n]) for n in range(len(sizes))], sizes, strict=True):
        side, channels = made[part]
        found.append(rows[:, begin : begin + size].reshape(len(rows), side, side, channels))
    return found
