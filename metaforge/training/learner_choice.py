"""From a `Config` to a learner, by name: the settings that its signature asks for."""

import dataclasses
from typing import Any

import optax

import metaforge as mf
from metaforge.core import weighting
from metaforge.core.averaging import averaged
from metaforge.data.specs import EpisodeSpec, FacesSpec
from metaforge.errors import InputError
from metaforge.learners import LEARNERS
from metaforge.training import augmented, batch_size
from metaforge.training.config import Config, RunSpec
from metaforge.types import LossFn


def adapts_itself(name: Any) -> bool:
    """Whether a learner knows how to adapt, so that no rule is to be chosen; no learner of an unknown name does."""
    return name in LEARNERS and LEARNERS[name].adapts_itself


def for_step(config: Config) -> Config:
    """The settings that a compiled outer step looks at, so that runs which differ in the rest share it.

    The seed is part of those steps alone that draw, the domains of those that count them, and the number of steps of
    those whose rate falls towards it.
    """
    run = RunSpec(strategy=config.run.strategy, feature_cache=config.run.feature_cache)
    if LEARNERS[config.learner.name].draws or config.model.dropout or augmented.drawn(config):
        run = dataclasses.replace(run, seed=config.run.seed)
    if config.learner.schedule == "cosine":
        run = dataclasses.replace(run, iterations=config.run.iterations)
    episodes = EpisodeSpec(augment=config.episodes.augment)
    if config.run.batches != "fixed":
        # What a step on other than `tasks` tasks does depends on these; which there may be is no part of it.
        run = dataclasses.replace(run, batches=config.run.batches, batch_rate=config.run.batch_rate)
        episodes = dataclasses.replace(episodes, tasks=config.episodes.tasks)
    counts = "domains" in LEARNERS[config.learner.name].takes or config.objective.name == "fakeradar"
    given = config.faces
    faces = FacesSpec(
        methods=given.methods, holdout=given.holdout, acquisitions=given.acquisitions, prepared=given.prepared,
        frames=given.frames,
    ) if counts else FacesSpec()  # fmt: skip
    return Config(
        model=config.model, faces=faces, episodes=episodes, learner=config.learner, objective=config.objective, run=run
    )


def moving(config: Config) -> str:
    """Which parameters a run adapts, a pattern of paths: what its inner steps moved; "" for all."""
    return LEARNERS[config.learner.name].adapts or config.learner.adaptable


def values(config: Config, rate, *, domains: int, tasks: int | None = None) -> dict[str, Any]:
    """What the settings give a learner, by the name of the argument; `tasks` as in `learner`."""
    outer = {"adam": optax.adam, "sgd": optax.sgd}[config.learner.outer_optimizer](rate)
    if config.run.batches != "fixed":
        outer = batch_size.following(outer, config, tasks or config.episodes.tasks)
    return {
        "inner_optimizer": optax.sgd(config.learner.inner_lr),
        "outer_optimizer": averaged(outer, config.learner.average) if config.learner.average else outer,
        "inner_lr": config.learner.inner_lr,
        "inner_steps": config.learner.inner_steps,
        "task_weighting": weighting.WEIGHTINGS[config.learner.weighting]() if config.learner.weighting else None,
        "reduction": config.learner.reduction,
        "strategy": config.run.strategy,
        "order": config.learner.order,
        "grad_steps": config.learner.grad_steps or None,
        "remat": config.learner.remat,
        "adaptable": config.learner.adaptable,
        "detach": config.learner.detach,
        "normalize": config.learner.normalize,
        "rates": config.learner.rates,
        "multi_step_iterations": config.learner.multi_step_iterations,
        "second_order_from": config.learner.second_order_from,
        "per_step": config.learner.per_step,
        "lam": config.learner.proximal,
        "cg_steps": config.learner.cg_steps,
        "temperature": config.learner.temperature,
        "l2": config.learner.l2,
        "weight": config.learner.penalty,
        "domains": domains,
        "rate": config.learner.group_rate,
        "seed": config.run.seed,
    }


def learner(config: Config, loss_fn: LossFn, rate, *, domains: int, tasks: int | None = None) -> mf.MetaLearner:
    """The learner that a configuration names.

    Args:
        config: what it says of learners; settings that the named one does not take change nothing, and what it takes
            that is no setting stays at its default.
        loss_fn: of the whole model, whose parts it shows.
        rate: the outer rate, a number or an optax schedule.

    Other Arguments:
        domains: how many there are to learn from.
        tasks: of a meta-batch, where a run's batches change; `None` for `--episodes.tasks`.

    Raises:
        InputError: for a weighting given to a learner that takes none.
    """
    entry = LEARNERS[config.learner.name]
    if config.learner.weighting and "task_weighting" not in entry.takes:
        able = ", ".join(name for name, other in LEARNERS.items() if "task_weighting" in other.takes)
        raise InputError(
            f"--learner.weighting: {config.learner.name} weighs no tasks. Use one of {able}, or leave it out."
        )
    given = values(config, rate, domains=domains, tasks=tasks)
    return entry.make(loss_fn, **{name: given[name] for name in entry.takes if name in given})
