"""Omniglot's drawings, from the archives that it is handed out in or from folders: read, made small, split."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from metaforge.data.images import decode_image
from metaforge.errors import InputError
from metaforge.progress import progress

SIDE = 28
FULL = (1623, 20)
"""Characters and drawings of each in the whole set."""
PUBLISHED_SPLIT = {"train": 1100, "validation": 100, "test": 423}
"""MAML's code: of 1,623 characters in random order 1,100, then 100, then the rest (its paper counts 1,200 and 423)."""
SPLIT_SEED = 1
WANTED = (
    "Give images_background.zip and images_evaluation.zip of github.com/brendenlake/omniglot (folder python/), or a "
    "folder alphabet/character/drawings"
)


class Drawings(NamedTuple):
    """Everybody's drawings of every character.

    Attributes:
        images: uint8, ink is 255 on 0.
        names: alphabet/character, sorted, so that nothing depends on how the set was packed.
        halves: "background", "evaluation" or "", by character: the half that its archive or folder is named after.
    """

    images: UInt8[np.ndarray, "characters drawings side side"]
    names: list[str]
    halves: list[str]

    @property
    def full(self) -> bool:
        """Whether this is the whole published set."""
        return self.images.shape[:2] == FULL


def read(sources: str, *, quiet: bool = False) -> Drawings:
    """Reads archives and folders; a character that is in several of them counts once.

    Args:
        sources: archives (`images_*.zip` or another that holds alphabet/character/drawing.png), folders of such
            archives, and unpacked folders, comma-separated.

    Other Arguments:
        quiet: whether to leave out the progress bar.

    Raises:
        InputError: when a source is missing, holds no drawings, or holds what cannot be read; when characters differ in
            their number of drawings; when drawings are light on dark.
    """
    files: dict[str, dict[str, Callable[[], np.ndarray]]] = {}
    halves: dict[str, str] = {}
    for source in filter(None, (part.strip() for part in sources.split(","))):
        before = len(files)
        for path, load in _files(Path(source)):
            name = "/".join(path.parts[-3:-1])
            files.setdefault(name, {}).setdefault(path.name, load)
            halves.setdefault(name, _half(path))
        if len(files) == before and not files:
            raise InputError(f"--data: '{source}' holds no alphabet/character/drawing.png. {WANTED}.")
    if not files:
        raise InputError(f"--data='{sources}': no source was named. {WANTED}.")
    names = sorted(files)
    counts = {len(files[name]) for name in names}
    if len(counts) > 1:
        usual = max(counts, key=lambda count: sum(len(files[name]) == count for name in names))
        odd = next(name for name in names if len(files[name]) != usual)
        raise InputError(
            f"--data: character '{odd}' has {len(files[odd])} drawings, others {usual}. Unpack or download it again."
        )
    images = []
    with progress("reading drawings", len(names), unit="character", quiet=quiet) as bar:
        for name in names:
            images.append(np.stack([files[name][file]() for file in sorted(files[name])]))
            bar.update()
    found = Drawings(np.stack(images), names, [halves[name] for name in names])
    if found.images.mean() > 127.5:
        raise InputError("--data: the drawings are light on dark; Omniglot's are dark on light. Invert them.")
    return found


def split(drawings: Drawings, how: str) -> dict[str, np.ndarray]:
    """Which characters are for what: "train", "validation" and "test" to numbers of characters, sorted.

    Args:
        drawings: the set.
        how: "characters" takes them in one random order, the same always: 1,100 / 100 / 423 of the full set, as MAML's
            code does, and the same shares of a smaller one. "halves" tests on the official evaluation half, and holds
            one in ten of the background half's characters (at most 100) out for validation.

    Raises:
        InputError: for halves that are not both there.
    """
    order = np.random.default_rng(SPLIT_SEED).permutation(len(drawings.names))
    if how == "halves":
        halves = np.array(drawings.halves)[order]
        background, test = order[halves == "background"], order[halves == "evaluation"]
        if not len(background) or not len(test):
            raise InputError(
                f"--split=halves: {len(background)} characters of the background half and {len(test)} of the "
                "evaluation half were found. Give both archives, or --split=characters."
            )
        held = max(1, min(100, len(background) // 10))
        parts = {"train": background[held:], "validation": background[:held], "test": test}
    else:
        share = len(order) / sum(PUBLISHED_SPLIT.values())
        train, held = (max(1, round(share * PUBLISHED_SPLIT[part])) for part in ("train", "validation"))
        parts = {"train": order[:train], "validation": order[train : train + held], "test": order[train + held :]}
    return {name: np.sort(part) for name, part in parts.items()}


def turned(images: np.ndarray) -> UInt8[np.ndarray, "rows side side 1"]:
    """All drawings in all quarter turns, one under the other: row (turn * characters + character) * drawings + i."""
    turns = np.stack([np.rot90(images, turn, axes=(2, 3)) for turn in range(4)])
    return np.ascontiguousarray(turns.reshape(-1, SIDE, SIDE, 1))


def _files(source: Path) -> Iterator[tuple[PurePath, Callable[[], np.ndarray]]]:
    """The drawings of one source: where each is, and how to load it."""
    if source.is_dir():
        for path in sorted(source.glob("images_*.zip")):
            yield from _archived(path)
        for path in sorted(source.rglob("*.png")):
            if not _hidden(path.relative_to(source)):
                yield path.absolute(), lambda path=path: _small(path.read_bytes(), str(path))
    elif not source.exists():
        raise InputError(f"--data: there is no '{source}'. {WANTED}.")
    else:
        yield from _archived(source)


def _archived(path: Path) -> Iterator[tuple[PurePath, Callable[[], np.ndarray]]]:
    try:
        archive = zipfile.ZipFile(path)
        names = sorted(archive.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"--data: '{path}' is no readable zip archive ({error}). Download it again.") from error
    for name in names:
        inside = PurePath(name)
        # Read in memory, never unpacked: a name that leads outside could only be a manipulated archive's.
        if ".." in inside.parts or inside.is_absolute():
            raise InputError(f"--data: '{name}' in '{path.name}' leads outside the archive. Download it again.")
        if name.lower().endswith(".png") and len(inside.parts) >= 3 and not _hidden(inside):
            yield PurePath(path.stem) / inside, lambda name=name: _packed(archive, name)


def _packed(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    where = f"{name} in {archive.filename}"
    try:
        if archive.getinfo(name).file_size > 1_000_000:
            raise InputError(f"--data: '{where}' is no drawing: it has more than a million bytes.")
        return _small(archive.read(name), where)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"--data: '{where}' cannot be read ({error}). Download the archive again.") from error


def _small(data: bytes, name: str) -> np.ndarray:
    """One drawing as ink. Decoded to grey first: Pillow resizes images of one bit by taking every fourth pixel."""
    grey = decode_image(data, name=name, max_pixels=1_000_000)[..., 0]
    if grey.shape[0] != grey.shape[1]:
        raise InputError(
            f"--data: '{name}' is {grey.shape[1]} x {grey.shape[0]} pixels; Omniglot's drawings are square."
        )
    return np.array(Image.fromarray(255 - grey).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _hidden(path: PurePath) -> bool:
    return any(part.startswith((".", "__")) for part in path.parts)


def _half(path: PurePath) -> str:
    return next((half for part in path.parts[:-3] for half in ("background", "evaluation") if half in part), "")
