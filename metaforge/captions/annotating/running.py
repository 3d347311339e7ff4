"""A file of records that grows pair by pair, is gone on with after a kill, and has its name when it is whole."""

import collections
import dataclasses
import functools
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from metaforge.captions.annotating.looking import Job, record_for, stored_for
from metaforge.captions.annotating.options import Config, Options, thresholds_of
from metaforge.captions.annotating.pairs import Found, find_pairs
from metaforge.captions.lines import drop_torn
from metaforge.captions.records import NO_ANNOTATION, VERSION, line_of, read_records
from metaforge.commands.parsing import flags_of
from metaforge.data import crop_folder
from metaforge.data.found_faces import check_found
from metaforge.data.landmarks import MESH, NONE, landmark_files, landmarks_key, read_landmarks
from metaforge.errors import InputError, printable
from metaforge.locks import lock_directory
from metaforge.places import refuse_inside
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import read_json, write_json
from metaforge.whole import refuse_used
from metaforge.workers import in_order

LIBRARIES = ("numpy", "scipy", "scikit-image", "pillow")
"""Whose versions are written down: another one may round otherwise."""


class Places(NamedTuple):
    """The file of records, what it is called until it is whole, and what is known of how it was made."""

    out: Path
    part: Path
    about: Path


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Annotates all pairs, or goes on annotating them.

    Args:
        options: what, and where to.
        config: what changes the annotations.

    Other Arguments:
        quiet: whether to show no progress.

    Returns:
        What stands beside the records: what was asked for, how often which answer was given, and the SHA-256.

    Raises:
        InputError: when the pairs cannot be used at all, or there is something else where the records go.
    """
    thresholds = thresholds_of(options.thresholds, config.limits)
    found = find_pairs(options.pairs)
    places = places_of(options.out)
    for flag in ("out", "masks", "soft", "sheet"):
        for folder in ("real", "fake") if found.kind == "folders" else ():
            refuse_inside(flag, getattr(options, flag) or options.out, found.root / folder, of="pairs")
    if options.masks and _from(options.out, options.masks) == _from(options.out, options.soft):
        raise InputError("soft: it is the folder of the masks, and both have the same names. Choose another.")
    job = job_of(options, config, found)
    asked = {
        "version": VERSION,
        "pairs": _fingerprint(found),
        "count": len(found.pairs),
        "crops": job.crops,
        "landmarks": job.landmarks if job.landmarks in (MESH, NONE) else _digest(Path(job.landmarks)),
        "size": job.size,
        "thresholds": dataclasses.asdict(thresholds),
        "masks": job.prefix,
        "soft": _from(options.out, options.soft),
    }
    if (whole := _whole_already(places, asked)) is not None:
        return whole
    _refuse_another(places, asked, options)
    if job.landmarks == MESH:
        check_found()
    return _work(places, asked, found, job, options, config, quiet=quiet)


def places_of(out: str) -> Places:
    """The three files of one call.

    Example:
        >>> places_of("a/b.jsonl").about.as_posix()
        'a/b.provenance.json'
    """
    path = Path(out)
    return Places(path, path.with_name(f"{path.name}.part"), path.with_suffix(".provenance.json"))


def job_of(options: Options, config: Config, found: Found) -> Job:
    """What is done with each of some pairs."""
    given = config.landmarks
    files = landmark_files(found.root, given)
    if files:
        known = read_landmarks(found.root, given)  # what cannot be read is said before the work
        if not any(stored_for(known, str(pair.real)) is not None for pair in found.pairs):
            raise InputError(
                f"landmarks: '{files[0].name}' names none of the {len(found.pairs)} pairs; the first would be "
                f"'{printable(landmarks_key(str(found.pairs[0].real)))}'. Give another file, mesh or none."
            )
    landmarks = str(files[0]) if files else given or MESH
    said = crop_folder.crop_of(found.root)
    crops = config.crops or ((bool(said) or found.kind == "prepared") and said != "whole")
    masks = Path(options.masks) if options.masks else None
    thresholds = thresholds_of(options.thresholds, config.limits)
    soft = Path(options.soft) if options.soft else None
    prefix = _from(options.out, options.masks)
    return Job(found.root, crops, landmarks, config.size, thresholds, masks, soft, prefix)


def _from(out: str, folder: str) -> str:
    """What stands before the path of a folder's file, seen from the records; "" for no folder."""
    above = Path(out).resolve().parent
    return f"{Path(os.path.relpath(Path(folder).resolve(), above)).as_posix()}/" if folder else ""


def _work(
    places: Places, asked: dict, found: Found, job: Job, options: Options, config: Config, *, quiet: bool
) -> dict[str, Any]:
    places.out.parent.mkdir(parents=True, exist_ok=True)
    if not places.about.exists():  # what stands there asks the same, and may be that of another process by now
        write_json(places.about, {"asked": asked})
    places.part.touch()
    _lock = lock_directory(places.part, flag="out")
    if (whole := _whole_already(places, asked)) is not None:  # who waited for another process may find its work
        return whole
    if note := drop_torn(places.part):
        print(note, file=sys.stderr)
    counts, ious, first = collections.Counter(), [0, 0.0], {}

    def counted(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for record in records:
            counts[record["answer"]] += 1
            if record["answer"] in NO_ANNOTATION:
                first.setdefault(record["answer"], f"{printable(record['id'])}: {record['reason']}")
            if record.get("mask_iou") is not None:
                ious[0] += 1
                ious[1] += record["mask_iou"]
            yield record

    done = 0
    for record in counted(read_records(places.part)):
        if done >= len(found.pairs) or record["fake"] != found.pairs[done].fake:
            raise InputError(f"out: '{places.part}' is not what this command has written. Delete it, to begin anew.")
        done += 1
    if done:
        print(f"Goes on after {done} of {len(found.pairs)} pairs.", file=sys.stderr)
    work = functools.partial(record_for, job=job)
    with (
        open(places.part, "a", encoding="utf-8", newline="\n") as file,
        progress("annotating", len(found.pairs), done=done, unit="pair", quiet=quiet) as bar,
    ):
        left = found.pairs[done:]
        for record in counted(in_order(work, left, workers=min(options.workers, max(1, len(left))), processes=True)):
            file.write(line_of(record))
            file.flush()  # what a kill leaves is then all but the pairs that were being looked at
            bar.update()
        os.fsync(file.fileno())
    if not counts.keys() - set(NO_ANNOTATION):
        places.part.unlink()
        places.about.unlink()
        raise InputError(
            f"pairs: none of the {len(found.pairs)} pairs in '{options.pairs}' can be annotated. The first, "
            f"{next(iter(first.values()))}"
        )
    report = {
        "command": " ".join(["metaforge annotate", *_flags(options, config)]),
        "asked": asked,
        "answers": {name: counts[name] for name in sorted(counts)},
        "first": first,
        "alone": found.alone,
        "left_out": found.left_out,
        "mask_iou": {"pairs": ious[0], "mean": round(ious[1] / ious[0], 6)} if ious[0] else None,
        "sha256": _digest(places.part),
        "provenance": provenance() | {name: version(name) for name in LIBRARIES},
    }
    write_json(places.about, report)
    places.part.replace(places.out)
    return report


def _flags(options: Options, config: Config) -> list[str]:
    """The flags of the call; of places the last part of the name."""
    named = {
        name: Path(value).name
        for name in ("pairs", "out", "masks", "soft", "sheet", "thresholds")
        if (value := getattr(options, name))
    }
    # A call that goes on may have other workers, and its records are the same.
    usual = dataclasses.replace(options, pairs="", out="", masks="", soft="", sheet="", thresholds="")
    config = dataclasses.replace(config, landmarks=Path(config.landmarks).name)
    return [
        *flags_of(dataclasses.replace(options, **named), usual, but=("workers", "rows")),
        *flags_of(config, Config()),
    ]


def _whole_already(places: Places, asked: dict) -> dict[str, Any] | None:
    """What is known of records that are whole, and are those that are asked for; `None` if they are not there."""
    if not (places.out.is_file() and places.about.is_file()):
        return None
    about = read_json(places.about)
    same = about.get("asked") == asked and about.get("sha256") == _digest(places.out)
    return about | {"whole_already": True} if same else None


def _refuse_another(places: Places, asked: dict, options: Options) -> None:
    """Nothing that another call has made, or somebody else, is written over."""
    refuse_used(places.out)
    if places.about.exists():
        about = read_json(places.about)
        before = about.get("asked")
        if before == asked:
            if "sha256" in about and not places.part.exists():  # of records of another ending, or that were moved
                refuse_used(places.about)
            return
        before = before if isinstance(before, dict) else {}
        other = sorted(name for name in asked if before.get(name) != asked[name])
        if places.part.exists():
            raise InputError(
                f"out: '{places.part}' was begun with another {', '.join(other)}. Choose another --out, or delete it "
                f"and '{places.about.name}'."
            )
        refuse_used(places.about)
    refuse_used(places.part)
    for folder in filter(None, (options.masks, options.soft)):
        if Path(folder).exists() and any(Path(folder).iterdir()):
            raise InputError(f"masks: '{folder}' holds something already. Choose a new folder; nothing was changed.")


def _fingerprint(found: Found) -> str:
    digest = hashlib.sha256()
    for pair in found.pairs:
        digest.update(repr(tuple(pair)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
