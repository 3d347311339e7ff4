"""From a data set as its owners hand it out to a prepared folder: crops, manifest, and where they come from."""

import collections
import csv
import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metaforge.bounds import check_bounds
from metaforge.data import units
from metaforge.data.catalogues import Catalogue, Finding, Video, check_splits, read_catalogue
from metaforge.data.copies import clashes, picture_key
from metaforge.data.extraction import Dropped, Rule, extract
from metaforge.data.extraction import units as units_of
from metaforge.data.images import read_image
from metaforge.data.manifest import FIELDS, NAME, write_manifest
from metaforge.data.prepare_options import Config, Options
from metaforge.data.video import check_decoder, read_frames
from metaforge.errors import InputError
from metaforge.locks import lock_directory
from metaforge.places import refuse_inside
from metaforge.progress import progress
from metaforge.runs import read_json, write_json
from metaforge.whole import is_unfinished
from metaforge.workers import mapped

RULE = 5
"""Rises whenever other crops come of the same videos: one folder holds those of one rule."""

PROVENANCE = "provenance.json"

FACES = ("videos followed", "gaps", "videos with gaps", "videos with other people")
"""What is counted of the videos in which a face was followed."""


def catalogue(options: Options, config: Config) -> Catalogue:
    """The data set's table of videos, of the methods asked for; what is wrong with its splits is among its findings."""
    if not options.source:
        raise InputError("`source` is missing: the folder as its owners hand it out (`instructions` tells more).")
    found = read_catalogue(options.dataset, options.source, **config.options())
    known = sorted({video.method for video in found.videos if video.label})
    wanted = [name.strip() for name in config.methods.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise InputError(f"`methods`: '{name}' has no video here; there are: {', '.join(known)}.")
    videos = [video for video in found.videos if not wanted or video.label == 0 or video.method in wanted]
    return found._replace(videos=videos, findings=[*found.findings, *check_splits(videos)])


def check(found: Catalogue, *, quiet: bool = False) -> list[Finding]:
    """The catalogue's findings, and every video that does not open or has no picture in it."""
    _check_extras(found, "whole")
    findings = list(found.findings)
    with progress("opening", len(found.videos), unit="video", quiet=quiet) as bar:
        for video in found.videos:
            bar.update()
            if "::" in video.path:
                continue
            try:
                next(iter(read_frames(Path(found.root) / video.path, [0])))
            except (InputError, StopIteration) as error:
                findings.append(Finding("unreadable", video.path, str(error) or "it has no frame."))
    return findings


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Prepares a data set, or goes on preparing it, and returns what stands in `provenance.json`."""
    if options.source and not options.out:
        raise InputError("`out` is missing: the folder to write. `check` only looks.")
    check_bounds(options)
    check_bounds(config)
    found = catalogue(options, config)
    out, root = Path(options.out), Path(found.root)
    # Where the source lies may change between two calls, and what was missing may be there now.
    asked = {"dataset": options.dataset, **dataclasses.asdict(config), "rule": RULE}
    del asked["ff_root"]
    _refuse_another(out, asked)
    refuse_inside("out", out, root, of="source")
    if not out.exists():
        _check_extras(found, config.crop)
    out.mkdir(parents=True, exist_ok=True)
    _lock = lock_directory(out, flag="out")
    _refuse_another(out, asked)  # who waited for another process may find its preparation
    groups = {_name(unit): unit for unit in units_of(found.videos)}
    done = units.settled(out, root, groups)
    left = {name: unit for name, unit in groups.items() if name not in done}
    if left:
        _check_extras(found, config.crop)
    _begin(out, asked, groups, whole=not left)
    rule = Rule(config.frames, config.crop, config.size)  # type: ignore[arg-type]
    work = functools.partial(_one, root=root, out=out, rule=rule)
    with progress("cropping", len(groups), done=len(done), unit="unit", quiet=quiet) as bar:
        for _ in mapped(work, left.items(), workers=options.workers):
            bar.update()
    return _finish(out, asked, found, list(groups))


def _finish(out: Path, asked: dict, found: Catalogue, names: list[str]) -> dict[str, Any]:
    """Writes the tables, a unit after the other: a million rows are never in memory together."""
    records = lambda: (read_json(out / units.FOLDER / name) for name in names)
    if not any(record["rows"] for record in records()):
        reason = next(drop[2] for record in records() for drop in record["dropped"])
        raise InputError(f"source: no face in any of {len(found.videos)} videos; the first: {reason}")
    images, frames, reasons = hashlib.sha256(), collections.Counter(), collections.Counter()
    twice = clashes((row["sha256"], row["label"], row["split"]) for record in records() for row in record["rows"])
    copies: dict[str, str] = {}
    faces = collections.Counter(dict.fromkeys(FACES, 0))

    def rows() -> Iterator[dict[str, Any]]:
        for record in records():
            dropped = [Dropped(*drop) for drop in record["dropped"]]
            writer.writerows(dropped)
            for seen in record["faces"].values():
                faces.update(dict(zip(FACES, (1, seen["gaps"], seen["gaps"] > 0, seen["others"] > 0), strict=True)))
            reasons.update("whole video" if drop.frame < 0 else drop.reason for drop in dropped)
            for row in record["rows"]:
                if (key := row["sha256"][:16]) in twice:
                    copies.setdefault(key, row["path"])
                frames[row["split"], row["method"], row["video"]] += 1
                images.update(row["sha256"].encode())
                yield {name: value for name, value in row.items() if name in FIELDS}

    with open(out / "dropped.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Dropped._fields)
        manifest = write_manifest(out, rows())
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for (split, method, _), number in sorted(frames.items()):
        count = counts.setdefault(split, {}).setdefault(method, {"videos": 0, "images": 0})
        count["videos"], count["images"] = count["videos"] + 1, count["images"] + number
    with open(manifest, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    videos = hashlib.sha256(json.dumps(units.about(found.videos)).encode()).hexdigest()
    report = asked | {
        "videos": videos,
        "counts": counts,
        "dropped": dict(sorted(reasons.items())),
        "faces": dict(faces),
        "copies": _copies(copies, twice, out),
        "findings": dict(sorted(collections.Counter(finding.kind for finding in found.findings).items())),
        "sha256": {"manifest": digest, "images": images.hexdigest()},
    }
    write_json(out / PROVENANCE, report)
    return report


def _copies(first: dict[str, str], twice: dict[str, str], out: Path) -> dict[str, Any]:
    """How many pictures stand in several splits, or are real and fake, and one of each kind.

    They stay where the data set has them, and are told of: a picture of one colour shows nobody, and is none.
    """
    found: dict[str, list[str]] = {"in several splits": [], "real and fake": []}
    for key, path in first.items():
        if picture_key(read_image(out / path)):
            found["in several splits" if twice[key] else "real and fake"].append(path)
    return {kind: {"pictures": len(paths), "first": paths[0]} for kind, paths in found.items() if paths}


def _refuse_another(out: Path, asked: dict[str, Any]) -> None:
    """One folder holds one preparation."""
    path = out / "prepare.json"
    if path.exists():
        before = read_json(path)
        if before.get("rule") != RULE:
            raise InputError(
                f"out: '{out}' was begun by another version of this command, which takes other frames. Choose another "
                "`out`."
            )
        other = sorted(name for name in asked if before.get(name) != asked[name])
        if other:
            raise InputError(f"out: '{out}' was begun with another {', '.join(other)}. Choose another `out`.")
        return
    # A call that was killed while it wrote its first file leaves a piece of it.
    if out.exists() and not all(is_unfinished(each) for each in out.iterdir()):
        raise InputError(f"out: '{out}' exists already and is not a preparation. Choose another `out`.")


def _begin(out: Path, asked: dict[str, Any], groups: dict[str, list[Video]], *, whole: bool) -> None:
    """Makes the folder; one that is no longer whole has no tables until it is whole again."""
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "prepare.json", asked)
    (out / units.FOLDER).mkdir(exist_ok=True)
    for path in () if whole else (out / PROVENANCE, out / NAME):
        path.unlink(missing_ok=True)
    # A call that was killed while it wrote one of these files leaves a piece of it.
    for path in filter(is_unfinished, [*out.iterdir(), *(out / units.FOLDER).iterdir()]):
        path.unlink()
    for path in (out / units.FOLDER).glob("*.json"):
        if path.name not in groups:  # its videos have found their real one since, and are another unit's now
            path.unlink()


def _check_extras(found: Catalogue, crop: str) -> None:
    """What is not installed would otherwise stand in the list of what was dropped, once for each video."""
    check_decoder(Path(found.root) / video.path for video in found.videos if "::" not in video.path)
    if crop != "whole":
        from metaforge.data.detection import check_finder

        check_finder()


def _name(unit: list[Video]) -> str:
    return hashlib.sha256(unit[0].key.encode()).hexdigest()[:24] + ".json"


def _one(item: tuple[str, list[Video]], *, root: Path, out: Path, rule: Rule) -> None:
    name, unit = item
    sources = units.states(unit, root)
    find, again = _looks()
    found = extract(unit, root=root, out=out, rule=rule, find=find, again=again)
    units.write(out, name, unit, sources, found)


def _looks():
    from metaforge.data.detection import find_again, find_faces

    return find_faces, find_again
