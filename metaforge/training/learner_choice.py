"""From a `Config` to a learner, by name: the settings that its signature asks for."""

import dataclasses
from typing import Any

import optax

import metaforge as mf
from metaforge.core import weighting
from metaforge.core.averaging import averaged
from metaforge.errors import InputError
from metaforge.learners import LEARNERS
from metaforge.training.config import Config
from metaforge.types import LossFn

NOT_IN_A_STEP = (
    "faces", "identity", "landmarks", "variants", "split_seed", "memory_gb", "lead", "fake_share", "baseline",
    "iterations", "log_every", "eval_every", "eval_batches", "checkpoint_every", "refresh_every", "devices",
    "finetune_optimizer", "finetune_lr", "finetune_steps",
)  # fmt: skip
"""Settings that no compiled outer step or validation looks at: which images there are, how long, what comes after."""


def adapts_itself(name: Any) -> bool:
    """Whether a learner knows how to adapt, so that no rule is to be chosen; no learner of an unknown name does."""
    return name in LEARNERS and LEARNERS[name].adapts_itself


def for_step(config: Config) -> Config:
    """A configuration as far as compiled outer steps look at it, so that runs which differ in the rest share them.

    The seed is part of the steps of those learners alone that draw as they step.
    """
    default = Config(seed=config.seed if LEARNERS[config.learner].draws else 0)
    return dataclasses.replace(config, **{name: getattr(default, name) for name in ("seed", *NOT_IN_A_STEP)})


def moving(config: Config) -> str:
    """Which parameters a run adapts, a pattern of paths: what its inner steps moved; "" for all."""
    return LEARNERS[config.learner].adapts or config.adapts


def values(config: Config, rate, *, domains: int) -> dict[str, Any]:
    """What the settings give a learner, by the name of the argument."""
    outer = {"adam": optax.adam, "sgd": optax.sgd}[config.outer_optimizer](rate)
    return {
        "inner_optimizer": optax.sgd(config.inner_lr),
        "outer_optimizer": averaged(outer, config.average) if config.average else outer,
        "inner_lr": config.inner_lr,
        "inner_steps": config.inner_steps,
        "task_weighting": weighting.WEIGHTINGS[config.weighting]() if config.weighting else None,
        "reduction": config.reduction,
        "strategy": config.strategy,
        "order": config.order,
        "grad_steps": config.grad_steps or None,
        "remat": config.remat,
        "adaptable": config.adapts,
        "detach": config.detach,
        "normalize": config.normalize,
        "rates": config.rates,
        "multi_step_iterations": config.multi_step_iterations,
        "second_order_from": config.second_order_from,
        "per_step": config.per_step,
        "temperature": config.temperature,
        "l2": config.l2,
        "weight": config.penalty,
        "domains": domains,
        "rate": config.group_rate,
        "seed": config.seed,
    }


def learner(config: Config, loss_fn: LossFn, rate, *, domains: int) -> mf.MetaLearner:
    """The learner that a configuration names.

    Args:
        config: what it says of learners; settings that the named one does not take change nothing, and what it takes
            that is no setting stays at its default.
        loss_fn: of the whole model, whose parts it shows.
        rate: the outer rate, a number or an optax schedule.

    Other Arguments:
        domains: how many there are to learn from.

    Raises:
        InputError: for a weighting given to a learner that takes none.
    """
    entry = LEARNERS[config.learner]
    if config.weighting and "task_weighting" not in entry.takes:
        able = ", ".join(name for name, other in LEARNERS.items() if "task_weighting" in other.takes)
        raise InputError(f"--config.weighting: {config.learner} weighs no tasks. Use one of {able}, or leave it out.")
    given = values(config, rate, domains=domains)
    return entry.make(loss_fn, **{name: given[name] for name in entry.takes if name in given})
