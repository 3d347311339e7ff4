"""Prepared data sets as a run's source: manifests to records of a split."""

import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metaforge.data.aside import set_aside
from metaforge.data.copies import check_contents
from metaforge.data.domains import SourceSplit, Splits, by_method, split, spread_frames
from metaforge.data.files import ImageFiles
from metaforge.data.manifest import read_manifest
from metaforge.data.records import COLUMNS, Records, concatenate
from metaforge.errors import InputError
from metaforge.labels import FAKE
from metaforge.runs import fingerprint, read_json


def folders(data: str) -> dict[str, str]:
    """The folders in a comma-separated list, by the name that their domains get: their last part.

    Raises:
        InputError: when there is none, or two have one name.
    """
    paths = [path.strip() for path in data.split(",") if path.strip()]
    if not paths:
        raise InputError(f"data: '{data}' names no folder. Give folders that metaforge prepare wrote.")
    named = {Path(path).name: path for path in paths}
    if len(named) < len(paths):
        raise InputError(f"data: '{data}' has two folders of one name. Rename one.")
    return named


class Opened(NamedTuple):
    """A prepared data set, its images on the disk.

    Attributes:
        splits: its parts.
        contents: SHA-256 of its images as its `provenance.json` states it; of a folder that states none, of the sizes
            of its files.
        sha256: of all that is known of each of its images, and of `contents`: another one is another data set.
    """

    splits: Splits
    contents: str
    sha256: str


@functools.lru_cache(maxsize=16)
def opened(path: str, *, size: int, frames: int = 0, aside: int = 0) -> Opened:
    """A prepared data set taken apart.

    Args:
        path: its folder.

    Other Arguments:
        size: side of the images when they are decoded, in pixels.
        frames: the most of each video, spread over it; 0 for all.
        aside: labelled images a class that must be had from videos set aside (`set_aside`); 0 for the splits as they
            are.

    Raises:
        InputError: when it cannot be read or its splits cannot be used, naming the folder; when a list of files that
            `prepare` did not write has one picture in two splits or classes; when a file is not there.
    """
    table = read_manifest(path, size=size)
    try:
        table = spread_frames(table, frames) if frames else table
        table = set_aside(table, shots=aside) if aside else table
        parts = split(table)
        # What `prepare` wrote it has looked at; a list of files may hold one picture under two names.
        if not _stated(Path(path)):
            check_contents(_files(table), table.label, table.split)
    except InputError as error:
        raise InputError(f"data: '{path}': {error}") from None
    contents = _contents(Path(path), table)
    columns = {name: np.asarray(getattr(table, name)) for name in (*COLUMNS, "label", "frame")}
    known = columns | {"path": paths(table), "contents": np.array(contents)}
    return Opened(parts, contents, fingerprint(known))


def _stated(folder: Path) -> str:
    """The SHA-256 of the images as `prepare` states it, or ""."""
    file = folder / "provenance.json"
    stated = read_json(file).get("sha256") if file.exists() else None
    return str(stated.get("images") or "") if isinstance(stated, dict) else ""


def _contents(folder: Path, table: Records) -> str:
    if stated := _stated(folder):
        return stated
    digest = hashlib.sha256()
    try:
        for name in dict.fromkeys(paths(table).tolist()):
            digest.update(f"{name} {(folder / name).stat().st_size}\n".encode())
    except OSError as error:
        raise InputError(
            f"data: '{error.filename}' cannot be read ({error.strerror}), and the manifest of '{folder}' names it. "
            "Restore it, or prepare the data anew."
        ) from None
    return digest.hexdigest()


def paths(table: Records) -> np.ndarray:
    """The files of a table of prepared data, relative to its folder, or to that of all of them."""
    return _files(table).paths


def _files(table: Records) -> ImageFiles:
    assert isinstance(table.image, ImageFiles)  # as read_manifest makes them
    return table.image


def in_manifest(data: str, table: Records) -> np.ndarray:
    """The methods as the manifests name them: of several folders, a source domain has the folder's name before it."""
    if len(folders(data)) < 2:
        return table.method
    pairs = zip(table.domain.tolist(), table.method.tolist(), strict=True)
    plain = [method.removeprefix(domain.partition("/")[0] + "/") for domain, method in pairs]
    return np.array(plain, np.dtypes.StringDType())


def methods(data: str, *, size: int, frames: int = 0) -> tuple[str, ...]:
    """The names of all source domains: `folder/method`, or `method` alone where there is one folder."""
    named = folders(data)
    return tuple(f"{prefix}{m}" for prefix, path in _prefixed(named) for m in _methods(path, size, frames))


def _prefixed(named: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"{name}/" if len(named) > 1 else "", path) for name, path in named.items()]


def _methods(path: str, size: int, frames: int) -> list[str]:
    train = opened(path, size=size, frames=frames).splits.train
    return sorted(set(train.method[train.label == FAKE].tolist()))


def records(
    data: str, *, split: SourceSplit, methods: tuple[str, ...], size: int, frames: int = 0, memory_gb: float = 8.0
) -> Records:
    """The images of some domains in one split, each method with the real images beside it.

    Raises:
        InputError: when a domain has no images there, or all of them would not fit in the memory allowed.
    """
    tables, named = [], folders(data)
    for prefix, path in _prefixed(named):
        table = getattr(opened(path, size=size, frames=frames).splits, split)
        mine = [name.removeprefix(prefix) for name in methods if name.startswith(prefix)]
        if mine:
            if not len(table):
                raise InputError(f"data: '{path}' has no image in its split '{split}'. Prepare it anew.")
            tables.append(by_method(table, mine, prefix=prefix))
    found = concatenate(tables)
    files = set(found.image.paths.tolist()) if isinstance(found.image, ImageFiles) else ()
    need = len(files) * size * size * 3 / 1e9
    if need > memory_gb:
        raise InputError(
            f"data: the split '{split}' takes {need:.1f} GB in memory; `memory_gb` allows {memory_gb:g}. "
            "Take fewer `frames` of each video, smaller images, or allow more."
        )
    return found


def provenance(data: str) -> dict[str, dict]:
    """What every folder says of where its images come from."""
    found = {}
    for name, path in folders(data).items():
        file = Path(path) / "provenance.json"
        found[name] = read_json(file) if file.exists() else {"note": "no provenance.json: not made by prepare"}
    return found
