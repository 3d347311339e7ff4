"""Clips of films: where they begin, and their frames, read together in one pass."""

import numpy as np
from jaxtyping import Int, UInt8

from metaforge.data.decoding import refusal
from metaforge.data.images import FilePath
from metaforge.data.video import read_frames
from metaforge.errors import InputError


def clip_starts(
    total: int, *, clips: int, frames: int, rng: np.random.Generator | None = None
) -> Int[np.ndarray, " clips"]:
    """Where the clips of a film begin: spread over it, and in training at random within equal parts.

    Without a generator the first clip begins with the film and the last one ends with it; a single clip lies in the
    middle.

    Args:
        total: how many frames the film has.

    Other Arguments:
        clips: how many.
        frames: consecutive frames of each.
        rng: draws a start in each of `clips` equal parts of all possible ones.

    Raises:
        InputError: for a film that is shorter than a clip.

    Example:
        >>> clip_starts(48, clips=4, frames=12).tolist(), clip_starts(48, clips=1, frames=12).tolist()
        ([0, 12, 24, 36], [18])
    """
    if clips < 1 or frames < 1:
        raise InputError(f"clips: {clips} of {frames} frames. Both must be at least 1.")
    if total < frames:
        raise InputError(f"clips: the film has {total} frames, and a clip {frames}. Ask for shorter clips.")
    most = total - frames
    if rng is not None:
        edges = np.linspace(0, most + 1, clips + 1)
        return np.minimum(np.floor(rng.uniform(edges[:-1], edges[1:])), most).astype(np.int64)
    return np.array([most // 2]) if clips == 1 else np.linspace(0, most, clips, dtype=np.int64)


def read_clips(
    path: FilePath, starts: Int[np.ndarray, " clips"], *, frames: int, size: int
) -> UInt8[np.ndarray, "clips frames size size 3"]:
    """The clips of a film that begin at some frames. The film is decoded once, up to the last that is wanted.

    Args:
        path: a video file, or a folder of images.
        starts: where the clips begin; they may overlap.

    Other Arguments:
        frames: consecutive frames of each.
        size: the side that the film's frames have, in pixels.

    Raises:
        InputError: as `metaforge.data.video.read_frames`; for a film that ends before a clip does, or one of another
            size.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(6):
        ...         Image.new("RGB", (8, 8), (number, 0, 0)).save(Path(folder, f"{number}.png"))
        ...     read_clips(folder, np.array([0, 3]), frames=3, size=8)[..., 0, 0, 0].tolist()
        [[0, 1, 2], [3, 4, 5]]
    """
    wanted = np.asarray(starts)[:, None] + np.arange(frames)
    found = dict(read_frames(path, wanted.ravel()))
    shape = next(iter(found.values())).shape
    if shape != (size, size, 3):
        raise refusal(path, f"its frames are {shape[1]} x {shape[0]} pixels, not {size} x {size}. Cut it to the faces.")
    return np.stack([found[int(number)] for number in wanted.ravel()]).reshape(*wanted.shape, size, size, 3)
