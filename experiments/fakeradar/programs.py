"""The compiled programs of the FakeRadar experiment: how each model of the ablation starts, steps and scores."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import metaforge as mf
from experiments.fakeradar.config import Config, Recipe
from experiments.fakeradar.images import Data
from metaforge.errors import InputError
from metaforge.evaluation.tri import forgery_log_odds
from metaforge.objectives import WeightedSum
from metaforge.outliers import OutlierState, OutlierSynthesizer, Probe

ROWS: tuple[str, ...] = ("full", "no contrastive loss", "no third class", "no outliers", "fixed clusters", "binary")
"""The rows of the ablation table: everything, without each part, and plain classification."""

_PART = 256
"""Images that are scored at a time."""


class State(NamedTuple):
    """What the next step needs, and so what a checkpoint holds."""

    params: Any
    opt_state: Any
    outliers: OutlierState
    step: jax.Array


class Programs(NamedTuple):
    """The compiled programs of a row, shared by its seeds and by rows that differ in their data only.

    Attributes:
        begin: `begin(key, inputs) -> State`.
        step: `step(key, state, source, sides, weights, draw) -> (State, metrics)`; `draw` says whether with outliers.
        score: `score(params, inputs) -> (log-odds of a forgery, embeddings)`.
        refresh: `refresh(key, outliers, bank, kind) -> (outliers, info)`.
        sample: `sample(key, outliers, count)`.
    """

    begin: Callable
    step: Callable
    score: Callable
    refresh: Callable
    sample: Callable


def objective_of(config: Recipe, row: str) -> WeightedSum:
    """What a row of the table minimises."""
    if row not in ROWS:
        raise InputError(f"unknown row '{row}'; known: {', '.join(ROWS)}.")
    objectives = mf.objectives
    if row == "binary":
        return objectives.weighted_sum(cls=(config.cls, objectives.cross_entropy()))
    cls = objectives.cross_entropy() if row == "no third class" else objectives.tri_cross_entropy()
    weight = 0.0 if row == "no contrastive loss" else config.contrastive
    contrastive = objectives.outlier_contrastive(temperature=config.temperature)
    return objectives.weighted_sum(contrastive=(weight, contrastive), cls=(config.cls, cls))


def synthesizer_of(config: Recipe, row: str, kinds: int) -> OutlierSynthesizer:
    """Where a row's clusters and outliers come from."""
    options: dict[str, Any] = {"slots": config.slots, "towards": config.towards, "around": config.around}
    if row in ("no outliers", "fixed clusters"):
        options["dynamic_updates"] = 0
    return mf.outliers.fakeradar(kinds, mode=config.mode, **options)  # type: ignore[arg-type]


def programs(config: Config, row: str, kinds: int) -> Programs:
    """The programs of a row. What a part counts, and whether outliers are drawn, is data."""
    objective_of(config, row)
    config = dataclasses.replace(config, seeds=0, rows="")
    # Rows of three classes share a step: they differ in weights, outliers and how clusters are refreshed.
    alike = row if row in ("no third class", "binary") else "full"
    made = _compiled(config, alike, kinds)
    if row in ("no outliers", "fixed clusters"):
        return made._replace(refresh=_compiled(config, "fixed clusters", kinds).refresh)
    return made


@functools.lru_cache(maxsize=8)
def _model(config: Config, classes: int) -> mf.Backbone:
    head: Any = config.head
    if config.backbone == "conv4":
        return mf.backbones.conv4(
            num_classes=classes, width=config.width, normalisation="group", neck=config.neck, head=head
        )
    return mf.backbones.mlp(hidden=(), outputs=classes, neck=config.neck, head=head)


@functools.lru_cache(maxsize=16)
def _compiled(config: Config, row: str, kinds: int) -> Programs:
    model = _model(config, 2 if row in ("no third class", "binary") else 3)
    synthesizer, optimizer = synthesizer_of(config, row, kinds), _optimizer(config)
    loss_fn = mf.objectives.loss_fn(model.apply, objective_of(config, row), head=model.head)

    @jax.jit
    def begin(key, inputs):
        params = model.init(key, inputs)
        size = jax.eval_shape(model.apply, params, inputs).embeddings.shape[1]
        return State(params, optimizer.init(params), synthesizer.init(size), jnp.zeros((), jnp.int32))

    @jax.jit
    def step(key, state: State, source: Data, sides, weights, draw):
        rows_key, outlier_key = jax.random.split(jax.random.fold_in(key, state.step))
        pick = lambda key, side: side[jax.random.randint(key, (config.batch // 2,), 0, side.shape[0])]
        rows = jnp.concatenate([pick(*pair) for pair in zip(jax.random.split(rows_key), sides, strict=True)])
        probe = None
        if row != "binary":
            drawn = synthesizer.sample(outlier_key, state.outliers, config.outliers)
            probe = Probe(state.outliers, drawn._replace(where=drawn.where & draw))
        batch = mf.Batch(source.inputs[rows], source.label[rows], probe=probe, weights=weights)
        (loss, metrics), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params, batch)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return State(params, opt_state, state.outliers, state.step + 1), {"loss": loss} | metrics

    @jax.jit
    def score(params, inputs):
        def some(rows):
            outputs = model.apply(params, rows)
            return forgery_log_odds(outputs.logits), outputs.embeddings

        # In parts of one size, the last one filled up, so that activations take little memory.
        count, part = inputs.shape[0], min(_PART, inputs.shape[0])
        filled = jnp.concatenate([inputs, jnp.repeat(inputs[-1:], -count % part, axis=0)])
        found = jax.lax.map(some, filled.reshape(-1, part, *inputs.shape[1:]))
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], found)

    return Programs(begin, step, score, jax.jit(synthesizer.update), jax.jit(synthesizer.sample, static_argnums=2))


def _optimizer(config: Config) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(config.lr, config.epochs * config.refresh_every))
