"""Meta-training: a run, from its images to its report; interrupted, it goes on."""

import dataclasses
import functools
import math
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.backbones import choice
from metaforge.backbones.precision import Precision
from metaforge.backbones.spec import BackboneSpec
from metaforge.core.devices import is_writer, spread
from metaforge.data import prepared
from metaforge.data.pools import ImagePool
from metaforge.data.records import Records
from metaforge.runs import Run, latest_step, read_config, read_json, read_rows, refuse_another
from metaforge.runs.files import flattened
from metaforge.settings import change
from metaforge.training import (
    batch_size,
    build,
    checks,
    episodic,
    execution_form,
    frozen_params,
    kept_features,
    learner_choice,
    meta_test,
    probing,
    source_prior,
)
from metaforge.training.config import Config
from metaforge.training.outer_loop import outer_loop
from metaforge.training.outer_rate import outer_rate
from metaforge.training.validating import validator
from metaforge.whole import write_arrays

IGNORED_FIELDS = ("faces.memory_gb", "run.devices", "run.checkpoint_every", "run.baseline")
"""Settings that change nothing of what a run computes, but for rounding: one goes on with others."""


def run(config: Config, workdir: str | Path, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, or goes on training, and returns the report; a finished run of the same images returns it at once."""
    asked = config.model
    if asked.precision == "auto":
        # What cannot work is said before anything is measured.
        dataclasses.replace(config, model=dataclasses.replace(asked, precision="float32")).check()
    config = dataclasses.replace(config, model=_precise(asked, Path(workdir)))
    config.check()
    # What a run says of itself is true without its file of weights.
    config = dataclasses.replace(config, model=choice.settled(config.model))
    parts = [(config, Path(workdir))]
    # Without a step every learner is one model.
    if config.run.baseline and config.learner.name != "erm" and config.run.iterations:
        # ERM weighs no tasks.
        alone = change(config, {"learner.name": "erm", "run.baseline": False, "learner.weighting": ""})
        parts.append((alone, Path(workdir) / "erm"))
    # A directory belongs to what it was begun with, so what cannot work is said before anything is written.
    for one, place in parts:
        refuse_another(place, dataclasses.asdict(one), ignored_fields=IGNORED_FIELDS)
    whole = all(_is_whole(one, place) for one, place in parts)
    train, validation = checks.images(config, quiet=quiet) if whole else checks.check(config, quiet=quiet)
    opened = [Run(place, dataclasses.asdict(one), ignored_fields=IGNORED_FIELDS) for one, place in parts]
    for directory in opened:
        checks.refuse_other_images(config, directory, train, validation)
    reports = [
        _finish(one, directory, train, validation, quiet=quiet)
        for (one, _), directory in reversed(list(zip(parts, opened, strict=True)))
    ]
    return reports[-1]


def _precise(spec: BackboneSpec, workdir: Path) -> BackboneSpec:
    """The same in a precision that is not "auto": as the run was begun, or the faster one of this machine."""
    begun = flattened(read_config(workdir, missing_ok=True) or {}).get("model.precision")
    if spec.precision == "auto" and begun in get_args(Precision):
        return dataclasses.replace(spec, precision=begun)
    return choice.precise(spec)


def _is_whole(config: Config, workdir: Path) -> bool:
    return (workdir / "report.json").exists() and latest_step(workdir) == config.run.iterations


def _finish(config: Config, directory: Run, train: Records, validation: Records, *, quiet: bool) -> dict[str, Any]:
    if _is_whole(config, directory.directory):
        return read_json(directory.directory / "report.json")
    frozen = frozen_params.of_run(config, directory.directory, train=train, quiet=quiet)
    seen = kept_features.images(config, train, frozen, reads=True, quiet=quiet)
    unseen = kept_features.images(config, validation, frozen, quiet=quiet)
    params = _train(config, directory, train, seen, validator(config, validation, unseen, frozen), frozen, quiet=quiet)
    if is_writer():
        context = build.source_context(config, train)
        write_arrays(directory.directory / "context.npz", compressed=True, images=context)
    closed = config.adapt.rule == "discriminant"
    report = {
        "config": dataclasses.asdict(config),
        "adaptation": None if closed else meta_test.choose_rule(config, params, validation, held=unseen, frozen=frozen),
        "data": describe(config, train, validation),
        "final": (read_rows(directory.directory) or [{}])[-1],
    }
    if closed:
        report |= _closed_form(config, directory.directory, params, (train, seen), (validation, unseen), frozen)
    directory.finish(report)
    return report


def _closed_form(config: Config, directory: Path, params, train, validation, frozen) -> dict[str, Any]:
    """Fits the head and its prior, keeps them, and says what they are worth on source validation."""
    params = build.learner(config).model(params)
    source = source_prior.fitted(config, params, train[0], held=train[1], frozen=frozen)
    if is_writer():
        source_prior.write(directory, source.prior)
    features = source_prior.embedded(config, params, validation[0], held=validation[1], frozen=frozen)
    sampler = meta_test.validation_sampler(config, validation[0])
    drawn = [sampler(index) for index in range(config.run.eval_batches)]
    labels = np.asarray(validation[0].label)
    auc = source_prior.validation_auc(source.prior, features, labels, [(rows.support, rows.query) for rows in drawn])
    rule = {"optimizer": "discriminant", "rate": 0.0, "steps": 0, "validation_auc": auc, "tried": []}
    return {"adaptation": rule, "calibration": source_prior.judged(config, train[0], source)}


def describe(config: Config, train: Records, validation: Records) -> dict[str, Any]:
    """What went in: counts by domain and split, and the files that could not be read or the data sets' provenance."""
    counts = {
        split: {domain: len(rows) for domain, rows in records.by_domain().items()}
        for split, records in (("train", train), ("validation", validation))
    }
    if config.faces.prepared:
        return {
            "images": counts,
            "domains": "prepared data sets",
            "provenance": prepared.provenance(config.faces.prepared),
        }
    return {
        "images": counts,
        "skipped_files": [skip._asdict() for skip in build.faces(config).skipped],
        "domains": "synthesised from real faces",
        "landmarks": build.landmarks(config),
    }


def _train(config: Config, directory: Run, train: Records, held: ImagePool, validate, frozen, *, quiet: bool):
    """Trains to the end and returns the parameters that were trained, on the host."""
    if not config.run.iterations:
        return jax.device_get(probing.final(config, probing.initial(config)))
    sampler = checks.sampler(config, train)
    # One mesh for batches of every size.
    placed = spread(config.run.devices, tasks=math.gcd(*batch_size.buckets(config)))
    frozen = placed.replicate(frozen)
    images, labels = placed.replicate((held.image, held.label))
    state = placed.replicate(probing.initial(config))
    domains = {name: number for number, name in enumerate(train.by_domain())}

    def program(config: Config, tasks: int | None = None):
        # With one number of tasks there is nothing to tell apart, so that such runs share programs.
        given = {} if config.run.batches == "fixed" else {"tasks": tasks or config.episodes.tasks}
        return episodic.outer_step(learner_choice.for_step(config), placed.everywhere, **given)

    def attempt(config: Config):
        """One outer step in one form, on a copy of the state, since a step consumes its own."""
        arrays = episodic.arguments(placed, held.index, domains)(sampler(0))
        with placed.on_mesh():
            copy = jax.tree.map(jnp.copy, state)
            jax.block_until_ready(program(config)(copy, images, labels, *arrays, frozen))

    chosen = execution_form.choose(config, directory.directory, attempt)

    def memory(tasks: int) -> float:
        """Compiles the program for so many tasks, which is then ready."""
        arrays = episodic.arguments(placed, held.index, domains)(sampler(0, tasks=tasks))
        with placed.on_mesh():
            lowered = program(chosen, tasks).lower(state, images, labels, *arrays, frozen)
            return batch_size.bytes_of(lowered.compile())

    of_tasks = functools.partial(program, chosen)
    advance = episodic.advance_on(
        program(chosen), sampler, batches=batch_size.batches(config, directory.directory, of_tasks, memory),
        images=images, labels=labels, index=held.index, domains=domains, placed=placed, frozen=frozen,
        refresh=_refresher(config, train, images, placed, frozen), refresh_every=config.objective.refresh_every,
    )  # fmt: skip

    def judge(state, step: int) -> dict[str, float]:
        row = {"outer_lr": _rate(config, step)}
        if step % config.run.eval_every == 0 or step == config.run.iterations:
            row |= validate(jax.device_get(probing.final(config, state)))
        return row

    _, state = outer_loop(
        directory, state, advance, steps=config.run.iterations, chunk=config.run.log_every,
        save_every=config.run.checkpoint_every, judge=judge, title=f"{config.learner.name} seed {config.run.seed}",
        quiet=quiet,
    )  # fmt: skip
    return jax.device_get(probing.final(config, state))


def _refresher(config: Config, train: Records, images, placed, frozen):
    """A state to one with new outliers and what to log of them; `None` for an objective without any."""
    if config.objective.name != "fakeradar":
        return None
    bank, context = placed.replicate((probing.bank(config, train), build.source_context(config, train)))
    methods = build.methods(config)[0]

    def refresh(state):
        with placed.on_mesh():
            state, info = probing.refresher(change(config, {"run.seed": 0}))(state, images, bank, context, frozen)
        return state, probing.describe(jax.device_get(info), methods)

    return refresh


def _rate(config: Config, step: int) -> float:
    rate = outer_rate(config)
    return float(np.asarray(rate(step - 1) if callable(rate) else rate))
