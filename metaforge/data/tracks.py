"""From the faces of single frames to tracks, one a person, and which of them a video is of.

Faces are linked from one frame that was looked at to the next, by how their boxes overlap and how alike they look.
Looks decide: where two people cross, the box of one lies where the other's was. A face that was not in the frame
before, or that comes after a cut, goes on with a track only if it looks the same (`metaforge.data.looks.SAME`); else
it is another person. Nothing here sees pixels.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from metaforge.data.detection import Detection
from metaforge.data.detection._suppression import areas, overlap
from metaforge.data.looks import SAME
from metaforge.data.patches import Patch, crop_of

_NEAR = 0.1  # what full overlap counts beside how alike two faces look
_MEMORY = 0.8  # of the mean look of a track, when another is added
_STILL = 0.01  # how far a picture's points stray from their mean place, in sides of its box
_STILL_FRAMES = 3
_AS_LONG = 0.9


class Sighting(NamedTuple):
    """A face in a frame.

    Attributes:
        frame: its number.
        face: where it is.
        look: how it looks (`metaforge.data.looks.look_of`), of length 1.
        patch: what its crop is made of; `None` where none is wanted.
    """

    frame: int
    face: Detection
    look: np.ndarray
    patch: Patch | None = None


class Track(NamedTuple):
    """One person in a video, in the frames that were looked at.

    Attributes:
        sightings: by rising frame.
        gaps: the first and the last frame of each time that the face is away and comes back, of those looked at.
    """

    sightings: tuple[Sighting, ...]
    gaps: tuple[tuple[int, int], ...]

    @property
    def frames(self) -> Int[np.ndarray, " frames"]:
        """The numbers of the frames that it is in."""
        return np.array([each.frame for each in self.sightings], np.int64)

    @property
    def boxes(self) -> Float[np.ndarray, "frames 4"]:
        """x0, y0, x1, y1 in pixels of each frame."""
        return np.stack([each.face.box for each in self.sightings])

    @property
    def points(self) -> Float[np.ndarray, "frames 5 2"]:
        """Eyes, nose and corners of the mouth in each frame."""
        return np.stack([each.face.points for each in self.sightings])

    @property
    def meshes(self) -> Float[np.ndarray, "frames points 2"] | None:
        """The mesh in each frame; `None` where none was looked for."""
        found = [each.face.mesh for each in self.sightings if each.face.mesh is not None]
        return np.stack(found) if len(found) == len(self.sightings) else None

    @property
    def scores(self) -> Float[np.ndarray, " frames"]:
        """The probability of a face in each frame, as the finder sees it."""
        return np.array([each.face.score for each in self.sightings], np.float64)

    def crops(self) -> Iterator[np.ndarray]:
        """The crops, uint8 RGB, one a frame, made one at a time."""
        return (crop_of(each.patch) for each in self.sightings if each.patch is not None)


def linked(seen: Iterable[tuple[int, Sequence[Sighting]]], cuts: Sequence[int] = ()) -> list[Track]:
    """The tracks of a video.

    Args:
        seen: each frame that was looked at, by rising number, and the faces in it, or none.
        cuts: frames with which a new shot begins.

    Returns:
        By their first frame. Each sighting is in one of them.

    Example:
        >>> face = lambda frame, left: Sighting(
        ...     frame, Detection(np.array([left, 0.0, left + 10, 10]), np.zeros((5, 2)), 1.0), np.array([1.0, 0.0])
        ... )
        >>> [track.gaps for track in linked([(0, [face(0, 0)]), (5, []), (9, [face(9, 1)])])]
        [((5, 5),)]
    """
    looked, rows, means = list[int](), list[list[Sighting]](), list[np.ndarray]()
    for frame, faces in seen:
        before = looked[-1] if looked else frame
        cut = any(before < place <= frame for place in cuts)
        looked.append(frame)
        steady = [not cut and row[-1].frame == before for row in rows]
        taken = set()
        for track, place in _pairs(rows, means, faces, steady):
            rows[track].append(faces[place])
            means[track] = _unit(_MEMORY * means[track] + (1 - _MEMORY) * faces[place].look)
            taken.add(place)
        for place, face in enumerate(faces):
            if place not in taken:
                rows.append([face])
                means.append(face.look)
    return [Track(tuple(row), _gaps(row, looked)) for row in _joined(rows)]


def by_length(tracks: Iterable[Track]) -> list[Track]:
    """The tracks, the one that the video is of first.

    The one in the most frames is. Of those nearly as long, nine tenths of the frames, the largest. A face that never
    moves, not even a lip, is a picture on a wall, most likely: half of its frames count, and of those nearly as long it
    comes last.

    Example:
        >>> by_length([])
        []
    """
    tracks = list(tracks)
    still = [is_still(track) for track in tracks]
    weights = [len(track.sightings) * (0.5 if stays else 1.0) for track, stays in zip(tracks, still, strict=True)]
    longest = max(weights, default=0.0)

    def rank(place: int) -> tuple:
        size = float(areas(tracks[place].boxes).mean())
        if weights[place] >= _AS_LONG * longest:
            return (0, still[place], -size)
        return (1, -weights[place], -size)

    return [tracks[place] for place in sorted(range(len(tracks)), key=rank)]


def is_still(track: Track) -> bool:
    """Whether a face never moves: in three frames or more all its points stay within a hundredth of its size."""
    if len(track.sightings) < _STILL_FRAMES:
        return False
    points = track.points if track.meshes is None else track.meshes
    strays = np.sqrt(((points - points.mean(axis=0)) ** 2).sum(-1).mean())
    return bool(strays < _STILL * np.sqrt(areas(track.boxes).mean()))


def _pairs(
    rows: list[list[Sighting]], means: list[np.ndarray], faces: Sequence[Sighting], steady: list[bool]
) -> Iterator[tuple[int, int]]:
    """Which track goes on with which face: each once, so that they agree best together."""
    if not rows or not faces:
        return
    boxes, looks = np.stack([face.face.box for face in faces]), np.stack([face.look for face in faces])
    worth = np.zeros((len(rows), len(faces)))
    for track, row in enumerate(rows):
        alike = np.maximum(looks @ row[-1].look, looks @ means[track])
        near = overlap(row[-1].face.box, boxes) if steady[track] else np.zeros(len(faces))
        # A head that turns looks unlike itself, but then it is where it was.
        allowed = (alike >= SAME) | (alike + near / 2 >= 1.0)
        # Every pair that may be is worth more than none, so that as many faces as can be go on.
        worth[track] = np.where(allowed, alike + _NEAR * near, 0.0)
    for track, place in zip(*linear_sum_assignment(worth, maximize=True), strict=True):
        if worth[track, place] > 0:
            yield int(track), int(place)


def _joined(rows: list[list[Sighting]]) -> list[list[Sighting]]:
    """Pieces of one track put together: what hides a face for a while changes how it looks before and after.

    On the whole two pieces look the same, and never are they in one frame; those that agree best come first.
    """
    rows = list(rows)
    while True:
        looks = np.stack([_unit(np.mean([each.look for each in row], axis=0)) for row in rows]) if rows else np.eye(0)
        alike = np.triu(looks @ looks.T, 1)
        frames = [{each.frame for each in row} for row in rows]
        pairs = sorted(np.argwhere(alike >= SAME).tolist(), key=lambda pair: -alike[tuple(pair)])
        apart = next(((one, other) for one, other in pairs if not frames[one] & frames[other]), None)
        if apart is None:
            return rows
        rows[apart[0]] = sorted(rows[apart[0]] + rows.pop(apart[1]), key=lambda each: each.frame)


def _gaps(row: list[Sighting], looked: list[int]) -> tuple[tuple[int, int], ...]:
    there = {each.frame for each in row}
    found: list[tuple[int, int]] = []
    previous = True
    for frame in looked:
        if row[0].frame < frame < row[-1].frame and frame not in there:
            found = [*found, (frame, frame)] if previous else [*found[:-1], (found[-1][0], frame)]
        previous = frame in there
    return tuple(found)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
