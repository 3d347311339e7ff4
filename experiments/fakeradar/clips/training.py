"""Trains one model on clips, and scores films with it."""

import contextlib
from typing import Any

import jax
import numpy as np

from experiments.fakeradar.clips.config import Config
from experiments.fakeradar.clips.films import Films
from experiments.fakeradar.clips.inputs import Look, batches, parts
from experiments.fakeradar.clips.programs import Programs
from metaforge.data.ahead import ahead
from metaforge.errors import InputError
from metaforge.runs import Run
from metaforge.training.outer_loop import outer_loop
from metaforge.training.probing import describe

_AHEAD = 2
"""Batches that wait for their steps."""

_AT_ONCE = 4
"""Films that are scored at a time."""


def train(
    config: Config, made: Programs, frozen: Any, row: str, seed: int, films: Films, look: Look, methods: list[str],
    run: Run, *, steps: int, chunk: int,
) -> Any:  # fmt: skip
    """Trains, or goes on training, one model, and returns its parameters; the run's log has a row for each epoch."""
    key, refreshing = jax.random.split(jax.random.key(seed + 1))

    def epoch(state, step, count):
        found: dict[str, Any] = {}
        # The first epoch is without outliers: features that mean nothing have no edge worth probing.
        draw = step >= chunk
        if draw and row != "binary":
            state, info = made.refresh(jax.random.fold_in(refreshing, step), state)
            found = describe(info, methods)
        infos = []
        waiting = ahead(batches(config, films, look, seed=seed, step=step, count=count), most=_AHEAD)
        with contextlib.closing(waiting):
            for seen in waiting:
                state, metrics = made.step(key, frozen, state, *seen, np.array(draw))
                infos.append(jax.device_get(metrics))
        means = {name: float(np.mean([info[name] for info in infos])) for name in infos[0]}
        if not np.isfinite(means["loss"]):
            number = step // chunk + 1
            raise InputError(
                f"training: the loss of '{row}', seed {seed}, is not finite in epoch {number}. Lower --lr."
            )
        return state, means | found

    _, state = outer_loop(
        run, made.begin(jax.random.key(seed)), epoch, steps=steps, chunk=chunk,
        save_every=config.checkpoint_every * chunk, title=row, quiet=False,
    )  # fmt: skip
    return state.params


def score(made: Programs, frozen: Any, params: Any, films: Films, look: Look) -> np.ndarray:
    """The log-odds of each film: their mean over its clips."""
    found = []
    for some in parts(len(films.path), _AT_ONCE):
        clips = np.stack([look(number, None) for number in some])
        found.append(np.asarray(made.score(frozen, params, clips)))
    return np.concatenate(found)[: len(films.path)]
