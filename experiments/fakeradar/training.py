"""Trains one model of the FakeRadar experiment: tri-training, or one of its ablations, on source domains."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from experiments.fakeradar.config import Config
from experiments.fakeradar.images import Data
from experiments.fakeradar.programs import Programs, State, objective_of, programs
from metaforge.errors import InputError
from metaforge.evaluation.metrics import auc
from metaforge.runs import Run, read_rows
from metaforge.training.outer_loop import outer_loop
from metaforge.training.probing import describe
from metaforge.whole import write_arrays


def train(config: Config, row: str, seed: int, source: Data, validation: Data, methods: list[str], run: Run) -> Any:
    """Trains, or goes on training, one model, and returns its parameters; the run's log has a row for each epoch."""
    made, objective = programs(config, row, 1 + len(methods)), objective_of(config, row)
    sides = [jnp.flatnonzero(source.label == label) for label in (mf.REAL, mf.FAKE)]
    key = jax.random.key(seed + 1)

    def epoch(state, step, count):
        number, infos, found = step // config.refresh_every, [], {}
        # The first epoch is without outliers: features that mean nothing have no edge worth probing.
        if number and row != "binary":
            bank = made.score(state.params, source.inputs)[1]
            outliers, info = made.refresh(jax.random.fold_in(key, number), state.outliers, bank, source.kind)
            state, found = state._replace(outliers=outliers), describe(info, methods)
        weights, draw = objective.weights(), jnp.array(row != "no outliers")
        for _ in range(count):
            state, metrics = made.step(key, state, source, sides, weights, draw)
            infos.append(metrics)
        infos = jax.device_get(infos)
        means = {name: float(np.mean([info[name] for info in infos])) for name in infos[0]}
        if not np.isfinite(means["loss"]):
            raise InputError(
                f"training: the loss of '{row}', seed {seed}, is not finite in epoch {number + 1}. Lower --lr."
            )
        return state, means | found

    def judge(state, step):
        odds = np.asarray(made.score(state.params, validation.inputs)[0])
        return {"val_auc": float(auc(np.asarray(validation.label), odds))}

    _, state = outer_loop(
        run, made.begin(jax.random.key(seed), source.inputs[:2]), epoch, steps=config.epochs * config.refresh_every,
        chunk=config.refresh_every, save_every=config.checkpoint_every * config.refresh_every, judge=judge,
    )  # fmt: skip
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
