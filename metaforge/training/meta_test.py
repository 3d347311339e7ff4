"""Meta-test: adapt to a domain by a few labelled images, by the rule that source validation chose."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from metaforge.adaptation import selection
from metaforge.core.param_paths import merge, partition
from metaforge.data.episodes import EpisodeSampler
from metaforge.data.pools import ImagePool, gather, pool
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.tri import forgery_score
from metaforge.learners import LEARNERS
from metaforge.learners.spec import LearnerSpec
from metaforge.training import build, learner_choice
from metaforge.training.config import AdaptSpec, Config, RunSpec

STEPS = (1, 5, 10)
"""Numbers of steps that are tried. Learners and baseline get the same grid, so the same tuning budget."""


def start(config: Config, params):
    """What adaptation starts from: all meta-parameters where the learner adapts by itself, else the model's."""
    return params if learner_choice.adapts_itself(config.learner.name) else build.learner(config).model(params)


def unadapted(config: Config, params):
    """A model's parameters, of those that adaptation starts from (`start`)."""
    return build.learner(config).model(params) if learner_choice.adapts_itself(config.learner.name) else params


@functools.partial(jax.jit, static_argnames="config")
def adapt_params(params, support: mf.Batch, rate, steps, *, config: Config, frozen=None):
    """A model's parameters, adapted to a support set: by `steps` of the meta-test rule at `rate`, or as it learned to.

    `params` are what `start` gives of a run's; of a run that moves a part, that part, and `frozen` the rest. One
    program serves every rate and every number of steps.
    """
    if learner_choice.adapts_itself(config.learner.name):
        return build.learner(config, frozen=frozen).adapt(params, support)[0]
    rule = {"sgd": optax.sgd, "adam": optax.adam}[config.adapt.optimizer](rate)
    loss_fn = build.loss_fn(config, frozen=frozen)
    part, rest = partition(params, learner_choice.moving(config))

    def step(_, carry):
        part, opt_state = carry
        grads = jax.grad(lambda part: loss_fn(merge(part, rest), support)[0])(part)
        updates, opt_state = rule.update(grads, opt_state, part)
        return optax.apply_updates(part, updates), opt_state

    # A loop of a length that is known only when it runs: nobody differentiates through it.
    adapted, _ = jax.lax.fori_loop(0, steps, step, (part, rule.init(part)))
    return merge(adapted, rest)


@functools.partial(jax.jit, static_argnames="config")
def _episode_scores(params, images, labels, support, query, rate, steps, *, config: Config, frozen=None):
    """Scores of each task's query set after adaptation: `(tasks, queries)`."""
    apply = build.model(config, frozen=frozen).apply

    def one(episode):
        adapted = adapt_params(params, episode.support, rate, steps, config=config, frozen=frozen)
        logits = apply(adapted, episode.query.inputs, context=episode.support.inputs).logits
        return forgery_score(logits)

    return jax.lax.map(one, gather(images, labels, support, query))


def choose_rule(config: Config, params, records: Records, *, held: ImagePool | None = None, frozen=None) -> dict:
    """The rate and the number of steps with the highest mean AUC over source-validation episodes.

    What the configuration fixes is not chosen; `metaforge.adaptation.selection` has the rest. `frozen` is as in
    `adapt_params`, and `held` what the run sees of the images, if not they themselves.

    Returns:
        `{"optimizer", "rate", "steps", "validation_auc", "tried"}`, JSON-able.

    Raises:
        InputError: when all of them diverge.
    """
    itself = learner_choice.adapts_itself(config.learner.name)
    rates = (0.0,) if itself else (config.adapt.lr,) if config.adapt.lr else every_rate(config)
    counts = (config.learner.inner_steps,) if itself else (config.adapt.steps,) if config.adapt.steps else STEPS
    sampler, held = validation_sampler(config, records), held or pool(records)
    drawn = [sampler(index) for index in range(config.run.eval_batches)]
    episodes = [(jnp.asarray(held.index[rows.support]), jnp.asarray(held.index[rows.query])) for rows in drawn]
    images, labels = jax.device_put((held.image, held.label))
    params, key = start(config, params), rule_key(config)

    def scores(rate: float) -> np.ndarray:
        at = lambda steps, one: _episode_scores(params, images, labels, *one, rate, steps, config=key, frozen=frozen)
        return np.stack([np.concatenate([np.asarray(at(steps, one)) for one in episodes]) for steps in counts])

    queries = held.label[held.index[np.concatenate([rows.query for rows in drawn])]]
    choice = selection.choose(rates, counts, scores, queries)
    if not choice.auc > 0:
        raise InputError("adaptation: every rate and number of steps diverged. Lower --learner.inner_lr.")
    return {
        "optimizer": config.learner.name if itself else config.adapt.optimizer,
        "rate": choice.knob,
        "steps": choice.steps,
        "validation_auc": choice.auc,
        # Reports list them by steps.
        "tried": [
            {"rate": one.knob, "steps": one.steps, "auc": one.auc}
            for one in sorted(choice.tried, key=lambda one: one.steps)
        ],
    }


def every_rate(config: Config) -> tuple[float, ...]:
    """The rates that are tried where none is given, around the inner rate, for Adam around 1e-3; the same for all."""
    return selection.grid(config.learner.inner_lr if config.adapt.optimizer == "sgd" else 1e-3)


def rate_at(rule: dict, steps: int) -> tuple[float, bool]:
    """The rate of a rule at a number of steps, 0 for its own, and whether it was chosen at that number.

    A rate that suits one step may diverge in twenty: of the rates that source validation tried with so many steps it
    is the best one. Where that number was not tried, all that is known is the rule's own.
    """
    if not steps or steps == rule["steps"]:
        return rule["rate"], True
    tried = (selection.Tried(one["rate"], one["steps"], one["auc"]) for one in rule.get("tried", ()))
    found = selection.best_at(tried, steps)
    return (found.knob, True) if found else (rule["rate"], False)


def validation_sampler(config: Config, records: Records) -> EpisodeSampler:
    """The episodes of source validation: the same for every learner of a seed."""
    return EpisodeSampler(
        records,
        seed=1_000_000 + config.run.seed,
        tasks=config.episodes.tasks,
        shots=config.episodes.shots,
        queries=config.episodes.queries,
    )


def support_rows(
    labels: np.ndarray, *, shots: int, seed: int, draw: int, pairs: np.ndarray | None = None
) -> np.ndarray:
    """Row numbers of one class-balanced support set, real ones first; where no image is fake, of real ones alone.

    With `pairs`, numbers that a fake and its real image share and -1 for the others, whole pairs are drawn, if there
    are as many: whoever labels a fake knows what it was made from.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, draw]))
    if pairs is not None and len(numbers := np.setdiff1d(pairs, -1)) >= shots:
        drawn = rng.choice(numbers, shots, replace=False)
        return np.concatenate([[np.flatnonzero((labels == c) & (pairs == one))[0] for one in drawn] for c in (0, 1)])
    classes = (mf.REAL, mf.FAKE) if (labels != mf.REAL).any() else (mf.REAL,)
    return np.concatenate([rng.choice(np.flatnonzero(labels == c), shots, replace=False) for c in classes])


def rule_key(config: Config) -> Config:
    """The settings that a compiled program of meta-test looks at, so that runs which differ in the rest share it."""
    learner = config.learner
    if not learner_choice.adapts_itself(learner.name):
        # Whatever trained it: what is left is a model, and which of its parameters take steps.
        learner = LearnerSpec(
            name=learner.name if LEARNERS[learner.name].adapts else "erm",
            adaptable=learner_choice.moving(config),
            trainable=learner.trainable,
        )
    return Config(
        model=config.model,
        learner=learner,
        objective=config.objective,
        adapt=AdaptSpec(optimizer=config.adapt.optimizer),
        run=RunSpec(feature_cache=config.run.feature_cache),
    )
