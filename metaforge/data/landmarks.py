"""Files of landmarks that lie beside photographs, and the crop by them."""

import zipfile
from pathlib import Path

import numpy as np

from metaforge.data.images import square
from metaforge.errors import InputError

MESH, NONE = "mesh", "none"
"""What may be asked for in place of a file: the finder's mesh, or no landmarks."""


def landmarks_key(name: str) -> str:
    """What a photograph is called in a file of landmarks.

    Example:
        >>> landmarks_key("anna/smiling.jpg")
        'anna__smiling'
    """
    return name.rsplit(".", 1)[0].replace("/", "__")


def landmark_files(root: Path, given: str) -> list[Path]:
    """The file that is given, or those of a folder; none for `MESH` and `NONE`."""
    if given in (MESH, NONE):
        return []
    return [Path(given)] if given else sorted(root.glob("landmarks*.npz"))


def read_landmarks(root: Path, given: str) -> dict[str, np.ndarray]:
    """The landmarks of a folder's photographs, by `landmarks_key`; none where there is no file.

    Raises:
        InputError: when there are several files, or the file cannot be read.
    """
    files = landmark_files(root, given)
    if not files:
        return {}
    if len(files) > 1:
        raise InputError(
            f"landmarks: '{files[0].name}' and '{files[1].name}' are both in '{root}'. Say which by `landmarks`."
        )
    try:
        archive = np.load(files[0], allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise TypeError("a single array")
        with archive:
            return {key: np.asarray(archive[key], np.float32) for key in archive.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"landmarks: cannot read '{files[0]}' ({error}). Give an .npz of plain arrays.") from None


def check_landmarks(marks: np.ndarray, name: str) -> None:
    """Holds that a photograph's landmarks enclose something.

    Raises:
        InputError: when they do not, naming the photograph.
    """
    good = marks.ndim == 2 and marks.shape[1:] == (2,) and len(marks) >= 3 and bool(np.isfinite(marks).all())
    if not good or float(np.ptp(marks, axis=0).min()) < 1:
        raise InputError(
            f"landmarks: those of '{name}' are not three or more points (x, y) that enclose something. "
            "Correct them, or leave this photograph out of the file."
        )


def crop_to_landmarks(image: np.ndarray, marks: np.ndarray, *, size: int, margin: float = 0.15):
    """The square around the landmarks, with a margin on each side, and the landmarks in its pixels."""
    left, top, side = square_around(image, marks, margin=margin)
    crop = image[top : top + side, left : left + side]
    return square(crop, size=size), ((marks - np.array([left, top])) * (size / side)).astype(np.float32)


def square_around(image: np.ndarray, marks: np.ndarray, *, margin: float = 0.15) -> tuple[int, int, int]:
    """Left, top and side of the square around the landmarks, in whole pixels.

    Example:
        >>> square_around(np.zeros((50, 60, 3), np.uint8), np.array([[20.0, 20], [40, 30]]))
        (17, 12, 26)
    """
    extent = np.array(image.shape[1::-1])
    low, high = marks.min(axis=0), marks.max(axis=0)
    # No larger than the photograph and inside it: pixels that it does not have would have to be invented.
    side = min(round(float((high - low).max()) * (1 + 2 * margin)), int(extent.min()))
    left, top = np.clip(np.round((low + high) / 2 - side / 2), 0, extent - side).astype(int).tolist()
    return left, top, side
