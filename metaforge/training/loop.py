"""Meta-training: the one loop over outer steps, from its images to its report; interrupted, it goes on."""

import dataclasses
import functools
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from metaforge.core.devices import is_writer, spread
from metaforge.data import prepared
from metaforge.data.episodes import Pool, gather
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.progress import progress
from metaforge.runs import Run, latest_step, read_json, read_rows, refuse_another
from metaforge.settings import change
from metaforge.training import (
    build,
    checks,
    execution_form,
    frozen_params,
    kept_features,
    learner_choice,
    meta_test,
    probing,
)
from metaforge.training.config import Config
from metaforge.whole import write_arrays

IGNORED_FIELDS = ("faces.memory_gb", "run.devices", "run.checkpoint_every", "run.baseline")
"""Settings that change nothing of what a run computes, but for rounding: one goes on with others."""


def run(config: Config, workdir: str | Path, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, or goes on training, and returns the report; a finished run of the same images returns it at once."""
    parts = [(config, Path(workdir))]
    if config.run.baseline and config.learner.name != "erm":
        # ERM weighs no tasks.
        alone = change(config, {"learner.name": "erm", "run.baseline": False, "learner.weighting": ""})
        parts.append((alone, Path(workdir) / "erm"))
    # A directory belongs to what it was begun with, so what cannot work is said before anything is written.
    config.check()
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


def _is_whole(config: Config, workdir: Path) -> bool:
    return (workdir / "report.json").exists() and latest_step(workdir) == config.run.iterations


def _finish(config: Config, directory: Run, train: Records, validation: Records, *, quiet: bool) -> dict[str, Any]:
    if _is_whole(config, directory.directory):
        return read_json(directory.directory / "report.json")
    frozen = frozen_params.of_run(config, directory.directory)
    seen, unseen = (kept_features.images(config, records, frozen, quiet=quiet) for records in (train, validation))
    params = _train(config, directory, train, seen, _validator(config, validation, unseen, frozen), frozen, quiet=quiet)
    if is_writer():
        context = build.source_context(config, train)
        write_arrays(directory.directory / "context.npz", compressed=True, images=context)
    report = {
        "config": dataclasses.asdict(config),
        "adaptation": meta_test.choose_rule(config, params, validation, held=unseen, frozen=frozen),
        "data": describe(config, train, validation),
        "final": read_rows(directory.directory)[-1],
    }
    directory.finish(report)
    return report


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
    skipped = [skip._asdict() for skip in build.faces(config).skipped]
    return {"images": counts, "skipped_files": skipped, "domains": "synthesised from real faces"}


def _train(config: Config, directory: Run, train: Records, held: Pool, validate, frozen, *, quiet: bool):
    """Trains to the end and returns the parameters that moved, on the host."""
    sampler = checks.sampler(config, train)
    placed = spread(config.run.devices, tasks=config.episodes.tasks)
    frozen = placed.replicate(frozen)
    images, labels = placed.replicate((held.image, held.label))
    state = placed.replicate(probing.initial(config))
    refresh = _refresher(config, train, placed, frozen)

    def outer_step(config: Config):
        return _outer_step(learner_choice.for_step(config), placed.everywhere)

    number = {name: place for place, name in enumerate(train.by_domain())}

    def sides(rows):
        of_domains = np.array([number[name] for name in rows.domains], np.int32)
        return tuple(map(placed.by_task, (held.index[rows.support], held.index[rows.query], of_domains)))

    def attempt(config: Config):
        """One outer step in one form, on a copy of the state, since a step consumes its own."""
        rows = sampler(0)
        with placed.on_mesh():
            copy = jax.tree.map(jnp.copy, state)
            jax.block_until_ready(outer_step(config)(copy, images, labels, *sides(rows), frozen))

    update = outer_step(execution_form.choose(config, directory.directory, attempt))
    step, state = directory.resume(state)
    title, quiet = f"{config.learner.name} seed {config.run.seed}", quiet or not is_writer()
    with progress(title, config.run.iterations, done=step, quiet=quiet) as bar:
        while step < config.run.iterations:
            began, waited, infos, domains, found = time.perf_counter(), 0.0, [], [], {}
            for index in range(step, min(step + config.run.log_every, config.run.iterations)):
                # Not at once: features that mean nothing have no edge worth probing.
                if index and index % config.objective.refresh_every == 0 and refresh:
                    state, found = refresh(state, images)
                asked = time.perf_counter()
                rows = sampler(index)
                # Drawing overlaps with the step before; only what it outlasts that step is waiting.
                if not infos or infos[-1].loss.is_ready():
                    waited += time.perf_counter() - asked
                arrays = sides(rows)
                # Row numbers went to the device; nothing else may travel in the loop.
                with placed.on_mesh(), jax.transfer_guard("disallow"):
                    state, info = update(state, images, labels, *arrays, frozen)
                infos.append(info)
                domains.append(rows.domains)
            infos = jax.device_get(infos)
            _refuse_non_finite(infos, domains, first=step + 1, directory=directory)
            step += len(infos)
            seconds = time.perf_counter() - began
            row = {"step": step, "seconds": round(seconds, 4), "data_wait": round(waited / seconds, 4)}
            row |= summarise(infos, domains) | {"outer_lr": _rate(config, step)} | found
            if step % config.run.eval_every == 0 or step == config.run.iterations:
                row |= validate(jax.device_get(probing.final(config, state)))
            directory.log(row)
            if step % config.run.checkpoint_every == 0 or step == config.run.iterations:
                directory.save(step, state)
            bar.update(len(infos))
            bar.set_postfix_str(f"loss {row['query_loss']:.3f}")
    return jax.device_get(probing.final(config, state))


def summarise(infos: list[mf.MetaInfo], domains: list[tuple[str, ...]]) -> dict[str, float]:
    """One row of the log: means over the steps since the last."""
    mean = lambda values: float(np.mean(np.concatenate([np.ravel(v) for v in values]), dtype=np.float64))
    row = {
        "outer_loss": mean([info.loss for info in infos]),
        "query_loss": mean([info.query_losses for info in infos]),
        "query_accuracy": mean([info.metrics["accuracy"] for info in infos]),
        # A head in closed form takes no inner step.
        "support_loss": mean([info.support_losses[:, :1] for info in infos]) if infos[0].support_losses.size else 0.0,
        "weight": mean([info.weights for info in infos]),
        "gradient_factor": mean([info.gradient_factors for info in infos]),
        "grad_norm": mean([info.grad_norm for info in infos]),
    }
    # The parts of an objective that has some.
    parts = [name for name in infos[0].metrics if "/" in name or name == "outliers_taken_for_real"]
    row |= {name: mean([info.metrics[name] for info in infos]) for name in sorted(parts)}
    if len(infos[0].query_losses) == len(domains[0]):
        for name, field in (("query_loss", "query_losses"), ("weight", "weights")):
            each = [(d, value) for names, info in zip(domains, infos, strict=True)
                    for d, value in zip(names, getattr(info, field), strict=True)]  # fmt: skip
            row |= {f"{name}/{one}": mean([value for d, value in each if d == one]) for one in sorted({*dict(each)})}
    return row


@functools.lru_cache(maxsize=16)
def _outer_step(config: Config, everywhere=None):
    """The program of an outer step, shared by all runs that differ in nothing which it looks at (`for_step`)."""

    # The state's buffers become the next state's: nobody may look at an old one. On a mesh the results are left on
    # every device, so that every process can read them. What is frozen is an argument: closed over, it would become
    # part of the program.
    @functools.partial(jax.jit, donate_argnums=0, out_shardings=everywhere)
    def update(state, images, labels, support, query, domain, frozen=None):
        learner = build.learner(config, frozen=frozen)
        episodes = gather(images, labels, support, query, domain)
        if config.objective.name != "fakeradar":
            return learner.update(state, episodes)
        moved, info = learner.update(state.learner, probing.attach(config, state, episodes))
        return state._replace(learner=moved), info

    return update


@functools.partial(jax.jit, static_argnames="config")
def _evaluate(params, images, labels, support, query, rate, steps, *, config: Config, frozen=None):
    """Loss and accuracy of each episode before and after adaptation; `params` and `config` as in `adapt_params`."""
    loss_fn = build.loss_fn(config, frozen=frozen)

    def one(episode):
        batch = episode.query._replace(context=episode.support.inputs)
        adapted = meta_test.adapt_params(params, episode.support, rate, steps, config=config, frozen=frozen)
        before, metrics_before = loss_fn(meta_test.unadapted(config, params), batch)
        after, metrics_after = loss_fn(adapted, batch)
        return before, metrics_before["accuracy"], after, metrics_after["accuracy"]

    return jax.lax.map(one, gather(images, labels, support, query))


def _refresher(config: Config, train: Records, placed, frozen):
    """State and images to a state with new outliers and what to log of them; `None` for an objective without any."""
    if config.objective.name != "fakeradar":
        return None
    bank, context = placed.replicate((probing.bank(config, train), build.source_context(config, train)))
    methods = build.methods(config)[0]

    def refresh(state, images):
        with placed.on_mesh():
            state, info = probing.refresher(change(config, {"run.seed": 0}))(state, images, bank, context, frozen)
        return state, probing.describe(jax.device_get(info), methods)

    return refresh


def _validator(config: Config, records: Records, held: Pool, frozen):
    """Loss and accuracy on source-validation episodes."""
    sampler = meta_test.validation_sampler(config, records)
    images, labels, frozen = jax.device_put((held.image, held.label, frozen))
    # As the inner loop adapts, whatever rule meta-test will have.
    key = meta_test.rule_key(change(config, {"adapt.optimizer": "sgd"}))
    how = (config.learner.inner_lr, config.learner.inner_steps)

    def validate(params) -> dict[str, float]:
        found, params = [], meta_test.start(config, params)
        for index in range(config.run.eval_batches):
            rows = sampler(index)
            arrays = (jnp.asarray(held.index[rows.support]), jnp.asarray(held.index[rows.query]))
            found.append(_evaluate(params, images, labels, *arrays, *how, config=key, frozen=frozen))
        means = np.mean(np.concatenate(jax.device_get(found), axis=-1), axis=-1, dtype=np.float64)
        names = ("val_loss_unadapted", "val_accuracy_unadapted", "val_loss", "val_accuracy")
        return dict(zip(names, np.ravel(means).tolist(), strict=True))

    return validate


def _refuse_non_finite(infos, domains, *, first: int, directory: Run) -> None:
    for step, (info, names) in enumerate(zip(infos, domains, strict=True), first):
        if np.isfinite(info.loss) and np.isfinite(info.grad_norm):
            continue
        bad = [name for name, loss in zip(names, info.query_losses, strict=False) if not np.isfinite(loss)]
        raise InputError(
            f"training: the outer loss or its gradient is not finite at step {step} (domain {', '.join(bad or names)})."
            f" Lower --learner.inner_lr or --learner.outer_lr; '{directory.directory}' keeps its last good checkpoint."
        )


def _rate(config: Config, step: int) -> float:
    rate = build.learning_rate(config)
    return float(rate(step - 1)) if callable(rate) else float(rate)
