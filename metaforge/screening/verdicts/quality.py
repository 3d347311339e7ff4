"""What is amiss with a file or a face before anything is said of forgery: flags, whose thresholds were measured.

docs/tables/quality.md has how often each is raised for nothing, and how often it is missed. That a face is covered by a
hand or a mask is not among them: the finder's score falls then, but with blur and small faces too.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from metaforge.data.face_crops import FaceCrop
from metaforge.evaluation.calibration.verdicts import COMPRESSED
from metaforge.screening.verdicts.jpeg import blockiness, comb, jpeg_quality

NO_FACE, SEVERAL = "no face", "several faces"
TWICE = "re-compressed"
TURNED, TILTED = "turned away", "tilted"

WORST = 30
"""The quality of libjpeg up to which a JPEG is said to be over-compressed."""

BLOCKS = 0.6
"""The blockiness from which on another picture is: nearly all that were JPEGs of quality 20 have it, and hardly one of
quality 70."""

COMB = 2.0
"""The comb in a JPEG's coefficients from which on it was compressed before, more strongly."""

YAW = 0.35
"""How far the nose lies from the middle of the eyes, by their distance, from which on a face is turned away. Of
faces that were turned by 45 degrees like an ellipsoid half have it, and of faces seen from the front hardly one."""

ROLL = 35.0
"""Degrees by which the line of the eyes is tilted, from which on it is said."""

FLAGS = (NO_FACE, SEVERAL, TWICE, COMPRESSED, "small", "cut off", "blurred", "perhaps no face", TURNED, TILTED)
"""All flags: the first three of files, the next of files or faces, the others of faces."""


class Pose(NamedTuple):
    """How a face is turned.

    Attributes:
        yaw: how far the nose lies beside the middle of the eyes, by their distance; 0 for a face seen from the front,
            above 0 if it looks to the picture's right.
        roll: degrees by which the line of the eyes is tilted, clockwise.
    """

    yaw: float
    roll: float


def file_flags(data: bytes | None, *, faces: int) -> tuple[str, ...]:
    """The flags of a file.

    Args:
        data: its bytes; `None` of a video.

    Other Arguments:
        faces: how many were found.

    Example:
        >>> file_flags(None, faces=2)
        ('several faces',)
    """
    flags = [NO_FACE] if faces == 0 else [SEVERAL] if faces > 1 else []
    quality = None if data is None else jpeg_quality(data)
    if data is not None and quality is not None:
        flags += [TWICE] * (comb(data) >= COMB) + [COMPRESSED] * (round(quality) <= WORST)
    return tuple(flags)


def face_flags(
    picture: UInt8[np.ndarray, "height width 3"], found: FaceCrop, *, jpeg: bool, blocks: float | None = None
) -> tuple[str, ...]:
    """The flags of a face in a picture.

    Args:
        picture: uint8 RGB in [0, 255].
        found: the face.

    Other Arguments:
        jpeg: whether the file is a JPEG, whose tables say how far it is compressed, so that its blocks need not.
        blocks: the picture's blockiness, if it has been measured for another of its faces.

    Example:
        >>> face_flags(np.zeros((16, 16, 3), np.uint8), FaceCrop(np.zeros((8, 8, 3), np.uint8), None, ()), jpeg=False)
        ()
    """
    flags = list(found.notes)
    if not jpeg and (blockiness(picture) if blocks is None else blocks) >= BLOCKS:
        flags.append(COMPRESSED)
    if found.face is not None:
        pose = pose_of(found.face.points)
        flags += [TURNED] * (abs(pose.yaw) >= YAW) + [TILTED] * (abs(pose.roll) >= ROLL)
    return tuple(flags)


def pose_of(points: Float[np.ndarray, "5 2"]) -> Pose:
    """How a face is turned, from its five points.

    Args:
        points: as in `metaforge.data.detection.Detection`.

    Example:
        >>> pose_of(np.array([[0.0, 0.0], [10.0, 0.0], [8.0, 5.0], [2.0, 9.0], [8.0, 9.0]]))
        Pose(yaw=0.3, roll=0.0)
    """
    left, right, nose = np.asarray(points, np.float64)[:3]
    line = right - left
    length = max(float(np.linalg.norm(line)), 1e-6)
    yaw = float((nose - (left + right) / 2) @ line) / length**2
    return Pose(yaw, float(np.degrees(np.arctan2(line[1], line[0]))))
