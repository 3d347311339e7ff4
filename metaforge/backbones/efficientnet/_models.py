"""The members of the family as backbones."""

import functools
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal, cast, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from metaforge.backbones._flax import from_flax
from metaforge.backbones._head import Head, check_head, head_of, make_head
from metaforge.backbones.efficientnet._depthwise import DepthwiseForm
from metaforge.backbones.efficientnet._fusion import Fusion
from metaforge.backbones.efficientnet._layers import EfficientNetNormalisation
from metaforge.backbones.efficientnet._network import EfficientNet, Trunk
from metaforge.backbones.efficientnet._plan import LITE0, Plan, Precision, fused
from metaforge.backbones.efficientnet._pretrained import PACKAGES, fill, load_weights
from metaforge.errors import InputError
from metaforge.types import Backbone, Params

HeadInit = Literal["lecun", "zeros", "pretrained"]
"""How the head begins."""


def efficientnet_lite0(
    *,
    num_classes: int = 2,
    pretrained: bool | str | Path = True,
    normalisation: EfficientNetNormalisation = "frozen",
    depthwise: DepthwiseForm = "auto",
    neck: int = 0,
    head: Head = "linear",
    head_init: HeadInit = "lecun",
    precision: Precision = "float32",
    fusion: tuple[int, ...] = (),
    fusion_width: int = 64,
) -> Backbone:
    r"""EfficientNet-Lite0 with the weights of ImageNet: 3.4 million parameters before the head, 75% on ImageNet.

    A stem, 16 inverted residual blocks $y = x + W_2\, \phi(N(D * \phi(N(W_1 x))))$ with 1x1 convolutions $W$,
    depthwise convolutions $D$, normalisations $N$ and $\phi(x) = \min(\max(x, 0), 6)$, and a 1x1 convolution to 1,280
    channels, whose means over the image are the embedding.

    Images are `(examples, height, width, 3)`, RGB, of any size from 32 pixels up, uint8 in [0, 255] or floating point
    in [0, 1]; the weights were trained at 224. The network subtracts 127 / 255 and divides by 128 / 255 itself.

    Dropout and stochastic depth are left out: a backbone is a function of its parameters and inputs.

    Args:
        num_classes: how many logits; 2 for real and fake.
        pretrained: `True` for the weights of the extra `pretrained`, read when `init` is called and not before; a
            path to a `.pth` file with the same names; `False` for random weights.
        normalisation: "frozen" (by the statistics that came with the weights: leaves `mean` and `variance`, which get
            no gradient; keep weight decay from them), "support", "episode", or "group" (not with pretrained weights).
            Without pretrained weights "frozen" normalises nothing, and is only for parameters that are put in later.
        depthwise: "auto", "lax" or "shifts": how it is computed; the numbers agree but for rounding.
        neck: the size of an affine map before the head, 0 for none.
        head: "linear", "quadratic" or "mlp"; see `metaforge.backbones.Head`.
        head_init: "lecun", at random; "zeros", equal scores for all classes; or "pretrained", the file's head, for the
            1,000 classes of ImageNet.
        precision: "float32", or "bfloat16" for products with half the bytes and 8 bits of mantissa; parameters, their
            gradients, normalisations and what the head sees stay float32.
        fusion: blocks, two or more, whose maps are fused in place of what comes after the last of them, such as
            (3, 8, 14); () for none. Weights depend on the image (`metaforge.backbones.depths.depth_weights` tells
            them), and begin equal.
        fusion_width: channels to which they are projected; the embedding has as many numbers.

    Returns:
        A `Backbone` whose embeddings are the 1,280 features before the head, the fused ones, or the neck's.

    Raises:
        ValueError: for an unknown name, or a combination that has no meaning; when used, for images under 32 pixels.
        InputError: from `init`, if the weights are not installed or not these.

    Example:
        >>> model = efficientnet_lite0(pretrained=False)
        >>> images = jnp.zeros((5, 32, 32, 3))
        >>> jax.eval_shape(lambda key: model.apply(model.init(key, images), images), jax.random.key(0)).logits.shape
        (5, 2)

    References:
        Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, ICML 2019, table 1.
        Li et al., *Selective Kernel Networks*, CVPR 2019, section 3.1, of `fusion`.
        Liu, *Higher accuracy on vision models with EfficientNet-Lite*, TensorFlow Blog, March 2020.
        Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, CVPR 2018, section 3.
    """
    return assemble(
        fused(LITE0, fusion, fusion_width)._replace(precision=precision),
        num_classes=num_classes,
        pretrained=pretrained,
        normalisation=normalisation,
        depthwise=depthwise,
        neck=neck,
        head=head,
        head_init=head_init,
    )


def assemble(
    plan: Plan,
    *,
    num_classes: int = 2,
    pretrained: bool | str | Path = False,
    normalisation: str = "frozen",
    depthwise: str = "auto",
    neck: int = 0,
    head: str = "linear",
    head_init: str = "lecun",
) -> Backbone:
    """The backbone of any plan; its arguments are those of `efficientnet_lite0`."""
    for name, value, known in (
        ("normalisation", normalisation, EfficientNetNormalisation),
        ("depthwise", depthwise, DepthwiseForm),
        ("head_init", head_init, HeadInit),
        ("precision", plan.precision, Precision),
    ):
        if value not in get_args(known):
            raise ValueError(f"unknown `{name}` {value!r}; known: {', '.join(get_args(known))}.")
    check_head(head)
    if pretrained is not False and normalisation == "group":
        raise ValueError("the pretrained weights were not trained with groups: take another `normalisation`.")
    file_head = (num_classes, neck, head, plan.fused) == (1000, 0, "linear", ())
    if head_init == "pretrained" and (pretrained is False or not file_head):
        raise ValueError(
            "head_init='pretrained' needs pretrained weights, num_classes=1000, no neck or fusion and a linear head."
        )
    return _backbone(plan, num_classes, pretrained, normalisation, depthwise, neck, head, head_init)


@functools.lru_cache(maxsize=64)
def _backbone(plan, num_classes, pretrained, normalisation, depthwise, neck, head, head_init) -> Backbone:
    # Equal settings give the same functions, and with them each other's compiled programs.
    network = EfficientNet(plan, num_classes, normalisation, depthwise, neck, head)
    module = from_flax(network, head=head_of(head, num_classes))

    def last_parts(key):
        of_neck, of_head = jax.random.split(key)
        parts = {"neck": nn.Dense(neck).init(of_neck, jnp.zeros((1, plan.size)))["params"]} if neck else {}
        if plan.fused:
            maps = [jnp.zeros((1, 1, 1, plan.blocks[block][0].features)) for block in plan.fused]
            parts["fusion"] = Fusion(plan, normalisation).init(jax.random.fold_in(key, 0), maps, 1)["params"]
        made = make_head(head, num_classes).init(of_head, jnp.zeros((1, neck or plan.size)))["params"]
        return {**parts, "head": jax.tree.map(jnp.zeros_like, made) if head_init == "zeros" else made}

    def init(key, inputs):
        if pretrained is False:
            # Compiled, since only parameters are wanted and the forward pass then drops out.
            return {**jax.jit(module.init)(key, inputs), **jax.jit(last_parts)(key)}
        own = {} if head_init == "pretrained" else jax.jit(last_parts)(key)
        shapes = shapes_of(plan, num_classes, normalisation, neck, head)
        return {**filled(plan, shapes, pretrained, but=tuple(own)), **own}

    return module._replace(init=init)


def plan_params(
    plan: Plan,
    *,
    num_classes: int,
    normalisation: EfficientNetNormalisation,
    neck: int,
    head: Head,
    pretrained: bool | str | Path,
) -> Params:
    """The parameters of a plan's backbone as shapes; those that a file brings, if one is given, as its arrays."""
    shapes = shapes_of(plan, num_classes, normalisation, neck, head)
    return shapes | (filled(plan, shapes, pretrained, but=("fusion", "neck", "head")) if pretrained else {})


@functools.lru_cache(maxsize=64)
def shapes_of(plan: Plan, num_classes: int, normalisation: Any, neck: int, head: Head) -> Params:
    """Of all parameters. Tracing takes most of a second: once is enough, images of any size give the same."""
    network = EfficientNet(plan, num_classes, normalisation, "lax", neck, head)
    return jax.eval_shape(from_flax(network).init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))


def filled(plan: Plan, shapes: Params, pretrained: bool | str | Path, *, but: Collection[str]) -> Params:
    """A plan's parameters with the arrays of its file, or another one; without some first keys."""
    if pretrained is True and plan.name not in PACKAGES:
        raise InputError(f"weights: no package has those of {plan.name}. Give a file with them.")
    source = PACKAGES[plan.name] if pretrained is True else pretrained
    template = {name: part for name, part in shapes.items() if name not in but}
    return fill(template, load_weights(source), source, plan)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=64)
def trunk(plan: Plan, parts: int, *, depthwise: DepthwiseForm = "auto") -> Callable[[Params, Any], jax.Array]:
    """`trunk(params, images)`: what the first parts of a plan with frozen statistics make of images.

    Parameters are the whole's; what the trunk does not need it does not look at.
    """
    module = Trunk(plan, parts, "frozen", depthwise)
    return lambda params, images: cast(jax.Array, module.apply({"params": params}, jnp.asarray(images)))


@functools.lru_cache(maxsize=64)
def tail(
    plan: Plan,
    parts: int,
    *,
    num_classes: int,
    neck: int,
    head: Head,
    side: int = 0,
    depthwise: DepthwiseForm = "auto",
) -> Backbone:
    """The backbone that takes what `trunk` made, and has the parameters of the rest.

    Of a plan with fusion it needs the side of the images.
    """
    network = EfficientNet(plan, num_classes, "frozen", depthwise, neck, head, done=parts, side=side)
    return from_flax(network, head=head_of(head, num_classes))
