"""From a `Config` to a learner, by name: which of the settings each takes."""

import dataclasses

import optax

import metaforge as mf
from metaforge.core import weighting
from metaforge.core.averaging import averaged
from metaforge.data.specs import FacesSpec
from metaforge.errors import InputError
from metaforge.learners import TAKE_A_MODEL
from metaforge.training.config import Config, RunSpec
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


def for_step(config: Config) -> Config:
    """The settings that a compiled outer step looks at, so that runs which differ in the rest share it.

    The seed is part of the steps of those learners alone that draw as they step, and the domains of those that count
    them.
    """
    run = RunSpec(strategy=config.run.strategy, feature_cache=config.run.feature_cache)
    if config.learner.name in DRAW_AS_THEY_STEP:
        run = dataclasses.replace(run, seed=config.run.seed)
    counts = config.learner.name == "group_dro" or config.objective.name == "fakeradar"
    given = config.faces
    faces = FacesSpec(
        methods=given.methods, holdout=given.holdout, acquisitions=given.acquisitions, prepared=given.prepared,
        frames=given.frames,
    ) if counts else FacesSpec()  # fmt: skip
    return Config(model=config.model, faces=faces, learner=config.learner, objective=config.objective, run=run)


def moving(config: Config) -> str:
    """Which parameters a run adapts, a pattern of paths: what its inner steps moved; "" for all."""
    return "^head/" if config.learner.name == "anil" else config.learner.adaptable


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
    takes = TAKES[config.learner.name]
    if config.learner.weighting and "task_weighting" not in takes:
        able = ", ".join(name for name in TAKES if "task_weighting" in TAKES[name])
        raise InputError(
            f"--learner.weighting: {config.learner.name} weighs no tasks. Use one of {able}, or leave it out."
        )
    every = {
        "inner_optimizer": optax.sgd(config.learner.inner_lr),
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
        "temperature": config.learner.temperature,
        "l2": config.learner.l2,
        "weight": config.learner.penalty,
        "domains": domains,
        "rate": config.learner.group_rate,
        "seed": config.run.seed,
    }
    given = (backbone, objective) if config.learner.name in TAKE_A_MODEL else (loss_fn,)
    outer = {"adam": optax.adam, "sgd": optax.sgd}[config.learner.outer_optimizer](rate)
    outer = averaged(outer, config.learner.average) if config.learner.average else outer
    return mf.LEARNERS[config.learner.name](*given, outer_optimizer=outer, **{name: every[name] for name in takes})
