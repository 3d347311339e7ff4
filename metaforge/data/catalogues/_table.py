"""A user's CSV file of videos: each line is checked, for a stranger may have written it."""

import csv
import os
from pathlib import Path
from typing import NamedTuple

from metaforge.data import tables
from metaforge.data.catalogues._base import SPLITS, Finding, Found, Split, Video
from metaforge.data.catalogues._scan import hidden
from metaforge.data.formats import SUFFIXES
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

_LABELS = {"real": REAL, "0": REAL, "fake": FAKE, "1": FAKE}
_SPLITS: dict[str, Split] = {
    "": "train",
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "test": "test",
}


class Row(NamedTuple):
    """A video, and whether its user said which split it is for."""

    found: Found
    given: bool


def read_table(table: Path, dataset: str, findings: list[Finding]) -> list[Row]:
    """The videos that a CSV file lists; lines that cannot be used become findings with their numbers.

    A file that two lines name is taken once; not at all, if they call it real and fake. Left out, `dataset` is what is
    given here, `method` the label's name, `video` the path without its ending. People whose name says no data set get
    this one's. A pair may be a video's key, or the name of a real video.

    Raises:
        InputError: when it is not a CSV file, lacks a column, or has one twice.
    """
    lines: dict[str, list[tuple[int, Row]]] = {}
    short: list[int] = []
    try:
        with open(table, newline="", encoding="utf-8-sig") as stream:
            for line, cells, wrong, lacks in tables.lines(stream, known=Video._fields, needed=("path", "label")):
                short += [line] * (lacks > 0)
                problem = wrong or _problem(cells)
                if problem:
                    findings.append(Finding("unreadable", table.name, f"line {line}: {problem}: left out."))
                    continue
                size = _size(table.parent / cells["path"])
                if size is None:
                    findings.append(Finding("missing", cells["path"], f"line {line} names it. Check the path."))
                    continue
                row = Row(Found(_video(cells, dataset), size), bool(cells["split"]))
                lines.setdefault(os.path.normpath(cells["path"]), []).append((line, row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{dataset}: '{table.as_posix()}' is not a CSV file ({reason}). Save it as one, in UTF-8."
        ) from error
    except ValueError as error:
        where = f"'{table.as_posix()}' {error}"
        raise InputError(
            f"{dataset}: {where}. Its first line must name path and label, and no column twice."
        ) from error
    if short:
        text = f"{len(short)} lines have fewer values than columns, the first line {short[0]}: the last count as empty."
        findings.append(Finding("note", table.name, f"{text} Check that none is lacking before them."))
    found = [row for path, named in lines.items() for row in _once(path, named, findings)]
    keys = {row.found.video.key for row in found}
    return [row._replace(found=_paired(row.found, keys)) for row in found]


def _once(path: str, named: list[tuple[int, Row]], findings: list[Finding]) -> list[Row]:
    """Of the lines that name a file, that of the strictest split; none, if one says real and another fake."""
    each = [row for _, row in named]
    if len(each) > 1:
        where = f"lines {', '.join(str(line) for line, _ in named[:5])}{', ...' * (len(named) > 5)}"
        if len({row.found.video.label for row in each}) > 1:
            findings.append(
                Finding("unreadable", path, f"{where} call it real and fake: left out. Keep the right one.")
            )
            return []
        findings.append(Finding("duplicate", path, f"{where} name it, and one of them counts. Keep one."))
    return [min(each, key=lambda row: SPLITS.index(row.found.video.split))]


def _problem(cells: dict[str, str]) -> str:
    """What is wrong with a line, or ""."""
    for name, text in cells.items():
        # Names become folders of what is cut out of the videos, so none may lead elsewhere.
        if not text.isprintable() or len(text) > 200 or "\\" in text or "::" in text:
            return f"{name} is longer than 200 letters, or has some that no path can hold"
        if text.startswith("/") or ".." in text.split("/") or os.path.isabs(text):
            return f"{name} '{text}' is not a path below the file's folder"
    if not cells["path"] or any("/" in cells[name] for name in ("dataset", "method")):
        return "path is empty, or dataset or method has a '/'"
    if cells["label"].casefold() not in _LABELS:
        return f"label '{cells['label']}' is not 0, real, 1 or fake"
    if cells["split"].casefold() not in _SPLITS:
        return f"split '{cells['split']}' is not train, validation or test"
    if _LABELS[cells["label"].casefold()] == FAKE and cells["method"].casefold() == "real":
        return "a fake has the method 'real'"
    return ""


def _video(cells: dict[str, str], dataset: str) -> Video:
    label = _LABELS[cells["label"].casefold()]
    dataset = cells["dataset"] or dataset
    people = {who: cells[who] and (cells[who] if "/" in cells[who] else f"{dataset}/{cells[who]}")
              for who in ("identity", "donor")}  # fmt: skip
    name = cells["video"] or os.path.splitext(cells["path"])[0].replace("/", "__")
    return Video(
        cells["path"], label, dataset, "real" if label == REAL else cells["method"] or "fake", name, **people,
        pair=cells["pair"], compression=cells["compression"], split=_SPLITS[cells["split"].casefold()],
        mask=cells["mask"],
    )  # fmt: skip


def _paired(found: Found, keys: set[str]) -> Found:
    row = found.video
    full = f"{row.dataset}/real/{row.pair}"
    return (
        found._replace(video=row._replace(pair=full)) if row.pair and row.pair not in keys and full in keys else found
    )


def _size(path: Path) -> int | None:
    """Bytes of a file, or of the images in a folder; -1 for what is neither, `None` if it is not there."""
    if path.is_dir():
        with os.scandir(path) as entries:
            images = [entry for entry in entries if os.path.splitext(entry.name)[1].lower() in SUFFIXES]
            return sum(entry.stat().st_size for entry in images if entry.is_file() and not hidden(entry.name))
    if not path.exists():
        return None
    return path.stat().st_size if path.is_file() else -1
