"""From a `Config` to a learner, by name: which of the settings each takes."""

import dataclasses

import optax

import metaforge as mf
from metaforge.core import weighting
from metaforge.core.averaging import averaged
from metaforge.errors import InputError
from metaforge.learners import TAKE_A_MODEL
from metaforge.training.config import Config
from metaforge.types import LossFn, Objective

_INNER = ("inner_optimizer", "inner_steps")
_OUTER = ("task_weighting", "reduction", "strategy")
_EXACT = ("order", "grad_steps", "remat")

TAKES: dict[str, tuple[str, ...]] = {
    "maml": (*_INNER, *_OUTER, *_EXACT, "adaptable"),
    "fomaml": (*_INNER, *_OUTER, "adaptable"),
    "daml": (*_INNER, *_EXACT, "reduction", "strategy", "adaptable", "detach", "normalize"),
    "erm": _INNER,
    "anil": (*_INNER, *_OUTER, "order"),
    "meta_sgd": ("inner_lr", "inner_steps", *_OUTER, "order", "rates"),
    "maml_plus_plus": ("inner_lr", "inner_steps", *_OUTER, "multi_step_iterations", "second_order_from", "per_step"),
    "protonet": (*_OUTER, "temperature"),
    "ridge": (*_OUTER, "l2"),
    "r2d2": (*_OUTER, "l2"),
    "reptile": (*_INNER, "strategy", "seed"),
    "mldg": (*_INNER, "order", "weight", "strategy"),
    "ltw": (*_INNER, "weight", "strategy", "seed"),
    "group_dro": (*_INNER, "strategy", "domains", "rate"),
    "coral": (*_INNER, "weight", "strategy"),
    "irm": (*_INNER, "weight", "strategy"),
}
"""By learner, the options it takes; each is filled from the field of `Config` that says it."""


ADAPTS_ITSELF = ("meta_sgd", "maml_plus_plus", "protonet", "ridge", "r2d2")
"""Learners that know how to adapt: by rates that they have learned, or in closed form. Nothing is left to be chosen."""


DRAW_AS_THEY_STEP = ("reptile",)
"""Learners whose outer step draws random numbers of the run's seed: their compiled steps are for one seed each."""


NOT_IN_A_STEP = (
    "faces", "identity", "landmarks", "variants", "split_seed", "memory_gb", "lead", "fake_share", "baseline",
    "iterations", "log_every", "eval_every", "eval_batches", "checkpoint_every", "refresh_every", "devices",
    "finetune_optimizer", "finetune_lr", "finetune_steps",
)  # fmt: skip
"""Settings that no compiled outer step or validation looks at: which images there are, how long, what comes after."""


def for_step(config: Config) -> Config:
    """A configuration as far as compiled outer steps look at it, so that runs which differ in the rest share them.

    The seed is part of the steps of those learners alone that draw as they step.
    """
    default = Config(seed=config.seed if config.learner in DRAW_AS_THEY_STEP else 0)
    return dataclasses.replace(config, **{name: getattr(default, name) for name in ("seed", *NOT_IN_A_STEP)})


def moving(config: Config) -> str:
    """Which parameters a run adapts, a pattern of paths: what its inner steps moved; "" for all."""
    return "^head/" if config.learner == "anil" else config.adapts


def learner(
    config: Config, loss_fn: LossFn, backbone: mf.Backbone, objective: Objective, rate, *, domains: int
) -> mf.MetaLearner:
    """The learner that a configuration names.

    Args:
        config: what it says of learners; settings that the named one does not take change nothing.
        loss_fn: of the whole model.
        backbone: the model, for learners that look inside.
        objective: what is minimised.
        rate: the outer rate, a number or an optax schedule.

    Other Arguments:
        domains: how many there are to learn from.

    Raises:
        InputError: for a weighting given to a learner that takes none.
    """
    takes = TAKES[config.learner]
    if config.weighting and "task_weighting" not in takes:
        able = ", ".join(name for name in TAKES if "task_weighting" in TAKES[name])
        raise InputError(f"--config.weighting: {config.learner} weighs no tasks. Use one of {able}, or leave it out.")
    every = {
        "inner_optimizer": optax.sgd(config.inner_lr),
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
    given = (backbone, objective) if config.learner in TAKE_A_MODEL else (loss_fn,)
    outer = {"adam": optax.adam, "sgd": optax.sgd}[config.outer_optimizer](rate)
    outer = averaged(outer, config.average) if config.average else outer
    return mf.LEARNERS[config.learner](*given, outer_optimizer=outer, **{name: every[name] for name in takes})
