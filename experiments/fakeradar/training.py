"""One model of the FakeRadar experiment: tri-training, or one of its ablations, on source domains."""

import dataclasses
import functools
import hashlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from experiments.fakeradar.config import Config
from metaforge.backbones.features import embed
from metaforge.data.episodes import pool
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.metrics import auc
from metaforge.evaluation.tri import forgery_log_odds
from metaforge.objectives import WeightedSum
from metaforge.outliers import OutlierState, OutlierSynthesizer, Probe
from metaforge.runs import Run, read_rows
from metaforge.training.probing import describe
from metaforge.whole import write_arrays

ROWS: tuple[str, ...] = ("full", "no contrastive loss", "no third class", "no outliers", "fixed clusters", "binary")
"""The rows of the ablation table: everything, without each part, and plain classification."""


_PART = 256
"""Images that are scored at a time."""


class Data(NamedTuple):
    """Images, or what a frozen network says of them, on the device.

    Attributes:
        inputs: one a row.
        label: `REAL` or `FAKE`.
        kind: 0 for real, and a number for each forgery method.
    """

    inputs: jax.Array
    label: jax.Array
    kind: jax.Array


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


def objective_of(config: Config, row: str) -> WeightedSum:
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


def synthesizer_of(config: Config, row: str, kinds: int) -> OutlierSynthesizer:
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


def data(config: Config, records: Records, methods: list[str]) -> Data:
    """A table on the device: its images, or their features under a frozen network."""
    held = pool(records)
    kind = np.array([0 if label == mf.REAL else 1 + methods.index(str(name))
                     for label, name in zip(records.label, records.method, strict=True)], np.int32)  # fmt: skip
    inputs = features(config, held.image)[held.index]
    return Data(jnp.asarray(inputs), jnp.asarray(records.label, jnp.int32), jnp.asarray(kind))


def features(config: Config, images: np.ndarray) -> np.ndarray:
    """What the trained part sees: the images themselves, or a frozen network's features of them."""
    if config.backbone == "conv4":
        return images
    # A frozen network says the same of an image whoever asks; rows and held-out methods ask again and again.
    about = f"{images.dtype} {images.shape}".encode()
    name = hashlib.sha256(about + np.ascontiguousarray(images).tobytes()).digest()
    if name not in _SEEN:
        while len(_SEEN) >= 64:
            _SEEN.pop(next(iter(_SEEN)))
        _SEEN[name] = embed(*_frozen(), images)
    return _SEEN[name]


_SEEN: dict[bytes, np.ndarray] = {}


@functools.lru_cache(maxsize=1)
def _frozen():
    backbone = mf.backbones.efficientnet_lite0(pretrained=True)
    return backbone, backbone.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))


def train(config: Config, row: str, seed: int, source: Data, validation: Data, methods: list[str], run: Run) -> Any:
    """Trains, or goes on training, one model, and returns its parameters; the run's log has a row for each epoch."""
    made, objective = programs(config, row, 1 + len(methods)), objective_of(config, row)
    done, state = run.resume(made.begin(jax.random.key(seed), source.inputs[:2]))
    sides = [jnp.flatnonzero(source.label == label) for label in (mf.REAL, mf.FAKE)]
    key = jax.random.key(seed + 1)
    for epoch in range(done // config.refresh_every, config.epochs):
        began, infos, found = time.perf_counter(), [], {}
        # The first epoch is without outliers: features that mean nothing have no edge worth probing.
        if epoch and row != "binary":
            bank = made.score(state.params, source.inputs)[1]
            outliers, info = made.refresh(jax.random.fold_in(key, epoch), state.outliers, bank, source.kind)
            state, found = state._replace(outliers=outliers), describe(info, methods)
        weights, draw = objective.weights(), jnp.array(row != "no outliers")
        for _ in range(config.refresh_every):
            state, metrics = made.step(key, state, source, sides, weights, draw)
            infos.append(metrics)
        infos = jax.device_get(infos)
        means = {name: float(np.mean([info[name] for info in infos])) for name in infos[0]}
        if not np.isfinite(means["loss"]):
            raise InputError(
                f"training: the loss of '{row}', seed {seed}, is not finite in epoch {epoch + 1}. Lower --lr."
            )
        odds = np.asarray(made.score(state.params, validation.inputs)[0])
        means["val_auc"] = float(auc(np.asarray(validation.label), odds))
        at = (epoch + 1) * config.refresh_every
        run.log({"step": at, "seconds": round(time.perf_counter() - began, 4)} | means | found)
        if (epoch + 1) % config.checkpoint_every == 0 or epoch + 1 == config.epochs:
            run.save(at, state)
    if not (run.directory / "report.json").exists():
        if row != "binary":
            _save_map(config, made, state, source, key, methods, run)
        run.finish({"row": row, "seed": seed, "final": read_rows(run.directory)[-1]})
    return jax.device_get(state.params)


def _save_map(config: Config, made: Programs, state: State, source: Data, key, methods: list[str], run: Run) -> None:
    """Where features, centres and outliers lie at the end, for a figure."""
    # The clusters are those of the last refresh, and the features have moved since.
    bank = made.score(state.params, source.inputs)[1]
    last, _ = made.refresh(jax.random.fold_in(key, config.epochs), state.outliers, bank, source.kind)
    drawn = made.sample(jax.random.key(0), last, 150)
    some = np.linspace(0, len(bank) - 1, min(len(bank), 1500)).astype(int)
    write_arrays(
        run.directory / "outliers.npz",
        compressed=True,
        features=np.asarray(bank)[some],
        kind=np.asarray(source.kind)[some],
        names=np.array(["real", *methods]),
        centers=np.asarray(last.centers)[np.asarray(last.clusters.active)],
        outliers=np.asarray(drawn.features)[np.asarray(drawn.where)],
    )


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
