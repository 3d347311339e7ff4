"""What extraction reads and writes: frames of files and of archives in, crops and their rows out."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.data.catalogues import Video, read_member_frames
from metaforge.data.images import decode_image
from metaforge.data.png import png_of
from metaforge.data.video import count_frames, is_drawn
from metaforge.data.watching import Glance, expected_frames, glances, watch
from metaforge.labels import FAKE

FRAMES, MASKS = "frames", "masks"
"""The folders of crops and of their masks; a mask has its crop's path below the other folder."""


def clear(out: Path, videos: Iterable[Video]) -> None:
    """Removes what lies below `out` of these videos."""
    for folder in (out / name / video.key for name in (FRAMES, MASKS) for video in videos):
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.suffix in (".png", ".part"):
                file.unlink()


def row_of(out: Path, video: Video, frame: int, crop: np.ndarray) -> dict[str, Any]:
    """Writes a crop, and returns its row for the manifest."""
    path = f"{FRAMES}/{video.key}/{frame:05d}.png"
    digest, size = write_png(out / path, crop)
    leader = video.pair or (video.key if video.label != FAKE else "")
    return {
        "path": path, "label": video.label, "dataset": video.dataset, "method": video.method, "video": video.key,
        "identity": video.identity, "donor": video.donor, "pair": f"{leader}#{frame}" if leader else "",
        "compression": video.compression, "split": video.split, "frame": frame, "sha256": digest,
        "bytes": size,
    }  # fmt: skip


def write_png(path: Path, crop: np.ndarray) -> tuple[str, int]:
    """Writes an image whole or not at all; the SHA-256 of its pixels, and the bytes of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    content = png_of(crop)
    temporary.write_bytes(content)
    temporary.replace(path)
    # No fsync, unlike `whole_file`: the bytes of each crop are compared with its record before it is believed.
    return hashlib.sha256(crop.tobytes()).hexdigest(), len(content)


def frame_count(root: Path, video: Video) -> int:
    """How many frames a video has, in an archive or not."""
    if "::" in video.path:
        return sum(1 for _ in read_member_frames(root, video.path))
    return count_frames(root / video.path)


def expected_count(root: Path, video: Video) -> int:
    """How many frames a video has, nearly always, and nothing of it is decoded (`metaforge.data.watching`)."""
    return frame_count(root, video) if "::" in video.path else expected_frames(root / video.path)


def is_file(root: Path, video: Video) -> bool:
    """Whether a video is a file to decode, of which all frames go by."""
    return "::" not in video.path and not is_drawn(root / video.path)


def glances_of(root: Path, video: Video, frames: Iterable[int]) -> Iterator[Glance]:
    """A video going by, in an archive or not, with the pixels of these frames."""
    if "::" not in video.path:
        return watch(root / video.path, frames)
    wanted = set(frames)
    return glances(
        (place, decode_image(data, name=f"{video.path} #{place}"))
        for place, (_, data) in enumerate(read_member_frames(root, video.path))
        if place in wanted
    )
