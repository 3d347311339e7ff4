"""From a video and its forgeries to face crops that lie on each other pixel by pixel.

A *unit* is a real video and every fake that was made from it: the face is looked for in the real frames alone, and the
crop found there serves the same frame of every fake, so that nothing but the forgery differs (as the DFDC winner's
code does it). All videos of a unit give the same frames, spread over what the shortest of them has: a fake without its
real frame would be no pair. A fake at another resolution is cut where the resized crop lies. A video without a known
partner is a unit of its own.

Memory: each unit holds one frame at a time, at most `metaforge.data.video`'s bound on pixels, and one crop.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metaforge.data.catalogues import Video
from metaforge.data.crop_files import FRAMES, MASKS, clear, frame_count, frames_of, row_of, write_png
from metaforge.data.crops import Crop, apply_crop, crop_transform, rescaled
from metaforge.data.images import square
from metaforge.data.video import even_frames, frame_names, read_frames
from metaforge.errors import InputError
from metaforge.labels import FAKE


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


class Extracted(NamedTuple):
    """What a unit gave: rows for the manifest (and `sha256` of the crop, `bytes` of its file), and what was dropped."""

    rows: list[dict[str, Any]]
    dropped: list[Dropped]


class _Cut(NamedTuple):
    """Where the crop of a frame lies, `None` for nowhere, in an image of this height and width."""

    transform: np.ndarray | None
    size: tuple[int, int]


def units(videos: Iterable[Video]) -> list[list[Video]]:
    """Videos in groups that share their crops, in the order of their first; the real one leads.

    Example:
        >>> real = Video("a.mp4", 0, "set", "real", "a", "", "", "", "", "train", "")
        >>> fake = Video("b.mp4", 1, "set", "swap", "b", "", "", real.key, "", "train", "")
        >>> [[video.path for video in unit] for unit in units([fake, real])]
        [['a.mp4', 'b.mp4']]
    """
    videos = list(videos)
    leaders = {video.key for video in videos if video.label != FAKE}
    groups: dict[str, list[Video]] = {}
    for video in videos:
        groups.setdefault(video.pair if video.pair in leaders else video.key, []).append(video)
    return [sorted(group, key=lambda video: (video.label, video.key)) for group in groups.values()]


def extract(unit: Sequence[Video], *, root: Path, out: Path, rule: Rule, find: Callable[..., Any]) -> Extracted:
    """Cuts the faces out of a unit and writes them below `out`; what lies there of its videos goes first.

    Args:
        unit: the real video first, or one video.

    Other Arguments:
        root: what the videos' paths begin from.
        out: the folder that gets `frames/` and `masks/`.
        rule: what is cut out.
        find: a frame, uint8 RGB, to its largest face (`metaforge.data.detection.find_face`) or `None`.

    Returns:
        Rows and what was dropped, with the reason: a video that cannot be read, a frame without a face, a fake that
        shows another picture than its real video. Nothing raises for one bad video; where it is the real one, its
        fakes are cut each by the faces in itself.
    """
    clear(out, unit)
    rows, dropped, counts = [], [], {}
    for video in unit:
        try:
            counts[video.key] = frame_count(root, video)
        except InputError as error:
            dropped.append(Dropped(video.key, -1, str(error)))
    readable = [video for video in unit if video.key in counts]
    paired = len(readable) > 1 and readable[0] is unit[0]
    places, alone = _partners(root, readable) if paired else ({}, [])
    dropped += alone
    readable = [video for video in readable if not places or video.key in places]
    shared: dict[int, _Cut] | None = None
    for video in readable:
        if places:
            chosen = even_frames(len(places[video.key]), rule.frames)
            frames = {places[video.key][at]: places[unit[0].key][at] for at in chosen.tolist()}
        else:
            count = min(counts.values()) if paired else counts[video.key]
            frames = {at: at for at in even_frames(count, rule.frames).tolist()}
        try:
            kept, lost, cuts = _cut(root, out, video, frames, shared, rule, find)
        except InputError as error:
            # What came before a video broke off is not kept: those frames are of its beginning alone.
            clear(out, [video])
            dropped.append(Dropped(video.key, -1, str(error)))
            continue
        if paired and video is unit[0]:
            shared = cuts
        rows, dropped = rows + kept, dropped + lost
        if not kept:
            dropped.append(Dropped(video.key, -1, "no frame is left"))
        elif video.mask and rule.crop != "whole":
            dropped += _masks(root, out, video, kept, cuts, rule, {frame: place for place, frame in frames.items()})
    return Extracted(rows, dropped)


def _partners(root: Path, unit: Sequence[Video]) -> tuple[dict[str, list[int]], list[Dropped]]:
    """Of folders of frames, where the frames lie that all of them have, by their numbers: never by their places.

    Nothing where places say the same as numbers, as in folders of which one ends before the other, or where one is a
    video file, whose frames have no names. A fake that shares no frame with its real video is left out, as are the
    frames that are not in all of the others.
    """
    named = {video.key: None if "::" in video.path else frame_names(root / video.path) for video in unit}
    names = {key: found for key, found in named.items() if found is not None}
    shortest = min(map(len, names.values()), default=0)
    if len(names) < len(unit) or len({tuple(found[:shortest]) for found in names.values()}) == 1:
        return {}, []
    real = names[unit[0].key]
    apart = [key for key, found in names.items() if not set(found) & set(real)]
    dropped = [Dropped(key, -1, "no frame has the number of a frame of its real video") for key in apart]
    names = {key: found for key, found in names.items() if key not in apart}
    common = set.intersection(*map(set, names.values()))
    dropped += [
        Dropped(key, place, "no frame of this number in every video of its kind")
        for key, found in names.items() for place, name in enumerate(found) if name not in common
    ]  # fmt: skip
    at = {key: {name: place for place, name in enumerate(found)} for key, found in names.items()}
    return {key: [at[key][name] for name in real if name in common] for key in names}, dropped


def _cut(root: Path, out: Path, video: Video, frames: dict[int, int], shared: dict[int, _Cut] | None, rule: Rule, find):
    """The rows of a video, the frames without a face, and where each crop lies: as in `shared`, if that is given.

    `frames` are the places to read, and those of the real video's frames that they go with.
    """
    rows, lost, cuts = [], [], dict[int, _Cut]()
    for place, image in frames_of(root, video, np.array(sorted(frames))):
        frame = frames[place]
        size = (image.shape[0], image.shape[1])
        if rule.crop == "whole":
            rows.append(row_of(out, video, frame, square(image, size=rule.size)))
            continue
        cuts[frame] = cut = _Cut(_transform(image, rule, find) if shared is None else _at(shared[frame], size), size)
        if cut.transform is None:
            lost.append(Dropped(video.key, frame, "no face"))
        else:
            rows.append(row_of(out, video, frame, apply_crop(image, cut.transform, rule.size)))
    return rows, lost, cuts


def _at(cut: _Cut, size: tuple[int, int]) -> np.ndarray | None:
    return None if cut.transform is None else rescaled(cut.transform, cut.size, size)


def _transform(image: np.ndarray, rule: Rule, find) -> np.ndarray | None:
    face = find(image)
    if face is None:
        return None
    return crop_transform(
        face.box, face.points, convention=rule.crop, size=rule.size, image_size=(image.shape[0], image.shape[1])
    )


def _masks(
    root: Path,
    out: Path,
    video: Video,
    rows: list[dict[str, Any]],
    cuts: dict[int, _Cut],
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
