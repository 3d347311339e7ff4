"""The crops of one video: by the face that is followed in it, as its real video was cut, or whole; and of its mask."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metaforge.data.catalogues import Video
from metaforge.data.crop_files import FRAMES, MASKS, row_of, write_png
from metaforge.data.crops import Crop, apply_crop, crop_transform, rescaled
from metaforge.data.film import Again, Find
from metaforge.data.following import follow
from metaforge.data.images import square
from metaforge.data.patches import crop_of
from metaforge.data.video import read_frames
from metaforge.data.watching import Glance
from metaforge.errors import InputError


class Rule(NamedTuple):
    """What is cut out.

    Attributes:
        frames: of each video, spread evenly from its first to its last, or to that of the shortest in its unit.
        crop: the convention (`metaforge.data.crops`); "whole" looks for no face.
        size: side of the crops, in pixels.
    """

    frames: int = 32
    crop: Crop = "ffpp"
    size: int = 256


class Dropped(NamedTuple):
    """What is not in the manifest: a video's key, the frame (-1: all of it), and why."""

    video: str
    frame: int
    reason: str


class Cut(NamedTuple):
    """Where the crop of a frame lies, `None` for nowhere, in an image of this height and width."""

    transform: np.ndarray | None
    size: tuple[int, int]


class CutOut(NamedTuple):
    """What a video gave: rows for the manifest, the frames that are not there, and by frame where each crop lies."""

    rows: list[dict[str, Any]]
    lost: list[Dropped]
    cuts: dict[int, Cut]


def cut_by_face(
    out: Path,
    video: Video,
    seen: Iterable[Glance],
    frames: dict[int, int],
    rule: Rule,
    find: Find,
    again: Again | None = None,
) -> tuple[CutOut, dict[str, int]]:
    """Cuts a video by the face that lasts in it.

    Args:
        out: the folder that gets the crops.
        video: which one it is.
        seen: its frames going by, with the pixels of some.
        frames: where these are, and the numbers of the real video's frames that they go with.
        rule: what is cut out.
        find: looks for the faces.
        again: looks for them quickly (`metaforge.data.film`).

    Returns:
        What it gave, and a few numbers on who was seen (`metaforge.data.extraction.Extracted.faces`).
    """
    followed = follow(seen, find=find, again=again, crop=rule.crop, size=rule.size)
    track = next(iter(followed.tracks), None)
    there = {each.frame: each for each in track.sightings} if track else {}
    rows, lost, cuts = [], [], dict[int, Cut]()
    for place, (number, size) in followed.looked.items():
        frame, each = frames[place], there.get(place)
        if each is None or each.patch is None:
            cuts[frame] = Cut(None, size)
            lost.append(Dropped(video.key, frame, "the face that is followed is not in it" if number else "no face"))
            continue
        box, points = each.face.box, each.face.points
        transform = crop_transform(box, points, convention=rule.crop, size=rule.size, image_size=size)
        cuts[frame] = Cut(transform, size)
        rows.append(row_of(out, video, frame, crop_of(each.patch)))
    others = sum(len(each.sightings) > 1 for each in followed.tracks[1:])
    gaps = len(track.gaps) if track else 0
    return CutOut(rows, lost, cuts), {
        "frames": len(there), "gaps": gaps, "others": others, "cuts": len(followed.cuts)
    }  # fmt: skip


def cut_alike(
    out: Path,
    video: Video,
    seen: Iterable[Glance],
    frames: dict[int, int],
    rule: Rule,
    *,
    shared: dict[int, Cut] | None,
) -> CutOut:
    """Cuts a video as its real one was cut, `shared`, or whole; the rest as in `cut_by_face`."""
    rows, lost, cuts = [], [], dict[int, Cut]()
    for place, _, image in seen:
        if image is None:
            continue
        frame = frames[place]
        size = (image.shape[0], image.shape[1])
        if rule.crop == "whole":
            rows.append(row_of(out, video, frame, square(image, size=rule.size)))
            continue
        assert shared is not None  # else it is cut by its own face
        cuts[frame] = cut = Cut(_at(shared[frame], size), size)
        if cut.transform is None:
            lost.append(Dropped(video.key, frame, "the face that is followed is not in its real frame"))
        else:
            rows.append(row_of(out, video, frame, apply_crop(image, cut.transform, rule.size)))
    return CutOut(rows, lost, cuts)


def _at(cut: Cut, size: tuple[int, int]) -> np.ndarray | None:
    return None if cut.transform is None else rescaled(cut.transform, cut.size, size)


def cut_masks(
    root: Path,
    out: Path,
    video: Video,
    rows: list[dict[str, Any]],
    cuts: dict[int, Cut],
    rule: Rule,
    places: dict[int, int],
) -> list[Dropped]:
    """The mask video, cut as its frames were, each named in its frame's row; one that is not there costs no image."""
    of_frame = {places[row["frame"]]: row for row in rows}
    try:
        for place, image in read_frames(root / video.mask, np.array(sorted(of_frame))):
            row = of_frame[place]
            path = row["path"].replace(FRAMES, MASKS, 1)
            transform = _at(cuts[row["frame"]], (image.shape[0], image.shape[1]))
            assert transform is not None  # its frame has a row
            write_png(out / path, apply_crop(image, transform, rule.size)[..., 0])
            row["mask"] = path
    except InputError as error:
        return [Dropped(f"{video.key} (mask)", -1, str(error))]
    return []
