"""Maps of chosen blocks of a frozen network, and what stands beside them, of every collection in a file of its own."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.strangers import features
from experiments.strangers.config import Config
from experiments.strangers.features import BATCH
from metaforge.backbones import choice, levels
from metaforge.backbones._checking import numbers
from metaforge.backbones.efficientnet._maps import maps as maps_of_blocks
from metaforge.backbones.efficientnet._models import tail
from metaforge.forgeries.base import Face
from metaforge.whole import write_arrays

COLUMNS = ("label", "kind", "collection", "person", "pair")


class Kept(NamedTuple):
    """All images of all collections.

    Attributes:
        maps: of each block that is fused, float16, `(images, rows, columns, channels)`.
        top: what the network hands its head, float32.
        levels: means and deviations of the blocks that the shipped detector looks at, float32.
        table: labels and the like; its features are `top`.
    """

    maps: tuple[np.ndarray, ...]
    top: np.ndarray
    levels: np.ndarray
    table: features.Table


def looker(config: Config, blocks: tuple[int, ...]) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """From images to what is kept of them: one pass through the network."""
    plan, spread = choice.plan(config.model), numbers(config.model.levels)
    last = len(plan.blocks) - 1
    wanted = tuple(sorted({*blocks, *spread, last}))
    whole = choice.choose(dataclasses.replace(config.model, levels=""))
    side = config.model.image_size
    params = whole.init(jax.random.key(config.seed), np.zeros((1, side, side, 3), np.float32))
    seen = maps_of_blocks(plan, wanted)
    top = tail(plan, last + 2, num_classes=2, neck=0, head="linear")

    @jax.jit
    def one(images):
        found = dict(zip(wanted, seen(params, images), strict=True))
        pooled = [levels.mean_and_deviation(found[block], (1, 2)) for block in spread]
        made = {f"map{block}": found[block].astype(jnp.float16) for block in blocks}
        return made | {"top": top.apply(params, found[last]).embeddings, "levels": jnp.concatenate(pooled, axis=1)}

    def look(images: np.ndarray) -> dict[str, np.ndarray]:
        parts = []
        for begin in range(0, len(images), BATCH):
            some = images[begin : begin + BATCH]
            filled = np.concatenate([some, np.repeat(some[-1:], BATCH - len(some), axis=0)])
            parts.append({name: np.asarray(value)[: len(some)] for name, value in one(filled).items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return look


def kept(
    config: Config,
    blocks: tuple[int, ...],
    faces: dict[str, list[Face]],
    folder: Path,
    *,
    grid: int = 0,
    whole: bool = True,
    quiet: bool = True,
) -> Kept:
    """All collections, forged as `experiments.strangers` forges them; those whose file is there are read.

    With a grid, maps of more positions a side are averaged to so many, if it divides them. Files have them whole.
    Without `whole` no maps are read.
    """
    made, look = [], None
    for number, (name, mine) in enumerate(faces.items()):
        path = folder / f"maps-{number}.npz"
        if not path.exists():
            look = look or looker(config, blocks)
            write_arrays(path, **features.forged(config, name, mine, look, quiet=quiet))
        with np.load(path, allow_pickle=False) as found:
            wanted = [column for column in found.files if whole or not column.startswith("map")]
            made.append({column: _averaged(found[column], grid) for column in wanted})
    begin = np.cumsum([0, *(each["pair"].max() + 1 for each in made)])
    for each, first in zip(made, begin, strict=False):
        each["pair"] = each["pair"] + first
    # One column at a time, so that no more than one is in memory twice.
    joined = {name: np.concatenate([each.pop(name) for each in made]) for name in list(made[0])}
    return Kept(
        tuple(joined[f"map{block}"] for block in blocks if whole),
        joined["top"],
        joined["levels"],
        features.Table(joined["top"], *(joined[column] for column in COLUMNS)),
    )


def _averaged(values: np.ndarray, grid: int) -> np.ndarray:
    """Maps on a grid; all else as it is."""
    if values.ndim != 4 or not grid or values.shape[1] <= grid or values.shape[1] % grid:
        return values
    count, side, _, channels = values.shape
    cells = values.reshape(count, grid, side // grid, grid, side // grid, channels)
    return cells.mean(axis=(2, 4), dtype=np.float32).astype(values.dtype)
