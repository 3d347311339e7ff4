"""From a rule's name to the program that scores a block of episodes, and the grid in which its one knob is chosen."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from experiments.study import models as study_models
from metaforge import adaptation
from metaforge.adaptation import AdaptationRule
from metaforge.evaluation.tri import forgery_score
from metaforge.learners.spec import LearnerSpec
from metaforge.training import build
from metaforge.training.config import Config, RunSpec

GRID = (0.1, 1.0, 10.0)
"""What is tried on source validation, in units of the knob's own: the same number of tries for every method."""

UNIT = {"all": None, "head": None, "part": None, "tent": 1e-3, "logistic": 1.0, "ridge": 1.0}
"""The knob of a rule, in its units: a rate (`None` is the inner rate) or the strength of a penalty."""


def knobs(rule: str, config: Config) -> tuple[float, ...]:
    """What is tried of a rule's knob; a single 0 where it has none."""
    if rule not in UNIT:
        return (0.0,)
    unit = config.learner.inner_lr if UNIT[rule] is None else UNIT[rule]
    return tuple(unit * factor for factor in GRID)


def budgets(rule: str, config: Config, steps: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers of steps at which a rule is judged: those asked for, or the only one that it has."""
    if rule in ("all", "head", "part", "tent"):
        return steps
    return (
        config.learner.inner_steps if rule == "own" and "inner_steps" in mf.LEARNERS[config.learner.name].takes else 0,
    )


def make(rule: str, config: Config, *, steps: tuple[int, ...], knob, context) -> AdaptationRule:
    """A rule of `metaforge.adaptation` for the model of a configuration; "own" is made of the learner itself."""
    backbone, objective, sgd = build.model(config), build.objective(config), optax.sgd(knob)
    tune = functools.partial(adaptation.fine_tune, backbone, objective, optimizer=sgd, steps=steps)
    made: dict[str, Callable[[], AdaptationRule]] = {
        "none": lambda: adaptation.unadapted(backbone, context=context),
        "all": tune,
        "head": lambda: tune(adaptable="^head/"),
        "part": lambda: tune(adaptable=config.learner.adaptable),
        "logistic": lambda: adaptation.linear_probe(backbone, kind="logistic", l2=knob),
        "ridge": lambda: adaptation.linear_probe(backbone, kind="ridge", l2=knob),
        "nearest": lambda: adaptation.nearest_neighbour(backbone),
        "prototypes": lambda: adaptation.prototypes(backbone),
        "bn": lambda: adaptation.bn_adapt(backbone, statistics="support"),
        "bn_query": lambda: adaptation.bn_adapt(backbone, statistics="query"),
        "tent": lambda: adaptation.tent(backbone, optimizer=sgd, steps=steps),
    }
    return made[rule]()


@functools.lru_cache(maxsize=256)
def program(config: Config, rule: str, steps: tuple[int, ...]) -> Callable:
    """`program(params, context, support, labels, query, knob)`: p(fake), `(budgets, episodes, queries)`.

    `params` are the learner's meta-parameters for the rule "own", and the model's for all others.

    Images are uint8 with an axis of episodes in front. Nothing of the query set but its images is given, so no rule can
    see its labels. On a CPU episodes run one after the other, elsewhere all at once.
    """

    @jax.jit
    def scores(params, context, support, labels, query, knob):
        def one(episode):
            images, targets, queries = episode
            batch = mf.Batch(images, targets)
            if rule == "own":
                adapted, _ = build.learner(config).adapt(params, batch)
                logits = build.model(config).apply(adapted, queries, context=images).logits[None]
            else:
                logits = make(rule, config, steps=steps, knob=knob, context=context).apply(params, batch, queries)
            return forgery_score(logits)

        over = jax.lax.map if jax.default_backend() == "cpu" else lambda f, xs: jax.vmap(f)(xs)
        return jnp.swapaxes(over(one, (support, labels, query)), 0, 1)

    def run(*arrays) -> np.ndarray:
        return np.asarray(jax.device_get(scores(*arrays)))

    return run


def program_key(config: Config, rule: str) -> Config:
    """Only what changes a compiled program, so that models that differ in the rest share it.

    What a learner does itself depends on any of its settings, and no two models of a study share it.
    """
    if rule == "own":
        return study_models.key(config)
    adaptable = config.learner.adaptable if rule == "part" else ""
    learner = LearnerSpec(name="erm", adaptable=adaptable, trainable=config.learner.trainable)
    run = RunSpec(feature_cache=config.run.feature_cache)
    return Config(model=config.model, objective=config.objective, learner=learner, run=run)
