"""Features of images, kept on disk by what the image is: computed once, whichever run or split asks."""

import hashlib
import zipfile
from collections.abc import Callable, Container
from pathlib import Path

import numpy as np

from metaforge.whole import write_arrays

BLOCK = 256
"""Images to a file; what an interruption can lose."""


def stored(
    compute: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    *,
    folder: str | Path,
    block: int = BLOCK,
    dtype: type[np.floating] = np.float16,
    progress: Callable[[int], object] | None = None,
) -> np.ndarray:
    """`compute` of every image, from the folder where it is there, and into it where it is not.

    The folder belongs to one function: give another one for other weights. Files are written whole or not at all, so a
    computation that was cut off goes on where it was, and several processes may share a folder. A file that cannot be
    read counts as missing.

    Args:
        compute: images `(n, ...)`, never more than `block` of them, to features `(n, ...)`, each of its image alone.
        images: shape `(images, ...)`, at least one.

    Other Arguments:
        folder: where features are kept; made if it is not there.
        block: images to a file.
        dtype: how they are kept. Half precision is half the bytes, and a relative error of 0.05 %.
        progress: called with the number of images after every file that was computed.

    Returns:
        Features, shape `(images, ...)`, in the images' order.

    Raises:
        ValueError: for no images, or features that the type cannot hold, such as what float16 has beyond 65,504.

    Example:
        >>> images = np.arange(6, dtype=np.uint8).reshape(3, 2)
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = stored(lambda rows: rows * 2.0, images, folder=folder)
        ...     again = stored(lambda rows: 1 / 0, images[::-1], folder=folder)
        >>> first.tolist() == again[::-1].tolist() == [[0, 2], [4, 6], [8, 10]]
        True
    """
    if len(images) < 1:
        raise ValueError("stored: no images. Give at least one.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [hashlib.sha256(f"{image.dtype}{image.shape}".encode() + image.tobytes()).digest() for image in images]
    wanted: dict[bytes, list[int]] = {}
    for row, name in enumerate(names):
        wanted.setdefault(name, []).append(row)
    found: np.ndarray | None = None

    def put(keys: list[bytes], values: np.ndarray) -> None:
        nonlocal found
        if found is None:
            found = np.zeros((len(images), *values.shape[1:]), dtype)
        for key, value in zip(keys, values, strict=True):
            found[wanted.pop(key)] = value

    for path in sorted(folder.glob("*.npz")):
        keys, values = _read(path, wanted, dtype)
        if keys:
            put(keys, values)
    while wanted:
        keys = list(wanted)[:block]
        values = np.asarray(compute(images[[wanted[key][0] for key in keys]]))
        if not np.all(np.abs(values) <= np.finfo(dtype).max):
            raise ValueError(f"stored: a feature is not finite, or beyond what {np.dtype(dtype)} holds.")
        _write(folder, keys, values.astype(dtype))
        put(keys, values)
        if progress is not None:
            progress(len(keys))
    assert found is not None
    return found


def _read(path: Path, wanted: Container[bytes], dtype: type[np.floating]) -> tuple[list[bytes], np.ndarray]:
    """What a file has of what is wanted; features are read of a file that has some."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            keys = archive["keys"]
            if keys.dtype != np.uint8 or keys.ndim != 2:
                return [], np.zeros(0)
            names = [row.tobytes() for row in keys]
            ours = [place for place, name in enumerate(names) if name in wanted]
            if not ours:
                return [], np.zeros(0)
            values = archive["values"]
            if values.dtype != dtype or len(names) != len(values):
                return [], np.zeros(0)
            return [names[place] for place in ours], values[ours]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return [], np.zeros(0)


def _write(folder: Path, keys: list[bytes], values: np.ndarray) -> None:
    rows = np.stack([np.frombuffer(key, np.uint8) for key in keys])
    write_arrays(folder / f"{hashlib.sha256(rows.tobytes()).hexdigest()[:16]}.npz", keys=rows, values=values)
