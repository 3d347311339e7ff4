"""From a video and its forgeries to face crops that lie on each other pixel by pixel.

A *unit* is a real video and every fake that was made from it: faces are looked for in the real frames alone, the one
that lasts is followed (`metaforge.data.tracks`), and the crop found there serves the same frame of every fake, so that
nothing but the forgery differs (as the DFDC winner's code does it). All videos of a unit give the same frames, spread
over what the shortest of them has: a fake without its real frame would be no pair. A fake at another resolution is cut
where the resized crop lies. A video without a known partner is a unit of its own.

Memory: each unit holds a few frames at a time, each at most `metaforge.data.video`'s bound on pixels. Of the video
whose faces are followed it holds all crops, as `metaforge.data.patches` keeps them, until it is known which one lasts.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from metaforge.data.catalogues import Video
from metaforge.data.crop_files import clear, expected_count, frame_count, glances_of, is_file
from metaforge.data.cutting import Cut, Dropped, Rule, cut_alike, cut_by_face, cut_masks
from metaforge.data.film import Again, Find
from metaforge.data.video import even_frames, frame_names
from metaforge.data.watching import Glance
from metaforge.errors import InputError
from metaforge.labels import FAKE


class Extracted(NamedTuple):
    """What a unit gave.

    Attributes:
        rows: for the manifest, and `sha256` of the crop, `bytes` of its file.
        dropped: what is not there.
        faces: of each video whose faces were looked for, in how many `frames` the one is that was followed, how often
            it was away between them (`gaps`), how many `others` were seen more than once, and the number of `cuts`.
    """

    rows: list[dict[str, Any]]
    dropped: list[Dropped]
    faces: dict[str, dict[str, int]]


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


def extract(
    unit: Sequence[Video], *, root: Path, out: Path, rule: Rule, find: Find, again: Again | None = None
) -> Extracted:
    """Cuts the faces out of a unit and writes them below `out`; what lies there of its videos goes first.

    Each video is decoded once, if it has as many frames as its file says; else the unit is begun anew, and all of its
    videos are counted before.

    Args:
        unit: the real video first, or one video.

    Other Arguments:
        root: what the videos' paths begin from.
        out: the folder that gets `frames/` and `masks/`.
        rule: what is cut out.
        find: a frame, uint8 RGB, to the faces in it, the largest first (`metaforge.data.detection.find_faces`).
        again: the same in the frames between (`metaforge.data.film`); `None` if each is looked at by `find`.

    Returns:
        Rows and what was dropped, with the reason: a video that cannot be read, a frame without the face that is
        followed, a fake that shows another picture than its real video. Nothing raises for one bad video; where it is
        the real one, its fakes are cut each by the faces in itself.
    """
    try:
        return _extracted(unit, root, out, rule, (find, again), expected_count, sure=False)
    except _Otherwise:
        return _extracted(unit, root, out, rule, (find, again), frame_count, sure=True)


class _Otherwise(Exception):
    """A video does not have the frames that its file says, or cannot be read to its end."""


def _extracted(
    unit: Sequence[Video], root: Path, out: Path, rule: Rule, looks: tuple[Find, Again | None], count, *, sure: bool
) -> Extracted:
    clear(out, unit)
    found = Extracted([], [], {})
    counts: dict[str, int] = {}
    for video in unit:
        try:
            counts[video.key] = count(root, video)
        except InputError as error:
            found.dropped.append(Dropped(video.key, -1, str(error)))
    readable = [video for video in unit if video.key in counts]
    paired = len(readable) > 1 and readable[0] is unit[0]
    places, alone = _partners(root, readable) if paired else ({}, [])
    found.dropped.extend(alone)
    readable = [video for video in readable if not places or video.key in places]
    shared: dict[int, Cut] | None = None
    for video in readable:
        if places:
            chosen = even_frames(len(places[video.key]), rule.frames)
            frames = {places[video.key][at]: places[unit[0].key][at] for at in chosen.tolist()}
        else:
            least = min(counts.values()) if paired else counts[video.key]
            frames = {at: at for at in even_frames(least, rule.frames).tolist()}
        expected = None if sure or not is_file(root, video) else counts[video.key]
        try:
            seen = _checked(glances_of(root, video, sorted(frames)), expected)
            if rule.crop != "whole" and shared is None:
                (kept, lost, cuts), found.faces[video.key] = cut_by_face(out, video, seen, frames, rule, *looks)
            else:
                kept, lost, cuts = cut_alike(out, video, seen, frames, rule, shared=shared)
        except InputError as error:
            if expected is not None:
                raise _Otherwise from error
            # What came before a video broke off is not kept: those frames are of its beginning alone.
            clear(out, [video])
            found.dropped.append(Dropped(video.key, -1, str(error)))
            continue
        if paired and video is unit[0]:
            shared = cuts
        found.rows.extend(kept)
        found.dropped.extend(lost)
        if not kept:
            found.dropped.append(Dropped(video.key, -1, "no frame is left"))
        elif video.mask and rule.crop != "whole":
            back = {frame: place for place, frame in frames.items()}
            found.dropped.extend(cut_masks(root, out, video, kept, cuts, rule, back))
    return found


def _checked(seen: Iterator[Glance], expected: int | None) -> Iterator[Glance]:
    """What goes by; that it is as many frames as expected is held at the end."""
    total = 0
    for glance in seen:
        yield glance
        total += 1
    if expected is not None and total != expected:
        raise _Otherwise


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
