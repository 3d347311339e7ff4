"""What a network costs on paper: its parameters, and the multiply-adds of one image."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from metaforge.backbones import choice
from metaforge.backbones.clip_model.config import vision_config
from metaforge.backbones.efficientnet._plan import Plan
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.errors import InputError

_STATISTICS = ("mean", "variance", "standardise")


class Costs(NamedTuple):
    """Of one network.

    Attributes:
        parameters: numbers that training may move: statistics of normalisations, and of levels, are none.
        multiply_adds: of all convolutions and products for one image. Twice as many are floating-point operations.
    """

    parameters: int
    multiply_adds: int


def costs(spec: BackboneSpec) -> Costs:
    r"""Counts the parameters of a network and its multiply-adds.

    A convolution of a $k \times k$ kernel to $h \times w \times c'$ from $c$ channels in $g$ groups counts
    $h w c' k^2 c / g$, also where the kernel reaches beyond the image. Normalisations are no part: an engine folds them
    into convolutions. Nor are activations, means and deviations, which are some hundredths beside. A block of CLIP's
    with $t$ tokens of $d$ numbers counts $t\,(4 + 2m)\,d^2$ for its matrices, the hidden layer being $m$ times as wide,
    and $2 t^2 d$ for its attention.

    Args:
        spec: its `image_size` counts.

    Returns:
        `Costs`.

    Raises:
        InputError: for depths that are fused.

    Example:
        >>> costs(BackboneSpec(image_size=84, width=32))
        Costs(parameters=30370, multiply_adds=27340864)
    """
    if spec.fusion:
        raise InputError("model: the costs of fused depths are not counted. Those of an efficientnet alone are.")
    shapes = choice.shapes(spec.alone())
    last = sum(
        leaf.size for name in ("neck", "head") for leaf in jax.tree.leaves(shapes.get(name, {})) if leaf.ndim > 1
    )
    counted = {"conv4": _conv4, "clip": _clip}.get(spec.backbone, _efficientnet)
    beside = sum(_clip(spec)) if spec.clip_levels else 0
    return Costs(_parameters(shapes), sum(counted(spec)) + beside + last)


def _parameters(shapes: Any) -> int:
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    return sum(leaf.size for path, leaf in leaves if not any(getattr(key, "key", "") in _STATISTICS for key in path))


def _conv4(spec: BackboneSpec) -> Iterator[int]:
    side, channels = spec.image_size, 3
    for _ in range(4):
        yield side * side * 9 * channels * spec.width
        side, channels = side // 2, spec.width


def _clip(spec: BackboneSpec) -> Iterator[int]:
    config = vision_config(spec.variant)
    patches, width = (spec.image_size // config.patch_size) ** 2, config.width
    yield patches * 3 * config.patch_size**2 * width
    tokens = patches + 1
    yield config.layers * (tokens * (4 + 2 * config.mlp_ratio) * width**2 + 2 * tokens**2 * width)


def _efficientnet(spec: BackboneSpec) -> Iterator[int]:
    assert spec.backbone in EFFICIENTNETS
    plan = choice.plan(spec)
    end = choice.numbers(spec.levels)[-1] + 1 if spec.levels else len(plan.blocks)
    side = -(-spec.image_size // 2)
    yield side * side * 9 * 3 * plan.stem
    for number in range(end):
        yield block(plan, number, side)
        side = -(-side // plan.blocks[number][1])
    if not spec.levels:
        yield side * side * plan.blocks[-1][0].features * plan.top


def block(plan: Plan, number: int, side: int) -> int:
    """The multiply-adds of one block for maps of so many pixels a side.

    Example:
        >>> from metaforge.backbones.efficientnet._plan import LITE0
        >>> block(LITE0, 0, 112) == 112 * 112 * 32 * (9 + 16)
        True
    """
    (stage, stride), width = plan.blocks[number], plan.widths[number]
    entering = plan.blocks[number - 1][0].features if number else plan.stem
    out = -(-side // stride)
    expand = 0 if stage.expansion == 1 else side * side * entering * width
    few = max(1, int(entering * plan.squeeze)) if plan.squeeze else 0
    return expand + out * out * width * (stage.kernel**2 + stage.features) + 2 * few * width
