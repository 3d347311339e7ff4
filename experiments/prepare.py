"""From a data set as its owners hand it out to face crops and a manifest, ready for training.

    python -m experiments.prepare --dataset=faceforensics --source=FF++ --check
    python -m experiments.prepare --dataset=faceforensics --source=FF++ --out=faces/faceforensics
    python -m experiments.prepare --dataset=celeb_df --instructions

--check reads the whole tree and says what is missing, twice there, empty or unreadable; it writes nothing. Called again
after an interruption, it goes on where it was. Videos need the extra `video`, looking for faces the extra `faces`.
"""

import collections
import concurrent.futures
import csv
import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any, get_args

from experiments._progress import progress
from metaforge.commands import launch, setting, start
from metaforge.data.catalogues import CATALOGUES, Catalogue, Finding, Video, check_splits, read_catalogue
from metaforge.data.crops import Crop
from metaforge.data.extraction import Dropped, Extracted, Rule, extract, units
from metaforge.data.manifest import write_manifest
from metaforge.errors import InputError
from metaforge.runs import read_json, write_json

RECORDS = ".units"
"""The folder of what is done: one file a unit, written when all its crops are on the disk."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to do."""

    dataset: str = setting(..., "Which data set.", choices=tuple(CATALOGUES))
    source: str = setting("", "The folder as its owners hand it out.")
    out: str = setting("", "The folder to write.")
    check: bool = setting(False, "Only look, and say what is wrong.")
    instructions: bool = setting(False, "Only say how to get the data set, and what goes where.")
    workers: int = setting(os.cpu_count() or 1, "Processes; each holds one frame at a time.")


@dataclasses.dataclass(frozen=True)
class Config:
    """What changes the crops. An empty setting is the data set's default."""

    frames: int = setting(32, "Frames of each video, spread evenly over all of it.")
    crop: str = setting("ffpp", "How a face is cut out; whole: not at all.", choices=get_args(Crop))
    size: int = setting(256, "Side of the crops, in pixels.")
    methods: str = setting("", "Forgery methods, comma-separated; all if empty.")
    compression: str = setting("", "faceforensics: c0, c23 or c40.")
    version: str = setting("", "celeb_df: v1 or v2.")
    subset: str = setting("", "dfdc: train, preview or test.")
    disjoint: str = setting("", "celeb_df: identity or video.")
    ff_root: str = setting("", "deeper_forensics: the FaceForensics++ folder, which has its real videos.")

    def options(self) -> dict[str, Any]:
        """What the catalogue is asked for."""
        names = ("compression", "version", "subset", "disjoint", "ff_root")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def catalogue(options: Options, config: Config) -> Catalogue:
    """The data set's table of videos, of the methods asked for; what is wrong with its splits is among its findings."""
    if not options.source:
        raise InputError("--source is missing: the folder as its owners hand it out (--instructions tells more).")
    found = read_catalogue(options.dataset, options.source, **config.options())
    known = sorted({video.method for video in found.videos if video.label})
    wanted = [name.strip() for name in config.methods.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise InputError(f"--config.methods: '{name}' has no video here; there are: {', '.join(known)}.")
    videos = [video for video in found.videos if not wanted or video.label == 0 or video.method in wanted]
    return found._replace(videos=videos, findings=[*found.findings, *check_splits(videos)])


def check(found: Catalogue, *, quiet: bool = False) -> list[Finding]:
    """The catalogue's findings, and every video that does not open or has no picture in it."""
    from metaforge.data.video import read_frames

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
        raise InputError("--out is missing: the folder to write. --check only looks.")
    if min(config.frames, config.size, options.workers) < 1:
        raise InputError("--config.frames, --config.size and --workers must be at least 1.")
    found = catalogue(options, config)
    out = Path(options.out)
    # Where the source lies may change between two calls; what it is may not.
    asked = {"dataset": options.dataset, **dataclasses.asdict(config), "videos": _digest(found.videos)}
    _same(out, asked)
    (out / RECORDS).mkdir(parents=True, exist_ok=True)
    groups = {_name(unit): unit for unit in units(found.videos)}
    left = {name: unit for name, unit in groups.items() if not (out / RECORDS / name).exists()}
    rule = Rule(config.frames, config.crop, config.size)  # type: ignore[arg-type]
    work = functools.partial(_one, root=Path(found.root), out=out, rule=rule)
    with progress("cropping", len(groups), done=len(groups) - len(left), unit="unit", quiet=quiet) as bar:
        for _ in _mapped(work, left.items(), workers=min(options.workers, max(len(left), 1))):
            bar.update()
    parts = [read_json(out / RECORDS / name) for name in groups]
    rows = [row for part in parts for row in part["rows"]]
    dropped = [Dropped(*drop) for part in parts for drop in part["dropped"]]
    if not rows:
        raise InputError(f"source: no face in any of {len(found.videos)} videos; the first: {dropped[0].reason}")
    return _finish(out, asked, found, rows, dropped)


def _finish(out: Path, asked: dict, found: Catalogue, rows: list[dict], dropped: list[Dropped]) -> dict[str, Any]:
    with open(out / "dropped.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([Dropped._fields, *dropped])
    counts: dict[str, dict[str, dict[str, int]]] = {}
    frames = collections.Counter((row["split"], row["method"], row["video"]) for row in rows)
    for (split, method, _), images in sorted(frames.items()):
        count = counts.setdefault(split, {}).setdefault(method, {"videos": 0, "images": 0})
        count["videos"], count["images"] = count["videos"] + 1, count["images"] + images
    images = hashlib.sha256("".join(row["sha256"] for row in rows).encode()).hexdigest()
    manifest = write_manifest(out, [{k: v for k, v in row.items() if k != "sha256"} for row in rows])
    reasons = collections.Counter("whole video" if drop.frame < 0 else drop.reason for drop in dropped)
    report = asked | {
        "counts": counts,
        "dropped": dict(sorted(reasons.items())),
        "findings": dict(sorted(collections.Counter(finding.kind for finding in found.findings).items())),
        "sha256": {"manifest": hashlib.sha256(manifest.read_bytes()).hexdigest(), "images": images},
    }
    write_json(out / "provenance.json", report)
    return report


def _same(out: Path, asked: dict[str, Any]) -> None:
    """One folder holds one preparation."""
    path = out / "prepare.json"
    if path.exists():
        before = read_json(path)
        other = sorted(name for name in asked if before.get(name) != asked[name])
        if other:
            raise InputError(f"out: '{out}' was begun with another {', '.join(other)}. Choose another --out.")
        return
    if out.exists() and any(out.iterdir()):
        raise InputError(f"out: '{out}' exists already and is not a preparation. Choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, asked)


def _digest(videos: list[Video]) -> str:
    return hashlib.sha256(json.dumps([list(video) for video in videos]).encode()).hexdigest()


def _name(unit: list[Video]) -> str:
    return hashlib.sha256(unit[0].key.encode()).hexdigest()[:24] + ".json"


def _one(item: tuple[str, list[Video]], *, root: Path, out: Path, rule: Rule) -> None:
    name, unit = item
    found: Extracted = extract(unit, root=root, out=out, rule=rule, find=_find())
    write_json(out / RECORDS / name, {"rows": found.rows, "dropped": [list(drop) for drop in found.dropped]})


def _find():
    from metaforge.data.detection import detect_largest

    return detect_largest


def _mapped(work, items, *, workers: int):
    if workers == 1:
        yield from map(work, items)
        return
    # Spawned, not forked: JAX's threads do not survive a fork. Each worker's arithmetic stays in one thread.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context, initializer=_calm) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _calm() -> None:
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> None:
        if options.instructions:
            print(CATALOGUES[options.dataset].instructions)
            return
        if options.check:
            found = catalogue(options, config)
            findings = check(found)
            for finding in findings:
                print(f"{finding.kind}: {finding.path}: {finding.message}")
            print(f"{len(found.videos)} videos, {len(findings)} findings; nothing was written.")
            return
        report = run(options, config)
        for split, methods in report["counts"].items():
            for method, count in methods.items():
                print(f"{split:10s} {method:20s} {count['videos']:6d} videos {count['images']:8d} images")
        print(f"dropped: {report['dropped'] or 'nothing'}; see {options.out}/dropped.csv")
        print(f"Wrote {options.out}/manifest.csv and {options.out}/provenance.json.")

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config(), resumes=True)


if __name__ == "__main__":
    start(main)
