"""What a network costs on paper: its parameters, and the multiply-adds of one image."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from metaforge.backbones import choice
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
    into convolutions. Nor are activations, means and deviations, which are some hundredths beside.

    Args:
        spec: of "conv4" or an efficientnet; its `image_size` counts.

    Returns:
        `Costs`.

    Raises:
        InputError: for CLIP, alone or beside another, or depths that are fused.

    Example:
        >>> costs(BackboneSpec(image_size=84, width=32))
        Costs(parameters=30370, multiply_adds=27340864)
    """
    if spec.fusion:
        raise InputError("model: the costs of fused depths are not counted. Those of an efficientnet alone are.")
    if spec.backbone == "clip" or spec.clip_levels:
        raise InputError("model: the costs of CLIP are not counted. Those of conv4 and efficientnets are.")
    shapes = choice.shapes(spec.alone())
    last = sum(
        leaf.size for name in ("neck", "head") for leaf in jax.tree.leaves(shapes.get(name, {})) if leaf.ndim > 1
    )
    convolutions = _conv4(spec) if spec.backbone == "conv4" else _efficientnet(spec)
    return Costs(_parameters(shapes), sum(convolutions) + last)


def _parameters(shapes: Any) -> int:
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    return sum(leaf.size for path, leaf in leaves if not any(getattr(key, "key", "") in _STATISTICS for key in path))


def _conv4(spec: BackboneSpec) -> Iterator[int]:
    side, channels = spec.image_size, 3
    for _ in range(4):
        yield side * side * 9 * channels * spec.width
        side, channels = side // 2, spec.width


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
