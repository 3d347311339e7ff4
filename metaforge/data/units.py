"""What of a preparation is done: a file for each unit, written when all of its crops are on the disk.

A record counts only as long as it is whole, speaks of the videos that are asked for, their files are those that it was
made from, and its crops are there. What is not counted is made anew.
"""

from pathlib import Path
from typing import Any

from metaforge.data.catalogues import Video
from metaforge.data.extraction import Extracted
from metaforge.data.folders import list_images
from metaforge.errors import InputError
from metaforge.runs import read_json, write_json

FOLDER = ".units"


def settled(out: Path, root: Path, groups: dict[str, list[Video]]) -> set[str]:
    """The names of the units that need not be made again.

    Raises:
        InputError: when something was made of a video that is not among those asked for: another source, most likely.
    """
    known = {video.key for unit in groups.values() for video in unit}
    found = set()
    for path in sorted((out / FOLDER).glob("*.json")):
        record = read(out, path.name)
        if record is None:
            continue
        gone = [video[0] for video in record["videos"] if video[0] not in known]
        if gone:
            raise InputError(
                f"out: '{out}' has crops of '{gone[0]}', which `source` lacks now. Restore it, or choose another `out`."
            )
        if path.name in groups and stands(record, groups[path.name], root, out):
            found.add(path.name)
    return found


def read(out: Path, name: str) -> dict[str, Any] | None:
    """A unit's record, or `None` where there is none that can be read."""
    try:
        record = read_json(out / FOLDER / name)
    except InputError:
        return None
    kinds = {"videos": list, "sources": dict, "rows": list, "dropped": list, "faces": dict}
    whole = record.keys() == kinds.keys() and all(isinstance(record[name], kind) for name, kind in kinds.items())
    return record if whole else None


def write(out: Path, name: str, unit: list[Video], sources: dict[str, list[int]], found: Extracted) -> None:
    """Records a unit, in one move; `sources` were asked for before its videos were read."""
    dropped = [list(drop) for drop in found.dropped]
    known = {"videos": about(unit), "sources": sources, "rows": found.rows, "dropped": dropped, "faces": found.faces}
    write_json(out / FOLDER / name, known)


def stands(record: dict[str, Any], unit: list[Video], root: Path, out: Path) -> bool:
    """Whether a record is of this unit and its files, and its crops are on the disk, none cut short."""
    if record["videos"] != about(unit) or record["sources"] != states(unit, root):
        return False
    try:
        return all(
            (out / row["path"]).stat().st_size == row["bytes"]
            and (not row.get("mask") or (out / row["mask"]).stat().st_size > 0)
            for row in record["rows"]
        )
    except (OSError, KeyError, TypeError):
        return False


def about(unit: list[Video]) -> list[list]:
    """What is known of the videos of a unit, in JSON's types; where they lie may change."""
    return [list(video._replace(path=video.key, mask="mask" if video.mask else "")) for video in unit]


def states(unit: list[Video], root: Path) -> dict[str, list[int]]:
    """By video and mask: how many files it is, their bytes, and the second in which one of them changed last."""
    found = {video.key: _state(root / video.path.partition("::")[0]) for video in unit}
    return found | {f"{video.key} (mask)": _state(root / video.mask) for video in unit if video.mask}


def _state(path: Path) -> list[int]:
    try:
        files = list_images(path) if path.is_dir() else [path]
        status = [file.stat() for file in files]
    except (OSError, InputError):
        return []
    # Whole seconds: copies onto other file systems keep no more.
    return [len(status), sum(file.st_size for file in status), int(max((file.st_mtime for file in status), default=0))]
