"""The compiled programs: how a model of clips starts, steps and scores. The frozen tower is an argument, no more."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import metaforge as mf
from experiments.fakeradar.clips.config import TINY, Config
from metaforge.backbones.clip_model import STAdapter, VisionConfig, parted_clip
from metaforge.errors import InputError
from metaforge.evaluation.tri import forgery_log_odds
from metaforge.objectives import WeightedSum
from metaforge.outliers import OutlierState, Probe

SMALL = VisionConfig(image_size=32, patch_size=16, width=16, layers=2, heads=2, projection=None)
"""The tower "tiny"."""


class State(NamedTuple):
    """What the next step needs, and so what a checkpoint holds. Of the tower it holds nothing.

    Attributes:
        params: adapters, neck and head.
        opt_state: of these alone.
        outliers: the synthesizer's.
        bank: features of the last clips, a ring.
        kind: theirs; -1 where there is none yet.
        step: how many steps were taken.
    """

    params: Any
    opt_state: Any
    outliers: OutlierState
    bank: jax.Array
    kind: jax.Array
    step: jax.Array


class Programs(NamedTuple):
    """The programs of a row.

    Attributes:
        tower: `tower() -> frozen`: the weights that never move, `{"vision": ...}`.
        begin: `begin(key) -> State`.
        step: `step(key, frozen, state, inputs, label, kind, draw) -> (State, metrics)`; `draw`: whether with outliers.
        score: `score(frozen, params, inputs) -> log-odds`, one a film, of clips `(films, clips, frames, ...)`.
        refresh: `refresh(key, state) -> (State, info)`.
        lower: `lower(frozen, frames) -> tokens`, or `None` without kept tokens.
    """

    tower: Callable[[], Any]
    begin: Callable
    step: Callable
    score: Callable
    refresh: Callable
    lower: Callable | None


def objective_of(config: Config, row: str) -> WeightedSum:
    """What a row of the table minimises."""
    objectives = mf.objectives
    if row == "binary":
        return objectives.weighted_sum(cls=(config.cls, objectives.cross_entropy()))
    contrastive = objectives.outlier_contrastive(temperature=config.temperature)
    return objectives.weighted_sum(
        contrastive=(config.contrastive, contrastive), cls=(config.cls, objectives.tri_cross_entropy())
    )


def backbone_of(config: Config, row: str) -> mf.Backbone:
    """The whole model of a row.

    Raises:
        InputError: for no weights, weights of another tower, or an image size that patches do not fill.
    """
    if config.tower == TINY and config.weights:
        raise InputError(f"--weights: the tower '{TINY}' is random. Leave the file out, or choose another tower.")
    if config.tower != TINY and not config.weights:
        raise InputError(
            f"--weights: none were given. Give the safetensors file of CLIP's {config.tower}, or try --preset=tiny."
        )
    vision = tower_of(config)
    if config.image_size % vision.patch_size:
        raise InputError(
            f"--image_size={config.image_size}: the tower has patches of {vision.patch_size} pixels. Give a multiple."
        )
    if config.adapted_blocks > vision.layers or (config.keep and config.adapted_blocks == vision.layers):
        most = vision.layers - config.keep
        raise InputError(f"--adapted_blocks={config.adapted_blocks}: give at most {most} of {vision.layers} blocks.")
    return _backbone(config, row, config.weights)


def tower_of(config: Config) -> VisionConfig:
    """The sizes of the frozen tower."""
    if config.tower == TINY:
        return SMALL
    return mf.backbones.clip_model.VISION[config.tower]


@functools.lru_cache(maxsize=8)
def programs(config: Config, row: str, kinds: int, steps: int) -> Programs:
    """The programs of a row that is trained for so many steps."""
    whole = backbone_of(config, row)
    apply, lower = whole.apply, None
    if config.keep:
        parts = parted_clip(
            variant=tower_of(config), num_classes=_classes(row), adapter=_adapter(config),
            image_size=config.image_size, head=config.head,  # type: ignore[arg-type]
        )  # fmt: skip
        apply, lower = parts.upper, jax.jit(parts.lower)
    objective, optimizer = objective_of(config, row), optax.adam(optax.cosine_decay_schedule(config.lr, steps))
    synthesizer = mf.outliers.fakeradar(kinds, mode=config.mode, slots=config.slots)  # type: ignore[arg-type]
    frame = jnp.zeros((1, config.image_size, config.image_size, 3), jnp.uint8)

    def tower():
        # A random one is the same for all seeds and rows.
        return {"vision": whole.init(jax.random.key(0), frame)["vision"]}

    @jax.jit
    def begin(key):
        # Compiled, the random tower that is not wanted is not made either.
        params = {name: part for name, part in _backbone(config, row, "").init(key, frame).items() if name != "vision"}
        size = config.neck or tower_of(config).width
        return State(
            params, optimizer.init(params), synthesizer.init(size), jnp.zeros((config.bank, size)),
            jnp.full(config.bank, -1, jnp.int32), jnp.zeros((), jnp.int32),
        )  # fmt: skip

    @jax.jit
    def step(key, frozen, state: State, inputs, label, kind, draw):
        probe = None
        if row != "binary":
            drawn = synthesizer.sample(jax.random.fold_in(key, state.step), state.outliers, config.outliers)
            probe = Probe(state.outliers, drawn._replace(where=drawn.where & draw))

        def loss_fn(params):
            # Of the tower no gradient is asked for, so that there is no way back below the first adapter.
            outputs = apply(params | frozen, inputs)
            seen = lambda params, inputs, **options: outputs
            fn = mf.objectives.loss_fn(seen, objective, head=whole.head)
            loss, metrics = fn(params, mf.Batch(inputs, label, probe=probe, weights=objective.weights()))
            return loss, (metrics, outputs.embeddings)

        (loss, (metrics, rows)), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        place = (state.step * label.shape[0] + jnp.arange(label.shape[0])) % config.bank
        return State(
            optax.apply_updates(state.params, updates), opt_state, state.outliers, state.bank.at[place].set(rows),
            state.kind.at[place].set(kind), state.step + 1,
        ), {"loss": loss} | metrics  # fmt: skip

    @jax.jit
    def score(frozen, params, inputs):
        return jnp.mean(forgery_log_odds(apply(params | frozen, inputs).logits), axis=-1)

    @jax.jit
    def refresh(key, state: State):
        outliers, info = synthesizer.update(
            key, state.outliers, state.bank, jnp.maximum(state.kind, 0), where=state.kind >= 0
        )
        return state._replace(outliers=outliers), info

    return Programs(tower, begin, step, score, refresh, lower)


def steps_of(config: Config, films: int) -> int:
    """Steps in an epoch: as many as are asked for, or as show about every film once."""
    return config.epoch_steps or max(1, -(-films * config.clips // config.batch))


def _backbone(config: Config, row: str, weights: str) -> mf.Backbone:
    return mf.backbones.clip(
        variant=tower_of(config), num_classes=_classes(row), adapter=_adapter(config), weights=weights or None,
        image_size=config.image_size, neck=config.neck, head=config.head,  # type: ignore[arg-type]
    )  # fmt: skip


def _classes(row: str) -> int:
    return 2 if row == "binary" else 3


def _adapter(config: Config) -> STAdapter:
    return STAdapter(config.adapter_width, config.adapters, blocks=config.adapted_blocks)  # type: ignore[arg-type]
