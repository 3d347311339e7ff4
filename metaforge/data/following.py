"""The people of a video, each followed through it: their frames, where their faces are, and crops of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from metaforge.data.crops import Crop, crop_transform
from metaforge.data.detection import Detection, find_again, find_faces
from metaforge.data.detection.finding import THRESHOLD
from metaforge.data.film import Again, Find, faces_of_film
from metaforge.data.images import FilePath
from metaforge.data.looks import look_of
from metaforge.data.patches import patch_of
from metaforge.data.shots import cuts
from metaforge.data.tracks import Sighting, Track, by_length, linked
from metaforge.data.video import MAX_PIXELS, even_frames
from metaforge.data.watching import Glance, expected_frames, watch
from metaforge.errors import InputError

PEOPLE = 16
"""Faces of one frame that are followed, the largest."""


class Looked(NamedTuple):
    """A frame that was looked at.

    Attributes:
        faces: how many are in it.
        size: its height and width.
    """

    faces: int
    size: tuple[int, int]


class Followed(NamedTuple):
    """What a video showed.

    Attributes:
        tracks: one a person, the one that the video is of first (`metaforge.data.tracks.by_length`).
        looked: the frames that were looked at, by number.
        cuts: the frames with which a new shot begins.
        total: how many frames went by.
    """

    tracks: list[Track]
    looked: dict[int, Looked]
    cuts: list[int]
    total: int


def face_tracks(
    path: FilePath,
    *,
    frames: int = 32,
    crop: Crop = "ffpp",
    size: int = 256,
    min_face: float = 0.03,
    threshold: float = THRESHOLD,
    max_pixels: int = MAX_PIXELS,
) -> list[Track]:
    """Follows the faces of a video: one track a person, in frames that are spread evenly over it.

    The video is decoded once, from its first frame to its last, and a few frames are held at a time, and the crops.
    (Once more where the number of its frames is not what the file says.) Of a frame the 16 largest faces are followed.

    Args:
        path: a video file, a folder of image files, or an image file.

    Other Arguments:
        frames: how many are looked at; a track has those that its person is in.
        crop: how faces are cut out, but "whole" (`metaforge.data.crops`).
        size: side of the crops, in pixels.
        min_face: as in `metaforge.data.detection.find_faces`.
        threshold: as there.
        max_pixels: width times height of a frame that is still decoded.

    Returns:
        The tracks, the one that the video is of first: that in the most frames, of those nearly as long the largest,
        where half of the frames count of a face that never moves. None for a video without a face. `Track` has the
        frames, boxes, points, meshes, scores and gaps, and makes the crops.

    Raises:
        InputError: as `metaforge.data.video.read_frames` and `metaforge.data.detection.find_faces`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from skimage.data import astronaut
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(3):
        ...         Image.fromarray(astronaut()[:256, 100 + number : 356 + number]).save(Path(folder, f"{number}.png"))
        ...     (track,) = face_tracks(folder, size=64)
        >>> track.frames.tolist(), [crop.shape for crop in track.crops()]
        ([0, 1, 2], [(64, 64, 3), (64, 64, 3), (64, 64, 3)])
    """
    if crop == "whole":
        raise InputError("crop: 'whole' looks for no face. Give ffpp, dfb, sbi or selimsef.")

    def find(image: np.ndarray) -> list[Detection]:
        return find_faces(image, min_face=min_face, threshold=threshold)

    def again(image: np.ndarray, before: Sequence[Detection]) -> list[Detection] | None:
        return find_again(image, before, min_face=min_face, threshold=threshold)

    expected = expected_frames(path, max_pixels=max_pixels)
    while True:
        wanted = even_frames(expected, frames)
        glances = watch(path, wanted.tolist(), max_pixels=max_pixels)
        found = follow(glances, find=find, again=again, crop=crop, size=size)
        if found.total in (expected, len(found.looked)):  # of a folder only those that are wanted go by
            return found.tracks
        expected = found.total


def follow(glances: Iterable[Glance], *, find: Find, crop: Crop, size: int, again: Again | None = None) -> Followed:
    """Follows the faces in frames that go by, wherever they come from.

    Args:
        glances: the frames, as `metaforge.data.watching.watch` gives them.

    Other Arguments:
        find: an image, uint8 RGB, to the faces in it, the largest first.
        crop: as in `face_tracks`.
        size: as there.
        again: looks quickly (`metaforge.data.film`); `None` if each frame is looked at properly.
    """
    seen, looked = list[tuple[int, list[Sighting]]](), dict[int, Looked]()
    numbers, changes = list[int](), list[float]()

    def wanted() -> Iterator[tuple[int, np.ndarray]]:
        for number, changed, image in glances:
            numbers.append(number)
            changes.append(changed)
            if image is not None:
                yield number, image

    for number, image, found in faces_of_film(wanted(), find=find, again=again):
        sightings = (_sighting(number, image, face, crop, size) for face in found[:PEOPLE])
        faces = [face for face in sightings if face is not None]
        seen.append((number, faces))
        looked[number] = Looked(len(faces), (image.shape[0], image.shape[1]))
    breaks = cuts(numbers, changes)
    return Followed(by_length(linked(seen, breaks)), looked, breaks, len(numbers))


def _sighting(frame: int, image: np.ndarray, face: Detection, crop: Crop, size: int) -> Sighting | None:
    try:
        transform = crop_transform(
            face.box, face.points, convention=crop, size=size, image_size=(image.shape[0], image.shape[1])
        )
        look = look_of(image, face.points)
    except InputError:  # it lies outside, or has no extent
        return None
    return Sighting(frame, face, look, patch_of(image, transform, size))
