"""What extraction reads and writes: frames of files and of archives in, crops and their rows out."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from metaforge.data.catalogues import Video, read_member_frames
from metaforge.data.images import decode_image
from metaforge.data.video import count_frames, read_frames
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
    Image.fromarray(crop).save(temporary, format="PNG")
    size = temporary.stat().st_size
    temporary.replace(path)
    return hashlib.sha256(crop.tobytes()).hexdigest(), size


def frame_count(root: Path, video: Video) -> int:
    """How many frames a video has, in an archive or not."""
    if "::" in video.path:
        return sum(1 for _ in read_member_frames(root, video.path))
    return count_frames(root / video.path)


def frames_of(root: Path, video: Video, indices: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The frames of a video at these places, in an archive or not."""
    if "::" not in video.path:
        yield from read_frames(root / video.path, indices)
        return
    wanted = set(indices.tolist())
    for place, (_, data) in enumerate(read_member_frames(root, video.path)):
        if place in wanted:
            yield place, decode_image(data, name=f"{video.path} #{place}")
