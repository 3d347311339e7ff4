"""A study from end to end: its results, made or found, and the report of them."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.study import data as study_data
from experiments.study import report as study_report
from experiments.study import results as study_results
from experiments.study import tables as study_tables
from experiments.study.config import STUDY, Options
from experiments.study.judging import Grid
from experiments.study.methods import METHODS, STUDIES, chosen
from experiments.study.results import Unit, queries_of, run_unit
from metaforge.backbones import weight_files
from metaforge.backbones.spec import NO_TEXT
from metaforge.bounds import Bounds, check_bounds
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.evaluation.episodes import Queries
from metaforge.processor import cores
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import Run
from metaforge.training import build, frozen_params, kept_features
from metaforge.training.config import Config
from metaforge.training.meta_train import IGNORED_FIELDS
from metaforge.whole import write_text
from metaforge.workers import mapped

_PASSING = (
    "workdir", "workers", "resamples", "methods", "seeds", "target", *(f"config.{name}" for name in IGNORED_FIELDS)
)  # fmt: skip
"""What asks for more or fewer results, for the same faster, or for the same folder by another path."""


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, adapts, measures; returns the report."""
    began, where = time.time(), provenance()
    check_bounds(options)
    config.check()
    if config.model.text != NO_TEXT:
        raise InputError(f"--model.text={config.model.text}: a study's images bring no captions. Leave it out.")
    if config.faces.prepared:
        raise InputError(
            "--faces.prepared: a study forges its own domains. Give --faces.folder, or use train and protocol."
        )
    if config.run.feature_cache:
        frozen_params.check(config)
        kept_features.check_whole(config)
    elif config.model.backbone != "conv4" or config.learner.trainable:
        raise InputError(
            "--model.backbone, --learner.trainable: a study compares whole Conv4 models, or models on cached "
            "features. Leave them out, or give --run.feature_cache=FOLDER too."
        )
    study, grid = STUDIES[options.study], _grid(options, config.run.log_every)
    usual = (STUDY.learner.name, STUDY.run.seed, STUDY.faces.holdout)
    if (config.learner.name, config.run.seed, config.faces.holdout) != usual:
        raise InputError(
            "--learner.name, --run.seed and --faces.holdout are the study's own to set. Use --methods, --seeds, "
            "--target."
        )
    if config.run.batches != "fixed":
        raise InputError(f"--run.batches={config.run.batches}: a study's methods see equal batches. Leave it out.")
    for name in ("rule", "optimizer", "lr", "steps"):
        if (value := getattr(config.adapt, name)) != getattr(STUDY.adapt, name):
            raise InputError(
                f"--adapt.{name}={value}: a study takes steps of gradient descent, at rates that it chooses. Say how "
                "many with --steps, and leave it out."
            )
    methods, targets = chosen(options.methods, study, config.model.normalisation), _targets(options, config)
    for target in targets:
        build.methods(study_data.held_out(config, target))
    for name in methods:
        _refuse_what_does_not_fit(name, study_data.held_out(config, targets[0]))
    study_data.refuse_too_few(config, targets, max(grid.shots))
    workdir = Path(options.workdir)
    pairs = [(target, seed) for target in targets for seed in range(options.seeds)]
    units = [Unit(str(workdir), *pair, group, grid, config) for pair in pairs for group in _by_model(methods)]
    queries = {target: _queries([unit for unit in units if unit.target == target]) for target in targets}
    weights = {"weights": weight_files.fingerprint(config.model)} if config.model.weights else {}
    settings = {**dataclasses.asdict(options), "config": dataclasses.asdict(config), **weights}
    whole = Run(workdir, settings, ignored_fields=_PASSING)
    workers = options.workers or (cores() if jax.default_backend() == "cpu" else 1)
    earlier = sum(study_results.result_path(workdir, target, name, seed).exists()
                  for target, seed in pairs for name in methods)  # fmt: skip
    live = study_tables.live(workdir, targets, methods, options.seeds, queries)
    with progress(options.study, len(pairs) * len(methods), unit="result", quiet=quiet) as bar:
        for found in mapped(run_unit, units, workers=workers):
            bar.update(len(found))
            table = live()
            write_text(workdir / "table.md", table + "\n")
            if not quiet:
                bar.write(f"\n{table}\n")
    report = _report(options, config, methods, targets, grid, queries) | {"provenance": where}
    report |= {"minutes": (time.time() - began) / 60, "results_of_earlier_calls": earlier}
    report["verdict"] = study_tables.verdict(report)
    whole.finish(report)
    write_text(workdir / "report.md", study_tables.markdown(report))
    return report


def _report(options: Options, config: Config, methods, targets, grid: Grid, queries) -> dict[str, Any]:
    study = STUDIES[options.study]
    scores, rules, failed = study_report.collect(options.workdir, targets, methods, options.seeds)
    measured = study_report.measure(
        scores, queries, baseline=study.baseline, shots=grid.shots, resamples=options.resamples
    )
    return {
        "command": " ".join(["python -m experiments.study", *flags_of(options, Options(), but=("workdir", "workers")),
                             *flags_of(config, STUDY)]),
        "study": options.study,
        "question": study.question,
        "config": dataclasses.asdict(config),
        "data": f"forgery domains synthesised from real faces ({config.faces.folder})",
        "methods": list(methods),
        "models": {name: " or ".join(one.model for one in METHODS[name].candidates) for name in methods},
        "baseline": study.baseline,
        "targets": list(targets),
        "seeds": options.seeds,
        "grid": grid._asdict(),
        "rules": rules,
        "failed": failed,
        **measured,
    }  # fmt: skip


def _queries(units: list[Unit]) -> Queries:
    seeds = {unit.seed: unit for unit in units}
    labels, people = zip(*(queries_of(seeds[seed]) for seed in sorted(seeds)), strict=True)
    return Queries(np.stack(labels).astype(np.int32), np.stack(people))


def _by_model(methods: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The methods that share a model belong to one process, which trains it once."""
    groups: list[tuple[set[str], list[str]]] = []
    for name in methods:
        models = {one.model for one in METHODS[name].candidates}
        first, *others = [group for group in groups if group[0] & models] or [(set(), [])]
        if not first[1]:
            groups.append(first)
        for other in others:  # a method that trains models of two groups makes them one
            groups.remove(other)
            first[0].update(other[0])
            first[1].extend(other[1])
        first[0].update(models)
        first[1].append(name)
    return [tuple(members) for _, members in groups]


def _targets(options: Options, config: Config) -> tuple[str, ...]:
    known = build.methods(config)[0]
    build.named("episodes.lead", config.episodes.lead, known)
    return tuple(known if options.target == "all" else build.named("target", options.target, known))


def _refuse_what_does_not_fit(name: str, config: Config) -> None:
    """Raises `InputError` for a method whose settings do not fit the network, before anything is written."""
    try:
        for candidate in METHODS[name].candidates:
            trained = candidate.trained(config)
            trained.check()
            frozen_params.check(trained)
            build.learner(trained)
    except InputError as error:
        raise InputError(f"--methods: '{name}' cannot be had here ({error}) Name others, or other settings.") from None


def _grid(options: Options, log_every: int) -> Grid:
    study = STUDIES[options.study]
    shots = _numbers("shots", options.shots, least=1) or study.shots
    steps = _numbers("steps", options.steps, least=0) or study.steps
    for name in ("episodes", "tuning"):
        if getattr(options, name) % study_data.BLOCK:
            raise InputError(f"--{name}={getattr(options, name)}: give a multiple of {study_data.BLOCK}.")
    if options.agreement % log_every:
        raise InputError(f"--agreement={options.agreement}: give a multiple of --run.log_every={log_every}.")
    return Grid(shots, steps, options.episodes, options.tuning, options.agreement)


def _numbers(name: str, text: str, *, least: int) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        raise InputError(f"--{name}='{text}': give whole numbers, such as 1,5,10.") from None
    bounds = Bounds(least, 1_000_000)
    if not all(map(bounds.holds, found)):
        raise InputError(f"--{name}='{text}': give whole numbers, {bounds}.")
    return found
