"""Finds the faces in a picture: MediaPipe's BlazeFace says where they are, its face mesh whether and where exactly.

It finds faces that are small, turned, dark or fill the picture. `docs/data.md` says how well, by
`python -m experiments.finders`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from metaforge.data.detection import _finder, _interpreter
from metaforge.data.detection.detection import Detection
from metaforge.errors import InputError

NAME = "blazeface"
"""What the finder is called where its faces are spoken of."""

THRESHOLD = 0.5
"""The score from which on it is a face, unless another one is given."""


def find_faces(
    image: UInt8[np.ndarray, "height width 3"],
    *,
    min_face: float = 0.03,
    threshold: float = THRESHOLD,
) -> list[Detection]:
    """Finds the faces in a picture.

    Args:
        image: uint8 RGB in [0, 255], of any size: long pictures are looked at in squares.

    Other Arguments:
        min_face: longer side of the smallest box, as a share of the image's longer side (of twice its shorter one, if
            that is less), in [0.01, 0.5]. 0.03 are 58
            pixels of 1920 x 1080, 19 of 640 x 480. Below it, it looks a second time, closer, which takes four times
            as long, and also finds more of the faces just above.
        threshold: the score from which on it is a face, in [0, 1].

    Returns:
        The faces, the largest box first, but those of which the finder is far less sure than of its best one last; none
        for a picture without any. It also finds faces that lie on their sides or on their heads.

    Raises:
        InputError: if the finder is not installed, its model is another file, or an argument is out of its range.

    Example:
        >>> find_faces(np.zeros((64, 64, 3), np.uint8))
        []

    References:
        Bazarevsky et al., *BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs*, 2019. Kartynnik et al.,
        *Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs*, 2019.
    """
    _check_range(min_face, threshold)
    return _finder.every_face(image, min_face=min_face, threshold=threshold)


def find_face(
    image: UInt8[np.ndarray, "height width 3"],
    *,
    min_face: float = 0.03,
    threshold: float = THRESHOLD,
) -> Detection | None:
    """Finds the largest face in a picture. Where it is plain to see, this is faster than finding all.

    Args:
        image: as in `find_faces`.

    Other Arguments:
        min_face: as in `find_faces`.
        threshold: as in `find_faces`.

    Returns:
        The first of `find_faces`, or `None` if there is none.

    Raises:
        InputError: as `find_faces`.

    Example:
        >>> from skimage.data import astronaut
        >>> face = find_face(astronaut())
        >>> bool(face.box[0] < 225 < face.box[2] and face.box[1] < 120 < face.box[3])
        True
    """
    _check_range(min_face, threshold)
    return _finder.largest_face(image, min_face=min_face, threshold=threshold)


def find_again(
    image: UInt8[np.ndarray, "height width 3"],
    before: Sequence[Detection],
    *,
    min_face: float = 0.03,
    threshold: float = THRESHOLD,
) -> list[Detection] | None:
    """Finds the faces in a picture that comes a little after another one, in half of the time of `find_faces`.

    Large faces (a sixth of the image's longer side) are found wherever they are. Smaller ones are looked for where they
    were before, so new ones are not seen: look properly now and then.

    Args:
        image: as in `find_faces`.
        before: the faces of the other picture.

    Other Arguments:
        min_face: as in `find_faces`.
        threshold: as in `find_faces`.

    Returns:
        The faces, as `find_faces` orders them, or `None` if one of those before is missing: then only `find_faces`
        tells whether it is there.

    Raises:
        InputError: as `find_faces`.

    Example:
        >>> from skimage.data import astronaut
        >>> before = find_faces(astronaut())
        >>> found = find_again(np.roll(astronaut(), 20, axis=1), before)
        >>> bool(abs(found[0].box[0] - before[0].box[0] - 20) < 3), find_again(astronaut()[300:], before)
        (True, None)
    """
    _check_range(min_face, threshold)
    return _finder.again(image, before, min_face=min_face, threshold=threshold)


def check_finder() -> None:
    """Holds that the finder and its models are installed, fetching what it may; no picture is needed.

    Raises:
        InputError: when LiteRT is not installed, or a model cannot be had or is another file.
    """
    _interpreter.check()


def _check_range(min_face: float, threshold: float) -> None:
    if not (0.01 <= min_face <= 0.5 and 0 <= threshold <= 1):
        raise InputError(f"faces: min_face {min_face}, threshold {threshold}. Give [0.01, 0.5] and [0, 1].")
