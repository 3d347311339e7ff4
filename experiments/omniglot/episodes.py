"""Which drawings an episode is of: row numbers on the host, images on the device.

A task has N characters that differ, each in a quarter turn of its own, so that two turns of one character never meet:
MAML's convention, in training and at test.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jaxtyping import Array, Int, UInt8

import metaforge as mf


class CharacterPool(NamedTuple):
    """The characters that episodes are drawn from.

    Attributes:
        characters: their numbers.
        of: how many characters the whole set has.
        drawings: of each character.
        turns: 4, or 1 to leave all upright.
    """

    characters: np.ndarray
    of: int
    drawings: int
    turns: int = 4

    def rows(self, rng: np.random.Generator, characters: np.ndarray, examples: int) -> Int[np.ndarray, "*tasks ways n"]:
        """Rows of so many drawings of each character, no two the same, all of one character in one quarter turn."""
        which = rng.random((*characters.shape, self.drawings)).argsort(axis=-1)[..., :examples]
        turn = rng.integers(self.turns, size=characters.shape)
        return ((turn * self.of + characters)[..., None] * self.drawings + which).astype(np.int32)


def draw(
    pool: CharacterPool, *, seed: tuple[int, ...], tasks: int, ways: int, examples: int
) -> Int[np.ndarray, "tasks ways n"]:
    """The rows of a meta-batch, a pure function of its arguments; the first examples are to be the support set.

    Args:
        pool: the characters.

    Other Arguments:
        seed: of this meta-batch: the run's, and its number.
        tasks: how many.
        ways: characters in a task.
        examples: drawings of each, support and query.
    """
    rng = np.random.default_rng(seed)
    characters = pool.characters[rng.random((tasks, len(pool.characters))).argsort(axis=-1)[:, :ways]]
    return pool.rows(rng, characters, examples)


def grouped(
    pool: CharacterPool, *, seed: int, episodes: int, ways: int, examples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Test episodes on groups of characters that have nothing in common, so that whole groups can be resampled.

    The characters are dealt into groups of `ways`, once (a few are left over), and every group is tested as often, each
    time on other drawings in other turns. One episode alone is distributed as if its characters were drawn at random.

    Args:
        pool: the characters.

    Other Arguments:
        seed: of the deal and the drawings.
        episodes: at least so many.
        ways: characters in a group.
        examples: drawings of each, support and query.

    Returns:
        Rows `(episodes, ways, examples)`, and the group of each episode `(episodes,)`.
    """
    rng = np.random.default_rng(seed)
    groups = len(pool.characters) // ways
    dealt = rng.permutation(pool.characters)[: groups * ways].reshape(groups, ways)
    times = -(-episodes // groups)
    return pool.rows(rng, np.tile(dealt, (times, 1)), examples), np.tile(np.arange(groups), times)


def episodes(
    images: UInt8[Array, "all side side 1"], rows: Int[Array, "tasks ways examples"], *, shots: int
) -> mf.Episode:
    """The images of a meta-batch: leaves `(tasks, examples, ...)`, each class once, then each again, and so on."""

    def part(rows):
        _, ways, examples = rows.shape
        # Classes vary fastest, so any run of `ways` examples has every class.
        flat = rearrange(rows, "task way example -> task (example way)")
        labels = jnp.broadcast_to(jnp.tile(jnp.arange(ways), examples), flat.shape)
        return mf.Batch(jnp.take(images, flat, axis=0), labels)

    rows = jax.numpy.asarray(rows)
    return mf.Episode(part(rows[:, :, :shots]), part(rows[:, :, shots:]))
