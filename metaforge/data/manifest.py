"""A folder of face crops and the table that says what they are: what `metaforge prepare` writes, and training reads.

faces/manifest.csv      a header, and a row for each image; the columns are below
faces/provenance.json   where the images come from: counts, crop rule, what was dropped, hashes
faces/...               the images
"""

import csv
import itertools
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from metaforge.data import tables
from metaforge.data.files import ImageFiles
from metaforge.data.images import FilePath
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL
from metaforge.whole import whole_file

NAME = "manifest.csv"

FIELDS: tuple[str, ...] = (
    "path",
    "label",
    "dataset",
    "method",
    "video",
    "identity",
    "donor",
    "pair",
    "compression",
    "split",
    "frame",
    "mask",
)
"""The columns. `path` is relative to the manifest, with "/" between folders; `label` is 0 or real, 1 or fake; `video`
is `dataset/method/name`, a name that no other video has; a fake shares `pair` with the real image that it lies on pixel
by pixel; `mask` is the path of its mask, if it has one. Only `path` and `label` must be there; columns of other names
are passed over."""

SPLITS = ("train", "validation", "test")

_LABELS = {"0": REAL, "real": REAL, "1": FAKE, "fake": FAKE}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CHUNK = 50_000
_LARGEST = int(np.iinfo(np.int32).max)
# The data set stands in the video's name, and masks nobody reads here.
_READ = tuple(name for name in FIELDS if name not in ("dataset", "mask"))


def read_manifest(path: FilePath, *, size: int) -> Records:
    r"""The table of a folder of face crops; the images stay on the disk until they are asked for.

    Args:
        path: the folder, or its manifest (a CSV file of any name).

    Other Arguments:
        size: side of the images, in pixels, when they are decoded.

    Returns:
        `Records` in the order of the file. `domain` is the method (see `metaforge.data.domains`); a file without the
        column `video` gets its own path, so that every image is a video of its own. Paths are spelt in one way, without
        "./" and "//".

    Raises:
        InputError: when there is no manifest, a column is missing or there twice, or a row is wrong; it names the line.
            Blank lines and spaces around cells are passed over. A table without splits can be read, and
            `metaforge.data.domains.split` refuses it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = "path,label,method\na.png,real,\nb.png,fake,swap\n"
        ...     _ = Path(folder, "manifest.csv").write_text(rows, encoding="utf-8")
        ...     records = read_manifest(folder, size=32)
        >>> records.label.tolist(), records.method.tolist(), records.image.shape
        ([0, 1], ['', 'swap'], (2, 32, 32, 3))
    """
    path = Path(path) / NAME if Path(path).is_dir() else Path(path)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in _READ}
    for chunk in _chunks(path):
        for name in _READ:
            kind = np.int32 if name in ("label", "frame") else np.dtypes.StringDType()
            parts[name].append(np.array(chunk[name], dtype=kind))
    if not parts["path"]:
        raise InputError(f"manifest: '{path}' has no row. Prepare the data again.")
    # One column after the other, letting its pieces go: the table is never in memory twice.
    table = {name: np.concatenate(parts.pop(name)) for name in _READ}
    images = ImageFiles(table.pop("path"), root=path.parent, size=size)
    return Records.from_columns(image=images, domain=table["method"], **table)


def _chunks(path: Path) -> Iterator[dict[str, Any]]:
    """Some ten thousand rows at a time, as columns: a million rows of Python strings would take a gigabyte."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            first = next(csv.reader(stream), [])
            try:
                header = tables.columns(first, known=FIELDS, needed=("path", "label"))
            except ValueError as error:
                raise InputError(
                    f"manifest: '{path}' {error}. Its first line must name path and label, and no column twice."
                ) from None
            line = 2
            for rows in _rows(stream):
                # A blank line is nobody's row: editors and concatenation leave them at the end.
                filled = [number for number, row in enumerate(rows) if len(row) > 1 or any(map(str.strip, row))]
                if filled:
                    kept = rows if len(filled) == len(rows) else [rows[number] for number in filled]
                    yield _checked(kept, header, path, [line + number for number in filled])
                line += len(rows)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"manifest: there is no '{path}'. Prepare the data first (metaforge prepare), or give a CSV file."
        ) from error
    except OSError as error:
        raise InputError(f"manifest: '{path}' cannot be opened ({error.strerror}). Check its permissions.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"manifest: '{path}' is not a CSV file in UTF-8 ({error}). Save it as one.") from error


def _rows(stream: TextIO) -> Iterator[list[list[str]]]:
    """Lines cut at their commas, which takes a quarter of the csv module's time; its business once one is quoted."""
    while lines := list(itertools.islice(stream, _CHUNK)):
        if any('"' in line for line in lines):
            # A quote that nobody closes would take the rows behind it into its cell.
            reader = csv.reader(itertools.chain(lines, stream), strict=True)
            while rows := list(itertools.islice(reader, _CHUNK)):
                yield rows
            return
        yield [line.rstrip("\r\n").split(",") for line in lines]


def _checked(rows: list[list[str]], header: list[str], path: Path, lines: list[int]) -> dict[str, Any]:
    lengths = set(map(len, rows))
    if lengths != {len(header)}:
        wrong = next(number for number, row in enumerate(rows) if len(row) != len(header))
        raise InputError(
            f"manifest: '{path}', line {lines[wrong]}: {len(rows[wrong])} values for {len(header)} columns. "
            "Put values with commas into quotes."
        )
    cells = dict(zip(header, zip(*rows, strict=True), strict=True))
    found = {name: [_plain(cell) for cell in cells[name]] for name in _READ if name in cells}
    # Of a path, other letters are another file.
    found["path"] = [cell.strip() for cell in cells["path"]]
    table: dict[str, Any] = {name: found.get(name, [""] * len(rows)) for name in _READ}

    def refuse(name: str, bad: set[str], problem: str):
        if bad:
            wrong = next(place for place, value in enumerate(table[name]) if value in bad)
            shown = repr(table[name][wrong][:100])  # one line, whatever a stranger wrote
            raise InputError(f"manifest: '{path}', line {lines[wrong]}: {problem.format(shown)}")

    # Sets first: a million rows have few different values, and most paths are plainly good.
    known = {word: _LABELS.get(word.lower()) for word in set(table["label"])}
    bad = {word for word, label in known.items() if label is None}
    refuse("label", bad, "label {} is not 0, real, 1 or fake.")
    refuse("split", set(table["split"]) - {"", *SPLITS}, f"split {{}} is not one of {', '.join(SPLITS)}.")
    odd = [name for name in table["path"] if not name or name[0] == "/" or "\\" in name or ".." in name]
    outside = {name for name in odd if not name or name[0] == "/" or "\\" in name or ".." in name.split("/")}
    refuse("path", outside, "{} is not a path below its folder, with '/'.")
    for name, column in table.items():
        bad = {cell for cell in column if not cell.isprintable() and _CONTROL.search(cell)}
        refuse(name, bad, f"{name} {{}} is not one line of text.")
    frames = {word: _frame(word) for word in set(table["frame"])}
    bad = {word for word, number in frames.items() if number is None}
    refuse("frame", bad, f"frame {{}} is not a whole number from 0 to {_LARGEST}.")
    _refuse_lines_in_cells(rows, path, lines)
    names = [posixpath.normpath(name) if "./" in name or "//" in name else name for name in table["path"]]
    videos = [video or _plain(name) for video, name in zip(table["video"], names, strict=True)]
    numbers = {"label": [known[word] for word in table["label"]], "frame": [frames[w] for w in table["frame"]]}
    return table | numbers | {"path": names, "video": videos}


def _plain(cell: str) -> str:
    """A cell without what no eye sees: spaces around it, and two ways to write one letter."""
    cell = cell.strip()
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell)


def _refuse_lines_in_cells(rows: list[list[str]], path: Path, lines: list[int]) -> None:
    """In columns that nobody reads too, for a stray quote takes rows into its cell."""
    for line, row in zip(lines, rows, strict=True):
        if any("\n" in cell or "\r" in cell for cell in row):
            raise InputError(f"manifest: '{path}', line {line}: a quote does not end on its line. Mend the line.")


def _frame(word: str) -> int | None:
    try:
        number = int(word or 0) if word.isascii() and "_" not in word else -1
    except ValueError:
        return None
    return number if 0 <= number <= _LARGEST else None


def write_manifest(folder: FilePath, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Writes `manifest.csv` in one move: an interrupted call leaves the old one, or none.

    Args:
        folder: where the images are.
        rows: mappings from `FIELDS` to values; what is left out is empty.

    Returns:
        Where it was written.
    """
    path = Path(folder) / NAME
    with whole_file(path, ending=False) as made, open(made, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, FIELDS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path
