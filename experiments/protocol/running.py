"""A protocol's table from end to end: models trained, cells judged, the report."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.protocol.config import Options
from experiments.protocol.judging import LEARNERS, corrected, judged
from experiments.protocol.scores import scores_of
from experiments.protocol.target_images import (
    ASIDE,
    TargetImages,
    check_compression,
    read_support,
    read_target_images,
    refuse_shared_files,
    sources_validation,
)
from experiments.protocol.thresholds import thresholds_of
from metaforge.bounds import check_bounds
from metaforge.data import prepared
from metaforge.errors import InputError
from metaforge.evaluation.official import unofficial
from metaforge.evaluation.protocols import PROTOCOLS, Cell, Domains, Protocol, sources
from metaforge.locks import lock_directory
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import read_json, write_json
from metaforge.screening import from_run
from metaforge.settings import change, fields_of
from metaforge.training import checks, meta_train
from metaforge.training.config import PRESETS, Config


def run(options: Options, config: Config) -> dict[str, Any]:
    """Makes the table, or goes on making it, and returns its report."""
    protocol = _asked(options)
    config = _settled(config)
    support = read_support(options.support, protocol.cells)
    folders = _folders(options, protocol, support)
    data = {name: prepared.provenance(str(Path(options.data_dir) / name))[name] for name in folders}
    # A directory belongs to what it was begun with, and training takes days: what cannot work is said now.
    for domains in dict.fromkeys(domains for cell in protocol.cells for domains in (cell.source, cell.target)):
        check_compression(data[domains.folder], domains)
    for source in sources(protocol):
        checks.check(_run_config(options, config, source, LEARNERS[0], 0))
        for learner in LEARNERS[1:]:
            checks.check_settings(_run_config(options, config, source, learner, 0))
    targets = _targets(options, config, protocol, support)
    workdir = Path(options.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    _lock = lock_directory(workdir)
    asked = _begin(workdir, options, config, {name: _sha256(options, config, name) for name in folders})
    models = {
        (source, learner, seed): _trained(options, config, source, learner, seed)
        for source in sources(protocol)
        for learner in LEARNERS
        for seed in range(options.seeds)
    }
    level, cells = options.level or protocol.level, []
    with progress("judging", len(protocol.cells) * len(LEARNERS) * options.seeds, unit="model") as bar:
        for number, (cell, target) in enumerate(zip(protocol.cells, targets, strict=True)):
            validation = sources_validation(
                options.data_dir, cell.source, size=config.model.image_size, frames=config.faces.frames
            )
            found: dict[str, list] = {}
            rules: dict[str, list] = {}
            for (source, learner, seed), model in models.items():
                if source != cell.source:
                    continue
                path = workdir / "scores" / f"{number:03d}-{learner}-seed{seed}.npz"
                scores, rule = scores_of(
                    path, cell, target, validation, model, draws=options.draws, seed=seed,
                    selection=options.selection,  # type: ignore[arg-type]
                )  # fmt: skip
                fitted = thresholds_of(
                    path.with_suffix(f".{level}s.json"), model, validation, level=level, shots=cell.shots,
                    draws=options.draws, seed=seed, **rule,
                )  # fmt: skip
                for state, values in scores.items():
                    found.setdefault(f"{learner}, {state}", []).append(values)
                rules.setdefault(learner, []).append(rule | {"thresholds": fitted._asdict()})
                bar.update()
            stacked = {name: np.stack(values) for name, values in found.items()}
            cells.append(judged(protocol, cell, target, stacked, rules, level=level) | {"adaptation": rules})
    # A paper's numbers stand beside ours only where both are of the owners' whole data sets.
    reasons = unofficial(protocol.cells, data)
    reasons += [f"{name}: videos set aside for support sets" for name, where in support.items() if where == ASIDE]
    if protocol.published and level != protocol.level:
        reasons.append(f"{level}s are judged, and the published numbers are of {protocol.level}s")
    report = asked | {
        "protocol": protocol.name,
        "about": protocol.about,
        "axes": list(protocol.axes),
        "reference": protocol.reference,
        "remark": protocol.remark,
        "selection": options.selection,
        "level": level,
        "metrics": list(protocol.metrics),
        "normalisation": config.model.normalisation,
        # How many images normalise each other, where they do.
        "dealt": from_run.DEALT if config.model.normalisation == "episode" else 0,
        "cells": cells,
        "holm": corrected(cells),
        "data": data,
        "official": not reasons,
        "unofficial": reasons,
        "provenance": provenance(),
    }
    write_json(workdir / "report.json", report)
    return report


def _asked(options: Options) -> Protocol:
    for name in ("protocol", "data_dir", "workdir"):
        if not getattr(options, name):
            raise InputError(f"--{name} is missing. --list names the protocols and what they need.")
    check_bounds(options)
    protocol = PROTOCOLS[options.protocol]
    if not options.shots:
        return protocol
    if len({cell.shots for cell in protocol.cells}) > 1:
        raise InputError(f"--shots={options.shots}: the cells of {protocol.name} differ in their shots. Leave it out.")
    return protocol._replace(cells=tuple(cell._replace(shots=options.shots) for cell in protocol.cells))


_CELLS = "its cells name what they train on"
_FORGED = "it is for forgeries of our own, and tables take prepared data"
_OURS = {
    "learner.name": f"it trains {', '.join(LEARNERS)}",
    "run.seed": "--seeds says how many",
    **dict.fromkeys(("faces.prepared", "faces.methods", "faces.holdout", "episodes.lead"), _CELLS),
    **{f"faces.{n}": _FORGED for n in ("folder", "identity", "landmarks", "acquisitions", "variants", "split_seed")},
}
"""Settings of a run that the protocol makes itself, or that mean nothing to it, and why."""


def _settled(config: Config) -> Config:
    """The configuration without what the protocol sets itself; somebody who asked for such a thing is told."""
    said, usual = ({name: value for name, _, value in fields_of(one)} for one in (config, Config()))
    # What a preset brings along nobody has asked for; what differs from every preset, somebody has.
    presets = ({name: value for name, _, value in fields_of(preset)} for preset in PRESETS.values())
    asked = min(([name for name in _OURS if said[name] != preset[name]] for preset in presets), key=len)
    if asked:
        name = asked[0]
        raise InputError(f"--{name}={said[name]}: the protocol sets this itself ({_OURS[name]}). Leave it out.")
    return change(config, {name: usual[name] for name in _OURS} | {"run.baseline": False})


def _folders(options: Options, protocol: Protocol, support: dict[str, str]) -> list[str]:
    """The data sets that are needed, once they are known to be there."""
    named = {domains.folder for cell in protocol.cells for domains in (cell.source, cell.target)}
    folders = sorted(named | {folder for folder in support.values() if folder != ASIDE})
    missing = [name for name in folders if not (Path(options.data_dir) / name / "manifest.csv").exists()]
    if missing:
        raise InputError(
            f"--data_dir={options.data_dir}: no prepared {', '.join(missing)}. Make each with metaforge prepare "
            f"--out={options.data_dir}/NAME."
        )
    return folders


def _targets(options: Options, config: Config, protocol: Protocol, support: dict[str, str]) -> list[TargetImages]:
    most: dict[str, int] = {}
    for cell in protocol.cells:
        most[cell.target.folder] = max(cell.shots, most.get(cell.target.folder, 0))
    read: dict[tuple[Domains, int], TargetImages] = {}
    apart: set[tuple[str, Domains]] = set()

    def of(cell: Cell) -> TargetImages:
        if (cell.target, cell.shots) not in read:
            read[cell.target, cell.shots] = read_target_images(
                options.data_dir, cell, size=config.model.image_size, frames=config.faces.frames,
                shots=most[cell.target.folder], support=support,
            )  # fmt: skip
        found = read[cell.target, cell.shots]
        if (cell.source.folder, cell.target) not in apart:
            refuse_shared_files(
                options.data_dir, cell, found.test, size=config.model.image_size, frames=config.faces.frames
            )
            apart.add((cell.source.folder, cell.target))
        return found

    return [of(cell) for cell in protocol.cells]


def _sha256(options: Options, config: Config, folder: str) -> str:
    path = str(Path(options.data_dir) / folder)
    return prepared.opened(path, size=config.model.image_size, frames=config.faces.frames).sha256


def _begin(workdir: Path, options: Options, config: Config, sha256: dict[str, str]) -> dict[str, Any]:
    """Begins a table, or holds that the one there is the same, of the same data; returns what was asked for."""
    passing = ("workdir", "list", *meta_train.IGNORED_FIELDS)
    fixed = lambda fields: {name: value for name, value in fields.items() if name not in passing}
    said = lambda given: {name: value for name, _, value in fields_of(given)}
    asked = {"options": fixed(said(options)), "config": fixed(said(config))}
    path = workdir / "protocol.json"
    if not path.exists():
        write_json(path, asked | {"sha256": sha256})
        return asked
    found = read_json(path)
    before = found.pop("sha256", {})
    # Tables that were begun earlier say some of what passes too.
    if {name: fixed(fields) for name, fields in found.items()} != asked:
        other = [name for group, fields in asked.items() for name, value in fields.items()
                 if found.get(group, {}).get(name) != value]  # fmt: skip
        raise InputError(
            f"workdir: '{workdir}' holds a table that was asked for with another {', '.join(other) or 'version'}. "
            "Choose another --workdir, or ask for the same."
        )
    changed = [str(Path(options.data_dir) / name) for name in sha256 if before.get(name) != sha256[name]]
    if changed:
        raise InputError(
            f"data: '{', '.join(changed)}' is not what the table in '{workdir}' began with. Restore it, or choose "
            "another --workdir."
        )
    return asked


def _run_config(options: Options, config: Config, source: Domains, learner: str, seed: int) -> Config:
    folder, methods = str(Path(options.data_dir) / source.folder), ",".join(source.methods) or "all"
    asked = {"faces.prepared": folder, "faces.methods": methods, "learner.name": learner, "run.seed": seed}
    return change(config, asked)


def _trained(options: Options, config: Config, source: Domains, learner: str, seed: int) -> from_run.FinishedRun:
    name = "+".join([source.folder, *source.methods])
    workdir = Path(options.workdir) / "runs" / name / f"{learner}-seed{seed}"
    meta_train.run(_run_config(options, config, source, learner, seed), workdir)
    return from_run.load_run(workdir)
