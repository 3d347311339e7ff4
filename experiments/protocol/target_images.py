"""What a cell of a table is made of: the images that support sets are drawn from, and the test split that is judged."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.protocol.config import ASIDE
from metaforge.data import prepared
from metaforge.data.domains import TestSplit, by_method, clusters
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.official import prepared_with
from metaforge.evaluation.protocols import Cell, Domains
from metaforge.types import FAKE, REAL


class TargetImages(NamedTuple):
    """The images of a target.

    Attributes:
        pool: to draw support sets from, each image once; none of its people or videos is judged.
        test: what is judged.
        origin: where the pool is from, in words.
        sha256: of all that is known of them: another one is other data.
    """

    pool: Records
    test: TestSplit
    origin: str
    sha256: list[str]


def read_support(text: str, cells: Sequence[Cell]) -> dict[str, str]:
    """`--support` as a mapping from a target's folder to a folder, or to `ASIDE`.

    Raises:
        InputError: when a part does not read TARGET=FOLDER, or a target is unknown or there twice.
    """
    found: dict[str, str] = {}
    targets = list(dict.fromkeys(cell.target.folder for cell in cells))
    for part in (part.strip() for part in text.split(",") if part.strip()):
        target, _, folder = part.partition("=")
        if target not in targets or not folder or target in found:
            raise InputError(
                f"--support={text}: '{part}' is not TARGET=FOLDER or TARGET={ASIDE}, each target once, of the targets "
                f"{', '.join(targets)}."
            )
        found[target] = folder
    return found


def read_target_images(
    data_dir: str, cell: Cell, *, size: int, frames: int, shots: int, support: Mapping[str, str]
) -> TargetImages:
    """Opens a target, and holds that it can be adapted to and judged on.

    Args:
        data_dir: the folder with the data sets.
        cell: of which the target is opened.

    Other Arguments:
        size: side of the images, in pixels.
        frames: the most of each video; 0 for all.
        shots: labelled images a class; of all cells with this target the most, so that they judge the same images.
        support: what `read_support` gave.

    Raises:
        InputError: when there are too few labelled images, a method is missing, the test split has one class or one
            person, or a support folder shares people, videos or a file with it.
    """
    target = cell.target
    other = support.get(target.folder, "")
    opened = _opened(data_dir, target.folder, size, frames, aside=shots if other == ASIDE else 0)
    lender = _opened(data_dir, other, size, frames) if other not in ("", ASIDE) else opened
    train, whole = lender.splits.train, opened.splits.test
    try:
        pool = once(by_method(train, target.methods or fakes_of(train.label, train.method)))
        test = whole.only(target.methods or fakes_of(whole.label, whole.method))
    except InputError as error:
        raise InputError(f"{target.folder}: {error}") from None
    _refuse_few(pool, target.folder, cell.shots, other)
    _refuse_unfit(test, target.folder)
    if lender is not opened:
        _refuse_shared(pool, test, other, target.folder)
    origin = {"": f"the train split of {target.folder}", ASIDE: f"videos of {target.folder} set aside from its test"}
    return TargetImages(
        pool, test, origin.get(other, f"the train split of {other}"), sorted({opened.sha256, lender.sha256})
    )


def refuse_shared_files(data_dir: str, cell: Cell, test: TestSplit, *, size: int, frames: int) -> None:
    """Holds that a cell judges no file that its models learn from or are chosen on, by whatever name.

    Raises:
        InputError: naming one.
    """
    if cell.source.folder != cell.target.folder:
        learned = _opened(data_dir, cell.source.folder, size, frames).splits
        _refuse_one_file((learned.train, learned.validation), test, cell.source.folder, cell.target.folder)


def sources_validation(data_dir: str, source: Domains, *, size: int, frames: int) -> Records:
    """The validation images of what is trained on, each once."""
    splits = _opened(data_dir, source.folder, size, frames).splits
    return once(by_method(splits.validation, source.methods or fakes_of(splits.train.label, splits.train.method)))


def once(records: Records) -> Records:
    """A table with each image once: in `by_method` a real image stands beside every method."""
    first: dict[str, int] = {}
    for row, path in enumerate(prepared.paths(records).tolist()):
        first.setdefault(path, row)
    return records.take(np.fromiter(first.values(), np.int64, len(first)))


def fakes_of(label: np.ndarray, method: np.ndarray) -> tuple[str, ...]:
    """The names of the forgery methods in a table."""
    return tuple(sorted(set(method[label == FAKE].tolist())))


def check_compression(provenance: Mapping, domains: Domains) -> None:
    """Holds that a folder is what a table calls it, as far as is known: a column of c40 would be of c23.

    Raises:
        InputError: when it was prepared at another compression.
    """
    there = prepared_with(provenance, "compression")
    if domains.compression and there not in ("", domains.compression):
        raise InputError(
            f"{domains.folder}: it was prepared at {there}, and the table means {domains.compression}. Prepare it with "
            f"--compression={domains.compression}."
        )


def _opened(data_dir: str, folder: str, size: int, frames: int, *, aside: int = 0) -> prepared.Opened:
    return prepared.opened(str(Path(data_dir) / folder), size=size, frames=frames, aside=aside)


def _refuse_few(pool: Records, folder: str, shots: int, other: str) -> None:
    few = [len(pool.rows(label=label)) for label in (REAL, FAKE)]
    if min(few) >= shots:
        return
    advice = (
        "Lower --shots, or prepare more."
        if other
        else f"Lower --shots, prepare more, or let them come from elsewhere: --support={folder}=FOLDER with a train "
        f"split, or --support={folder}={ASIDE} for videos of its test split that then are not judged."
    )
    raise InputError(
        f"{other if other not in ('', ASIDE) else folder}: {few[0]} real and {few[1]} fake training images for "
        f"{shots} shots. {advice}"
    )


def _refuse_unfit(test: TestSplit, folder: str) -> None:
    if len(set(test.label.tolist())) < 2:
        raise InputError(f"{folder}: its test split has not both real and fake images. Prepare it whole.")
    if len(set(clusters(test).tolist())) < 2:
        raise InputError(f"{folder}: its test split shows one person. Intervals need two; prepare it whole.")


def _refuse_shared(pool: Records, test: TestSplit, lender: str, folder: str) -> None:
    ours = {*pool.identity.tolist(), *pool.donor.tolist(), *pool.video.tolist(), *pool.originals().tolist()} - {""}
    shared = sorted(ours & {*test.identity.tolist(), *test.video.tolist()})
    _refuse_one_file((pool,), test, lender, folder)
    if shared:
        raise InputError(
            f"--support={folder}={lender}: '{shared[0]}' is in the train split of {lender} and in the test split of "
            f"{folder}. Give a folder that shares nobody with it."
        )


def _refuse_one_file(learned: Sequence[Records], test: TestSplit, source: str, folder: str) -> None:
    """Folders of two names may be linked to one, or share files."""
    for records in learned:
        if file := test.shared(records):
            raise InputError(
                f"{source}: its file '{file}' is in the test split of {folder} too, by this name or another. "
                "Take it out of one of them."
            )
