"""Levels of EfficientNet."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from metaforge.backbones.efficientnet._depthwise import DepthwiseForm
from metaforge.backbones.efficientnet._maps import maps, maps_params
from metaforge.backbones.efficientnet._plan import LITE0, LITE1, LITE2, Convention, Plan
from metaforge.backbones.efficientnet._squeezed import settled_plan
from metaforge.backbones.levels._made import Levels, checked, mean_and_deviation
from metaforge.types import Params

LITE0_BLOCKS = (2, 4, 6, 8, 10, 12, 14)
"""Blocks of EfficientNet-Lite0 that are taken by default: every second one, 752 channels in all."""

LITE1_BLOCKS = LITE2_BLOCKS = tuple(range(0, 21, 2))
"""Those of the larger ones: every second one, 1,208 and 1,320 channels in all."""

B0_BLOCKS, B4_BLOCKS = LITE0_BLOCKS, tuple(range(1, 32, 2))
"""Those of B0 and B4: every second one, 752 and 2,552 channels in all."""


def lite0(
    *,
    blocks: tuple[int, ...] = LITE0_BLOCKS,
    pretrained: bool | str | Path = True,
    depthwise: DepthwiseForm = "auto",
) -> Levels:
    r"""Blocks of EfficientNet-Lite0: the mean of every channel over the image, then $\sqrt{\mathrm{var} + 10^{-6}}$.

    Block 0 is the first after the stem, with 16 channels, and block 15 the last, with 320. Of every block in turn come
    the means of its channels and then their deviations. What comes after the last block is not computed. Images are
    those of `metaforge.backbones.efficientnet_lite0`, of any size from 32 pixels up.

    Other Arguments:
        blocks: their numbers, in order.
        pretrained: as in `efficientnet_lite0`.
        depthwise: as in `efficientnet_lite0`.

    Returns:
        `Levels`; of the default blocks 1,504 numbers.

    Raises:
        ValueError: for blocks that there are not, none, or out of order.
        InputError: from `init`, if the weights are not installed or not these.

    Example:
        >>> lite0().size, lite0(blocks=(0, 15)).size
        (1504, 672)
    """
    return of_plan(LITE0, blocks, pretrained, depthwise)


def lite1(
    *,
    blocks: tuple[int, ...] = LITE1_BLOCKS,
    pretrained: bool | str | Path = True,
    depthwise: DepthwiseForm = "auto",
) -> Levels:
    """The same of EfficientNet-Lite1, which has the blocks 0 to 20.

    Other Arguments:
        blocks: as in `lite0`, from 0 to 20.
        pretrained: as there.
        depthwise: as there.

    Returns:
        `Levels`; of the default blocks 2,416 numbers.

    Raises:
        ValueError: as `lite0`.
        InputError: as `lite0`.

    Example:
        >>> lite1().size
        2416
    """
    return of_plan(LITE1, blocks, pretrained, depthwise)


def lite2(
    *,
    blocks: tuple[int, ...] = LITE2_BLOCKS,
    pretrained: bool | str | Path = True,
    depthwise: DepthwiseForm = "auto",
) -> Levels:
    """The same of EfficientNet-Lite2, which has the blocks 0 to 20, a tenth wider.

    Other Arguments:
        blocks: as in `lite0`, from 0 to 20.
        pretrained: as there.
        depthwise: as there.

    Returns:
        `Levels`; of the default blocks 2,640 numbers.

    Raises:
        ValueError: as `lite0`.
        InputError: as `lite0`.

    Example:
        >>> lite2().size
        2640
    """
    return of_plan(LITE2, blocks, pretrained, depthwise)


def b0(
    *,
    blocks: tuple[int, ...] = B0_BLOCKS,
    pretrained: str | Path | None = None,
    convention: Convention = "auto",
    depthwise: DepthwiseForm = "auto",
) -> Levels:
    """The same of EfficientNet-B0, which has the blocks 0 to 15.

    Other Arguments:
        blocks: as in `lite0`.
        pretrained: as in `metaforge.backbones.efficientnet_b0`.
        convention: as there.
        depthwise: as there.

    Returns:
        `Levels`; of the default blocks 1,504 numbers.

    Raises:
        ValueError: as `lite0`.
        InputError: as `efficientnet_b0`.

    Example:
        >>> b0().size
        1504
    """
    return of_plan(settled_plan("efficientnet_b0", convention, pretrained), blocks, pretrained or False, depthwise)


def b4(
    *,
    blocks: tuple[int, ...] = B4_BLOCKS,
    pretrained: str | Path | None = None,
    convention: Convention = "auto",
    depthwise: DepthwiseForm = "auto",
) -> Levels:
    """The same of EfficientNet-B4, which has the blocks 0 to 31.

    Other Arguments:
        blocks: as in `lite0`, from 0 to 31.
        pretrained: as in `b0`.
        convention: as there.
        depthwise: as there.

    Returns:
        `Levels`; of the default blocks 5,104 numbers.

    Raises:
        ValueError: as `lite0`.
        InputError: as `b0`.

    Example:
        >>> b4().size
        5104
    """
    return of_plan(settled_plan("efficientnet_b4", convention, pretrained), blocks, pretrained or False, depthwise)


def of_plan(
    plan: Plan, blocks: tuple[int, ...], pretrained: bool | str | Path, depthwise: DepthwiseForm = "auto"
) -> Levels:
    """Levels of any plan; the other arguments are those of `lite0`."""
    blocks = checked(blocks, len(plan.blocks))
    seen = maps(plan, blocks, depthwise=depthwise)
    return Levels(
        lambda key, images: maps_params(plan, blocks, pretrained, key),
        _of_maps(seen),
        2 * sum(plan.blocks[number][0].features for number in blocks),
        ("stem", "stem_norm", *(f"block{number}" for number in range(blocks[-1] + 1))),
        seen,
    )


# Equal settings give the same functions, and with them each other's compiled programs.
@functools.lru_cache(maxsize=64)
def _of_maps(seen: Callable[[Params, Any], tuple[jax.Array, ...]]) -> Callable[[Params, Any], jax.Array]:
    def apply(params, images):
        return jnp.concatenate([mean_and_deviation(part, (1, 2)) for part in seen(params, images)], axis=1)

    return apply
