"""Prepared data sets as a run's source: manifests to records of a split."""

import functools
from pathlib import Path

from metaforge.data.domains import SourceSplit, Splits, by_method, split, spread_frames
from metaforge.data.files import ImageFiles
from metaforge.data.manifest import read_manifest
from metaforge.data.records import Records, concatenate
from metaforge.errors import InputError
from metaforge.runs import read_json
from metaforge.types import FAKE


def folders(data: str) -> dict[str, str]:
    """The folders named in `--config.data`, by the name that their domains get: their last part.

    Raises:
        InputError: when two have one name.
    """
    paths = [path.strip() for path in data.split(",") if path.strip()]
    named = {Path(path).name: path for path in paths}
    if len(named) < len(paths):
        raise InputError(f"--config.data={data}: two folders of one name. Rename one.")
    return named


@functools.lru_cache(maxsize=8)
def splits(path: str, *, size: int, frames: int = 0) -> Splits:
    """A prepared data set taken apart; its images stay on the disk."""
    table = read_manifest(path, size=size)
    return split(spread_frames(table, frames) if frames else table)


def methods(data: str) -> tuple[str, ...]:
    """The names of all source domains: `folder/method`, or `method` alone where there is one folder."""
    named = folders(data)
    return tuple(f"{prefix}{m}" for prefix, path in _prefixed(named) for m in _methods(path))


def _prefixed(named: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"{name}/" if len(named) > 1 else "", path) for name, path in named.items()]


def _methods(path: str) -> list[str]:
    train = splits(path, size=16).train
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
        table = getattr(splits(path, size=size, frames=frames), split)
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
            f"data: the split '{split}' takes {need:.1f} GB in memory; --config.memory_gb allows {memory_gb:g}. "
            "Take fewer --config.frames of each video, a smaller --config.image_size, or allow more."
        )
    return found


def provenance(data: str) -> dict[str, dict]:
    """What every folder says of where its images come from."""
    found = {}
    for name, path in folders(data).items():
        file = Path(path) / "provenance.json"
        found[name] = read_json(file) if file.exists() else {"note": "no provenance.json: not made by prepare"}
    return found
