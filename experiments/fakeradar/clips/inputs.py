"""What a step sees: clips out of files, decoded ahead of it; or the tokens that lower blocks made of fixed clips."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import metaforge as mf
from experiments.fakeradar.clips.config import Config
from experiments.fakeradar.clips.films import Films
from metaforge.data.film_clips import clip_starts, read_clips
from metaforge.progress import progress
from metaforge.whole import whole_file


class Seen(NamedTuple):
    """A batch: clips one a row, their labels, and the kind of each."""

    inputs: np.ndarray
    label: np.ndarray
    kind: np.ndarray


_AT_ONCE, _IN_A_FILE = 4, 64
"""Films whose tokens are made at once, and whose tokens are in one file."""

Look = Callable[[int, np.random.Generator | None], np.ndarray]
"""A film's number, and a generator in training, to its clips: `(clips, frames, ...)`."""


def from_files(config: Config, films: Films) -> Look:
    """Clips as uint8 RGB, read when they are asked for; in training they begin anywhere."""

    def look(number: int, rng: np.random.Generator | None) -> np.ndarray:
        starts = clip_starts(config.film_frames, clips=config.clips, frames=config.frames, rng=rng)
        return read_clips(films.path[number], starts, frames=config.frames, size=config.image_size)

    return look


def kept(config: Config, films: Films, lower: Callable[[np.ndarray], np.ndarray], folder: Path, *, quiet: bool) -> Look:
    """Tokens of clips at fixed places in half precision, made once and kept in files of `_IN_A_FILE` films each."""
    read, count = from_files(config, films), len(films.path)
    arrays = []
    with progress(f"tokens: {folder.name}", count, unit="film", quiet=quiet) as bar:
        for begin in range(0, count, _IN_A_FILE):
            end, path = min(begin + _IN_A_FILE, count), folder / f"{begin:06d}.npy"
            if not path.exists():
                found = [_tokens(read, lower, [begin + n for n in some]) for some in parts(end - begin, _AT_ONCE)]
                with whole_file(path) as file:
                    np.save(file, np.concatenate(found)[: end - begin])
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
            bar.update(end - begin)
    return lambda number, rng: np.asarray(arrays[number // _IN_A_FILE][number % _IN_A_FILE])


def _tokens(read: Look, lower: Callable[[np.ndarray], np.ndarray], some: list[int]) -> np.ndarray:
    clips = np.stack([read(number, None) for number in some])
    tokens = lower(clips.reshape(-1, *clips.shape[3:])).astype(np.float16)
    return tokens.reshape(*clips.shape[:3], *tokens.shape[1:])


def parts(count: int, size: int) -> list[list[int]]:
    """Numbers from 0 on in parts of one size, the last of which is filled up with the last number.

    Example:
        >>> parts(5, 2)
        [[0, 1], [2, 3], [4, 4]]
    """
    return [[min(number, count - 1) for number in range(begin, begin + size)] for begin in range(0, count, size)]


def batches(config: Config, films: Films, look: Look, *, seed: int, step: int, count: int) -> Generator[Seen]:
    """The batches of `count` steps from `step` on. What a batch holds depends on seed and step alone.

    Half of the films are real, half forged; each is as likely as any other of its side.
    """
    sides = [np.flatnonzero(films.label == label) for label in (mf.REAL, mf.FAKE)]
    each = config.batch // (2 * config.clips)
    for number in range(step, step + count):
        rng = np.random.default_rng(np.random.SeedSequence([config.split_seed, seed, number]))
        rows = np.concatenate([rng.choice(side, each, replace=len(side) < each) for side in sides])
        clips = np.concatenate([look(int(row), rng) for row in rows])
        again = np.repeat(rows, config.clips)
        yield Seen(clips, films.label[again], films.kind[again])
