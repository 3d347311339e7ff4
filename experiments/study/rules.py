"""The program that scores a block of episodes by a rule of adaptation."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from experiments.study import models as study_models
from metaforge.adaptation import RULES
from metaforge.evaluation.tri import forgery_score
from metaforge.learners.spec import LearnerSpec
from metaforge.training import rule_choice
from metaforge.training.config import Config, RunSpec


def budgets(rule: str, config: Config, steps: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers of steps at which a rule is judged: those asked for, or the only one that it has."""
    if RULES[rule].takes_steps:
        return steps
    inner = rule == "own" and "inner_steps" in mf.LEARNERS[config.learner.name].takes
    return (config.learner.inner_steps if inner else 0,)


@functools.lru_cache(maxsize=256)
def program(config: Config, rule: str, steps: tuple[int, ...]) -> Callable:
    """`program(params, context, support, labels, query, knob, prior)`: p(fake), `(budgets, episodes, queries)`.

    `params` are the learner's meta-parameters for the rule "own", and the model's for all others.

    Images are uint8 with an axis of episodes in front. Nothing of the query set but its images is given, so no rule can
    see its labels. On a CPU episodes run one after the other, elsewhere all at once.
    """

    @jax.jit
    def scores(params, context, support, labels, query, knob, prior=None):
        def one(episode):
            images, targets, queries = episode
            made = rule_choice.rule(rule, config, steps=steps, knob=knob, context=context, prior=prior)
            return forgery_score(made.apply(params, mf.Batch(images, targets), queries))

        over = jax.lax.map if jax.default_backend() == "cpu" else lambda f, xs: jax.vmap(f)(xs)
        return jnp.swapaxes(over(one, (support, labels, query)), 0, 1)

    def run(*arrays, prior=None) -> np.ndarray:
        return np.asarray(jax.device_get(scores(*arrays, prior)))

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
