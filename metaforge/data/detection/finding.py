"""Finds the faces in a picture, by a finder that is named.

- `blazeface` (MediaPipe's): BlazeFace says where faces are, and its face mesh whether they are and where exactly. It
  finds faces that are small, turned, dark or fill the picture, and is the one to take.
- `mtcnn`: the cascade that cut the faces for the winner of the DFDC and for LTW, for crops that compare with theirs.

`docs/data.md` has a table of both, by `python -m experiments.finders`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from metaforge.data.detection.detection import Detection
from metaforge.errors import InputError

DEFAULT = "blazeface"
"""The finder of everything that is not told of another."""


class _Finder(NamedTuple):
    every: Callable[..., list[Detection]]
    largest: Callable[..., Detection | None]
    again: Callable[..., list[Detection] | None]
    check: Callable[[], object]
    threshold: float


def _blazeface() -> _Finder:
    from metaforge.data.detection import _finder, _interpreter

    return _Finder(_finder.every_face, _finder.largest_face, _finder.again, _interpreter.check, 0.5)


def _mtcnn() -> _Finder:
    from metaforge.data.detection import _mtcnn, _networks

    return _Finder(_mtcnn.every_face, _mtcnn.largest_face, lambda *_, **__: None, _networks.check_weights, 0.9)


FINDERS: dict[str, Callable[[], _Finder]] = {"blazeface": _blazeface, "mtcnn": _mtcnn}
"""The finders, by name; nothing of one is imported before it is called."""


def find_faces(
    image: UInt8[np.ndarray, "height width 3"],
    *,
    finder: str = DEFAULT,
    min_face: float = 0.03,
    threshold: float | None = None,
) -> list[Detection]:
    """Finds the faces in a picture.

    Args:
        image: uint8 RGB in [0, 255], of any size: long pictures are looked at in squares.

    Other Arguments:
        finder: one of `FINDERS`.
        min_face: longer side of the smallest box, as a share of the image's longer side, in [0.01, 0.5]. 0.03 are 58
            pixels of 1920 x 1080, 19 of 640 x 480. Below it, `blazeface` looks a second time, closer, which takes four
            times as long, and also finds more of the faces just above.
        threshold: the score from which on it is a face, in [0, 1]; `None` for the finder's own, 0.5 of `blazeface` and
            0.9 of `mtcnn`.

    Returns:
        The faces, the largest box first, but those of which the finder is far less sure than of its best one last; none
        for a picture without any. `blazeface` also finds faces that lie on their
        sides or on their heads.

    Raises:
        InputError: if the finder is unknown or not installed, its model is another file, or an argument is out of its
            range.

    Example:
        >>> find_faces(np.zeros((64, 64, 3), np.uint8))
        []

    References:
        Bazarevsky et al., *BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs*, 2019. Kartynnik et al.,
        *Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs*, 2019. Zhang et al., *Joint Face
        Detection and Alignment using Multi-task Cascaded Convolutional Networks*, 2016.
    """
    made, options = _checked(finder, min_face, threshold)
    return made.every(image, **options)


def find_face(
    image: UInt8[np.ndarray, "height width 3"],
    *,
    finder: str = DEFAULT,
    min_face: float = 0.03,
    threshold: float | None = None,
) -> Detection | None:
    """Finds the largest face in a picture. Where it is plain to see, this is faster than finding all.

    Args:
        image: as in `find_faces`.

    Other Arguments:
        finder: as in `find_faces`.
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
    made, options = _checked(finder, min_face, threshold)
    return made.largest(image, **options)


def find_again(
    image: UInt8[np.ndarray, "height width 3"],
    before: Sequence[Detection],
    *,
    finder: str = DEFAULT,
    min_face: float = 0.03,
    threshold: float | None = None,
) -> list[Detection] | None:
    """Finds the faces in a picture that comes a little after another one, in half of the time of `find_faces`.

    Large faces (a sixth of the image's longer side) are found wherever they are. Smaller ones are looked for where they
    were before, so new ones are not seen: look properly now and then.

    Args:
        image: as in `find_faces`.
        before: the faces of the other picture.

    Other Arguments:
        finder: as in `find_faces`.
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
    made, options = _checked(finder, min_face, threshold)
    return made.again(image, before, **options)


def check_finder(finder: str = DEFAULT) -> None:
    """Holds that a finder and its models are installed, fetching what it may; no picture is needed.

    Raises:
        InputError: as `find_faces`.

    Example:
        >>> check_finder("eyes")
        Traceback (most recent call last):
        metaforge.errors.InputError: finder: 'eyes' is unknown; known: blazeface, mtcnn.
    """
    _made(finder).check()


def _made(finder: str) -> _Finder:
    if finder not in FINDERS:
        raise InputError(f"finder: '{finder}' is unknown; known: {', '.join(FINDERS)}.")
    return FINDERS[finder]()


def _checked(finder: str, min_face: float, threshold: float | None):
    made = _made(finder)
    threshold = made.threshold if threshold is None else threshold
    if not (0.01 <= min_face <= 0.5 and 0 <= threshold <= 1):
        raise InputError(f"faces: min_face {min_face}, threshold {threshold}. Give [0.01, 0.5] and [0, 1].")
    return made, {"min_face": min_face, "threshold": threshold}
