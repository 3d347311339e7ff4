"""Screens many files: names in, records out, one after the other; what was done is not done again."""

import contextlib
import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from metaforge.commands.parsing import flags_of
from metaforge.errors import InputError
from metaforge.places import refuse_inside
from metaforge.progress import progress
from metaforge.screening.batches.names import as_they_come
from metaforge.screening.batches.on_ray import records_on_ray, running_ray
from metaforge.screening.batches.options import Options
from metaforge.screening.batches.page import refuse_other as refuse_other_page
from metaforge.screening.batches.page import write_page
from metaforge.screening.batches.results import Places, open_results, places_of, refuse_another
from metaforge.screening.batches.seen import Seen
from metaforge.screening.batches.sources import Source, first, source_of
from metaforge.screening.batches.summary import summary_of
from metaforge.screening.batches.thumbnails import thumbnail
from metaforge.screening.batches.triage import refuse_other as refuse_other_table
from metaforge.screening.batches.triage import write_triage
from metaforge.screening.verdicts.record import VERSION, Failure, FileVerdict

if TYPE_CHECKING:
    from metaforge.screening.engine import Engine
    from metaforge.screening.verdicts import Screener

TOGETHER = 64
"""Names from a pipe that are judged together, where so many are waiting."""


class Screened(NamedTuple):
    """What was done.

    Attributes:
        counts: how many records of all have which decision, or "error".
        judged: files of this call.
        before: those of calls before.
        again: names that came a second time, or were done before.
        left_out: how many files have which ending and were not looked at.
        amiss: what is wrong with the crops, if anything.
    """

    counts: dict[str, int]
    judged: int
    before: int
    again: int
    left_out: dict[str, int]
    amiss: str


def run(options: Options, *, screener: "Screener | None" = None, quiet: bool = False) -> Screened:
    """Judges all files of a call, or goes on.

    Args:
        options: what, with what, and where to.

    Other Arguments:
        screener: what judges; made of the options if left out.
        quiet: whether to show no progress.

    Raises:
        InputError: when it cannot begin.
    """
    source = source_of(options.images)
    names = first(source, options.priority)
    for name, path in (("out", options.out), ("triage", options.triage)):
        if path and source.kind == "folder":
            refuse_inside(name, path, source.root, of="images")
    if options.ray and source.kind == "pipe":
        raise InputError("ray: it is given all names at once, and those from standard input come one by one.")
    places = places_of(options.out)
    page = places.out.with_suffix(".html")
    if options.triage and os.path.abspath(options.triage) in map(os.path.abspath, (*places, page)):
        raise InputError("triage: results, or the page of them, go there already. Choose another.")
    with running_ray(options.workers) if options.ray else contextlib.nullcontext():
        return _run(options, screener, source, names, places, page, quiet=quiet)


def _run(
    options: Options, screener: "Screener | None", source: Source, names: Iterator[str], places: Places, page: Path, *,
    quiet: bool,
) -> Screened:  # fmt: skip
    if screener is None:
        from metaforge.screening.verdicts import screener as made

        screener = made(options.model, weights=options.weights, engine=cast("Engine", options.engine),
                        crops=options.crops, frames=options.frames, evidence=options.evidence)  # fmt: skip
    crop, amiss = screener.crop_in(Path(source.root))
    asked = {
        "version": VERSION,
        "model": screener.model.sha256,
        "engine": options.engine,
        "crops": crop is None,
        "frames": options.frames,
        "evidence": options.evidence,
        "images": hashlib.sha256(os.fsencode(os.path.realpath(source.root))).hexdigest(),
    }
    refuse_another(places, asked)
    if options.page:
        refuse_other_page(page)
    if options.triage:
        refuse_other_table(options.triage)
    total = source.count()
    if total == 0 and source.kind != "pipe":
        raise InputError("images: no image and no video is there. Check the folder, the pattern or the list.")
    with open_results(places, asked, _about(options, screener)) as results:
        before, found = len(results.done), _Found()
        todo = _todo(names, results.done, found)
        with progress("screening", total, done=before, unit="file", quiet=quiet) as bar:
            for record in _records(options, screener, source, todo):
                results.write(record)
                found.judged += 1
                bar.update()
        if options.page:
            summary = summary_of(places.out, worst=options.pictures)
            picture = functools.partial(thumbnail, root=source.root)
            write_page(page, summary, picture=picture, called=places.out.name)
        if options.triage:
            write_triage(places.out, options.triage)
    return Screened(dict(results.counts), found.judged, before, found.again, dict(source.left_out), amiss)


class _Found:
    """How many files were judged, and how many names were passed over."""

    judged = again = 0


def _todo(names: Iterable[str], done: Seen, found: _Found) -> Iterator[str]:
    for name in names:
        if done.add(name):
            yield name
        else:
            found.again += 1


def _records(options: Options, screener: "Screener", source: Source, todo: Iterator[str]) -> Iterator[FileVerdict]:
    if options.ray:
        yield from records_on_ray(options, source.root, todo)
    elif source.kind == "pipe":
        for some in as_they_come(todo, most=TOGETHER):
            yield from judge(screener, some, root=source.root, workers=options.workers)
    else:
        yield from judge(screener, todo, root=source.root, workers=options.workers)


def judge(screener: "Screener", names: Iterable[str], *, root: str, workers: int) -> Iterator[FileVerdict]:
    """A record for each name, in their order, under the name by which it was listed.

    Args:
        screener: what judges.
        names: asked for as they are needed.

    Other Arguments:
        root: what they are relative to.
        workers: threads.
    """
    listed: list[str] = []

    def paths() -> Iterator[Path]:
        for name in names:
            listed.append(name)
            yield Path(root, name)

    for record in screener.verdicts(paths(), root=Path(root), workers=workers):
        yield _called(record, listed.pop(0), root)


def _called(record: FileVerdict, name: str, root: str) -> FileVerdict:
    if name.endswith("/") and record.error and not _opens(os.path.join(root, name.rstrip("/"))):
        closed = "the folder cannot be read, and nothing in it was. Check its permissions."
        record = record._replace(error=Failure("unreadable", closed), reason=closed)
    return record._replace(file=name)


def _opens(folder: str) -> bool:
    """Whether a folder can be read: a list may name one that can, and from which nothing was to be judged."""
    try:
        os.scandir(folder).close()
    except OSError:
        return False
    return True


def _about(options: Options, screener: "Screener") -> dict[str, Any]:
    places = ("model", "images", "out", "weights", "priority", "triage")
    named = {name: Path(value).name for name in places if (value := getattr(options, name))}
    kept = flags_of(dataclasses.replace(options, **named), Options(), but=("workers",))
    try:
        ours = version("metaforge-jax")
    except PackageNotFoundError:  # a clone that is not installed
        ours = "unknown"
    return {"command": " ".join(["metaforge screen", *kept]), "model": screener.model._asdict(), "metaforge": ours}
