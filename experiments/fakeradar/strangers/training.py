"""Trains one model of the ablation on features, an epoch in one program, for every fold the same programs."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from experiments.fakeradar.config import Recipe
from experiments.fakeradar.programs import State, objective_of, synthesizer_of
from experiments.fakeradar.strangers.config import Training
from experiments.fakeradar.strangers.folds import Given
from metaforge.errors import InputError
from metaforge.evaluation.tri import forgery_log_odds
from metaforge.outliers import OutlierState, Probe

OF_TWO = ("no third class", "binary")
"""Rows without a class for outliers."""
STILL = ("no outliers", "fixed clusters")
"""Rows whose clusters neither split nor merge."""


class Programs(NamedTuple):
    """The compiled programs of a row.

    Attributes:
        begin: `begin(key, inputs) -> State`.
        epoch: `epoch(key, state, features, given, weights, draw, rate, count, steps) -> (State, mean metrics)`;
            `count` steps of a training of `steps`.
        look: `look(params, given, features) -> Outputs`.
        head: `head(params, embeddings) -> logits`.
        refresh: `refresh(key, outliers, bank, kind, where) -> (outliers, info)`.
        sample: `sample(key, outliers, count)`.
    """

    begin: Callable
    epoch: Callable
    look: Callable
    head: Callable
    refresh: Callable
    sample: Callable


class Trained(NamedTuple):
    """A model at its end.

    Attributes:
        params: its parameters.
        outliers: the clusters of the features as they are at the end; those of the beginning where a row has none.
        log: a row of numbers for each epoch.
        info: of the last refresh, at the end; `None` where a row has none.
    """

    params: Any
    outliers: OutlierState
    log: list[dict[str, float]]
    info: Any


def programs(recipe: Recipe, row: str, kinds: int) -> Programs:
    """The programs of a row; rows of three classes share their steps."""
    objective_of(recipe, row)
    made = _compiled(recipe, row if row in OF_TWO else "full", kinds)
    return made._replace(refresh=_compiled(recipe, STILL[0], kinds).refresh) if row in STILL else made


@functools.lru_cache(maxsize=16)
def _compiled(recipe: Recipe, row: str, kinds: int) -> Programs:
    kind: Any = recipe.head
    model = mf.backbones.mlp(hidden=(), outputs=2 if row in OF_TWO else 3, neck=recipe.neck, head=kind)
    assert model.head is not None
    synthesizer = synthesizer_of(recipe, row, kinds)
    loss_fn = mf.objectives.loss_fn(model.apply, objective_of(recipe, row), head=model.head)
    adam = optax.scale_by_adam()

    @jax.jit
    def begin(key, inputs):
        params = model.init(key, inputs)
        size = jax.eval_shape(model.apply, params, inputs).embeddings.shape[1]
        return State(params, adam.init(params), synthesizer.init(size), jnp.zeros((), jnp.int32))

    @jax.jit
    def epoch(key, state: State, features, given: Given, weights, draw, rate, count, steps):
        def one(state: State):
            rows_key, outlier_key = jax.random.split(jax.random.fold_in(key, state.step))
            draws = zip(jax.random.split(rows_key), given.sides, given.counts, strict=True)
            pick = lambda key, side, count: side[jax.random.randint(key, (recipe.batch // 2,), 0, count)]
            rows = jnp.concatenate([pick(*each) for each in draws])
            probe = None
            if row != "binary":
                drawn = synthesizer.sample(outlier_key, state.outliers, recipe.outliers)
                probe = Probe(state.outliers, drawn._replace(where=drawn.where & draw))
            label = jnp.repeat(jnp.arange(2), recipe.batch // 2)
            batch = mf.Batch(given.standard(features[rows]), label, probe=probe, weights=weights)
            (loss, metrics), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params, batch)
            updates, moments = adam.update(grads, state.opt_state, state.params)
            # Rate and length are data, so that all that are tried share a program.
            step = -rate * 0.5 * (1 + jnp.cos(jnp.pi * state.step / steps))
            params = optax.apply_updates(state.params, jax.tree.map(lambda leaf: step * leaf, updates))
            return State(params, moments, state.outliers, state.step + 1), {"loss": loss} | metrics

        def add(_, carry):
            state, metrics = one(carry[0])
            return state, jax.tree.map(jnp.add, carry[1], metrics)

        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(one, state)[1])
        state, total = jax.lax.fori_loop(0, count, add, (state, nothing))
        return state, jax.tree.map(lambda leaf: leaf / count, total)

    look = jax.jit(lambda params, given, features: model.apply(params, given.standard(features)))
    refresh = jax.jit(lambda key, state, bank, kind, where: synthesizer.update(key, state, bank, kind, where=where))
    sample = jax.jit(synthesizer.sample, static_argnums=2)
    return Programs(begin, epoch, look, model.head, refresh, sample)


def train(
    recipe: Recipe, row: str, kinds: int, training: Training, epochs: int, seed: int, features, given: Given
) -> Trained:  # fmt: skip
    """Trains a model from its beginning to its end.

    Args:
        recipe: of outliers and losses.
        row: of the ablation.
        kinds: classes of the clusters: real, and each method that may be trained on.
        training: how long, and how fast.
        epochs: equal parts of it, between which outliers are refreshed.
        seed: of parameters, batches and outliers.
        features: of the whole table, on the device.
        given: which of them, and how they are standardised.

    Raises:
        InputError: when the loss is not finite.
    """
    made, objective = programs(recipe, row, kinds), objective_of(recipe, row)
    key, log, info = jax.random.key(seed + 1), [], None
    state = made.begin(jax.random.key(seed), given.standard(features[:2]))
    bank = lambda params: made.look(params, given, features[given.rows]).embeddings
    for number in range(epochs + 1):
        found: dict[str, float] = {}
        # The first epoch is without outliers: features that mean nothing have no edge worth probing.
        if number and row != "binary":
            again = jax.random.fold_in(key, number)
            outliers, info = made.refresh(again, state.outliers, bank(state.params), given.kind, given.where)
            state = state._replace(outliers=outliers)
            found = {"clusters": int(info.clusters), "calibration": float(info.calibration)}
        if number == epochs:
            # The clusters of the features as they are at the end; nothing is trained by them.
            break
        weights, draw = objective.weights(), jnp.array(row != "no outliers")
        count = training.steps // epochs
        state, metrics = made.epoch(
            key, state, features, given, weights, draw, training.rate, count, count * epochs
        )  # fmt: skip
        log.append({name: float(value) for name, value in jax.device_get(metrics).items()} | found)
        if not np.isfinite(log[-1]["loss"]):
            raise InputError(
                f"training: the loss of '{row}', seed {seed}, is not finite in epoch {number + 1}. Lower --rates."
            )
    return Trained(state.params, state.outliers, log, info)


def odds(recipe: Recipe, row: str, kinds: int, trained: Trained, features, given: Given) -> np.ndarray:
    """The log-odds of a forgery of every row of the table."""
    logits = programs(recipe, row, kinds).look(trained.params, given, features).logits
    return np.asarray(forgery_log_odds(logits))
