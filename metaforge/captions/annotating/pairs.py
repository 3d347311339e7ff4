"""Which pairs of a real face and its forgery there are: in folders real/ and fake/, a prepared data set, or a table."""

import collections
import csv
import posixpath
from pathlib import Path
from typing import NamedTuple

from metaforge.captions.records import id_of
from metaforge.data import tables
from metaforge.data.crop_folder import PAIRS
from metaforge.data.files import ImageFiles
from metaforge.data.folders import listed
from metaforge.data.manifest import FIELDS, NAME, read_manifest
from metaforge.errors import InputError, printable
from metaforge.labels import FAKE, REAL

TABLE = PAIRS
"""A table of pairs, where it lies in a folder; its columns are real, fake and, if known, method and mask."""

_COLUMNS = ("real", "fake", "method", "mask")


class Pair(NamedTuple):
    """A forged image and what it was made from, as paths below one folder with "/" between folders.

    Attributes:
        fake: the forged image.
        real: the real one; `None` if there is none.
        method: by what it was forged, if that is known.
        mask: its exact mask, if there is one.
        why: why there is no real image; "" if there is.
        shared: whether another forged image was made from the same real one.
    """

    fake: str
    real: str | None
    method: str | None = None
    mask: str | None = None
    why: str = ""
    shared: bool = False


class Found(NamedTuple):
    """The pairs of a place.

    Attributes:
        root: the folder that paths are relative to.
        kind: "folders", "prepared" or "table".
        pairs: in the order of the table; of folders, as a person would count.
        alone: real images that no forged one was made from.
        left_out: what is no image, in words.
    """

    root: Path
    kind: str
    pairs: list[Pair]
    alone: int
    left_out: list[str]


def find_pairs(path: str) -> Found:
    """The pairs of a place; no image is opened.

    - A folder with manifest.csv is a prepared data set: a fake belongs to the real image that has its `pair`.
    - A .csv file, or a folder with pairs.csv: columns real and fake, with paths relative to the file.
    - A folder with real/ and fake/: a fake belongs to the real image of the same path but for the suffix, in real/ as
      in fake/. `fake/METHOD/a/1.png` also belongs to `real/a/1.png`.

    Args:
        path: of the folder or the table.

    Raises:
        InputError: when it is none of these, or no folder may be read; when there is no forged image; when two of them
            differ in their suffix alone; when a table has a path that leads out of its folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("real/ann/1.png", "fake/swap/ann/1.png"):
        ...         Path(folder, name).parent.mkdir(parents=True)
        ...         Path(folder, name).touch()
        ...     find_pairs(folder).pairs
        [Pair(fake='fake/swap/ann/1.png', real='real/ann/1.png', method='swap', mask=None, why='', shared=False)]
    """
    root, shown = Path(path), printable(path)
    if root.is_file() and root.suffix.lower() == ".csv" and root.name != NAME:
        found = _of_table(root)
    elif not root.is_dir() and root.name != NAME:
        problem = "is neither a folder nor a .csv file" if root.exists() else "does not exist"
        raise InputError(f"pairs: '{shown}' {problem}. Give a folder with real/ and fake/.")
    elif (manifest := root if root.name == NAME else root / NAME).is_file():
        found = _of_manifest(manifest)
    elif (root / TABLE).is_file():
        found = _of_table(root / TABLE)
    else:
        found = _of_folders(root)
    if not found.pairs:
        raise InputError(f"pairs: '{shown}' has no forged image. Give pairs of a real image and its forgery.")
    names: dict[str, str] = {}
    for pair in found.pairs:
        if (other := names.setdefault(id_of(pair.fake), pair.fake)) is not pair.fake:
            same = (
                "stands there twice" if other == pair.fake else f"and '{printable(other)}' differ in the suffix alone"
            )
            raise InputError(f"pairs: the forged image '{printable(pair.fake)}' {same}. Keep or rename one.")
    del names  # of a million pairs they take as much as the pairs
    used = collections.Counter(pair.real for pair in found.pairs)
    for place, pair in enumerate(found.pairs):
        if used[pair.real] > 1:
            found.pairs[place] = pair._replace(shared=True)
    return found


def _of_folders(root: Path) -> Found:
    for name in ("real", "fake"):
        if not (root / name).is_dir():
            raise InputError(
                f"pairs: '{printable(root.as_posix())}' has no folder '{name}', and neither {NAME} nor {TABLE}. Give a "
                "folder with real/ and fake/."
            )
    below = lambda name, files: [file.relative_to(root / name).as_posix() for file in files]
    (real, odd), (fake, others) = (listed(root / name, what="pairs") for name in ("real", "fake"))
    by_stem: dict[str, list[str]] = {}
    for name in below("real", real):
        by_stem.setdefault(id_of(name), []).append(name)
    pairs, used = [], set()
    for name in below("fake", fake):
        method, _, rest = name.partition("/")
        stem = id_of(name)
        if stem not in by_stem and id_of(rest) in by_stem:
            stem = id_of(rest)
        else:
            method = ""
        there = by_stem.get(stem, [])
        # Of two real images that differ in the suffix the one with the fake's own is meant, if it is there.
        alike = [other for other in there if Path(other).suffix == Path(name).suffix] if len(there) > 1 else there
        why = "" if len(alike) == 1 else _none_of(stem, id_of(rest))
        if len(there) > 1 and not alike:
            why = f"Which is the real one of '{printable(there[0])}' and '{printable(there[1])}' is not said."
        used.update(alike)
        pairs.append(Pair(f"fake/{name}", None if why else f"real/{alike[0]}", method or None, None, why))
    return Found(root, "folders", pairs, len(real) - len(used), [f"{one.path}: {one.reason}" for one in odd + others])


def _none_of(stem: str, below_method: str) -> str:
    """Why a forged image has no real one: the names that it may have, which are two below a folder of a method."""
    names = f"'real/{printable(stem)}'"
    if below_method:
        names = f"{names} or 'real/{printable(below_method)}'"
    return f"There is no real image {names} of any suffix."


def _of_manifest(path: Path) -> Found:
    table = read_manifest(path, size=1)
    assert isinstance(table.image, ImageFiles)
    masks, reals, used, pairs = _masks(path), {}, set(), []
    rows = list(zip(table.image.paths.tolist(), table.label.tolist(), table.pair.tolist(), table.method.tolist(),
                    strict=True))  # fmt: skip
    for name, label, pair, _ in rows:
        if label == REAL and pair:
            reals.setdefault(pair, name)
    for name, label, pair, method in rows:
        if label == FAKE:
            real = reals.get(pair)
            why = "" if real else "The manifest names no real image that it lies on."
            used.add(real)
            pairs.append(Pair(name, real, method or None, masks.get(name), why))
    return Found(path.parent, "prepared", pairs, len(reals) - len(used - {None}), [])


def _masks(path: Path) -> dict[str, str]:
    """Path of an image to that of its mask; the table has been read once and is sound."""
    with open(path, newline="", encoding="utf-8-sig") as stream:
        found = {}
        for line in tables.lines(stream, known=FIELDS, needed=("path",)):
            if line.cells["mask"]:
                where = f"manifest: '{printable(path.as_posix())}', line {line.number}"
                found[posixpath.normpath(line.cells["path"])] = _inside(line.cells["mask"], where)
        return found


def _of_table(path: Path) -> Found:
    shown = f"pairs: '{printable(path.as_posix())}'"
    pairs = []
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            for line in tables.lines(stream, known=_COLUMNS, needed=("real", "fake")):
                where = f"{shown}, line {line.number}"
                if line.problem:
                    raise InputError(f"{where}: {line.problem}. Mend the line.")
                if not line.cells["fake"]:
                    raise InputError(f"{where}: it names no forged image. Mend the line.")
                real, mask = (
                    _inside(line.cells[name], where) if line.cells[name] else None for name in ("real", "mask")
                )
                why = "" if real else "The table names no real image."
                pairs.append(Pair(_inside(line.cells["fake"], where), real, line.cells["method"] or None, mask, why))
    except OSError as error:
        raise InputError(f"{shown} cannot be read ({error.strerror}). Check its permissions.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{shown} is not a CSV file in UTF-8 ({error}). Save it as one.") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown} {error}. Its first line must name real and fake.") from None
    return Found(path.parent, "table", pairs, 0, [])


def _inside(name: str, where: str) -> str:
    """A path that stays below its folder, spelt in one way; "" for none."""
    if not name:
        return ""
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or "\x00" in name:
        raise InputError(f"{where}: '{printable(name[:100])}' is not a path below its folder, with '/'. Mend the line.")
    return posixpath.normpath(name)
