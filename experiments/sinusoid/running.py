"""Sinusoids, MAML and pre-training on them, and the table."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

import metaforge as mf
from experiments.sinusoid.config import Config
from metaforge.backbones import mlp
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.objectives import loss_fn, squared_error
from metaforge.runs import Run, read_rows, write_json
from metaforge.training.outer_loop import outer_loop
from metaforge.whole import write_text

SHOTS, STEPS = (5, 10), (0, 1, 5, 10)
PAPER = {"maml": {1: 0.67, 5: 0.38, 10: 0.35}, "pretrain": {1: 2.41, 5: 2.23, 10: 2.19}}
"""Table 2: 5-shot MSE after so many steps."""
CAP = 25.0
"""The most that one task's error counts: 5 squared, which predicting 0 stays below on every task."""
TEST_SEED = 2**31 + 1
"""Seed of validation and test tasks; no model has it."""
MODEL = mlp(hidden=(40, 40), outputs=1)
LOSS = loss_fn(MODEL.apply, squared_error())


@functools.partial(jax.jit, static_argnames=("tasks", "support", "query", "grid"))
def sample_episodes(key: jax.Array, *, tasks: int, support: int, query: int, grid: bool = False) -> mf.Episode:
    """Sinusoids and points on them, uniform on [-5, 5]: leaves `(tasks, points, 1)`, float32.

    With `grid` the query points are evenly spaced from -5 to 5 instead, both ends included.
    """
    for_amplitude, for_phase, for_points = jax.random.split(key, 3)
    amplitude = jax.random.uniform(for_amplitude, (tasks, 1, 1), minval=0.1, maxval=5.0)
    phase = jax.random.uniform(for_phase, (tasks, 1, 1), minval=0.0, maxval=jnp.pi)
    inputs = jax.random.uniform(for_points, (tasks, support + query, 1), minval=-5.0, maxval=5.0)
    if grid:
        even = jnp.broadcast_to(jnp.linspace(-5.0, 5.0, query)[None, :, None], (tasks, query, 1))
        inputs = inputs.at[:, support:].set(even)
    batch = mf.Batch(inputs, amplitude * jnp.sin(inputs - phase))
    part = lambda where: jax.tree.map(lambda leaf: leaf[:, where], batch)
    return mf.Episode(part(slice(support)), part(slice(support, None)))


@jax.jit
def task_errors(params, episodes: mf.Episode, rate) -> Float[Array, "seeds tasks steps"]:
    """Query MSE of each task after 0, 1, 5 and 10 steps at `rate`; `params` have a leading axis of seeds."""

    def one(params, episode):
        errors, taken = [], 0
        for steps in STEPS:  # plain gradient descent has no state, so the path can be walked in parts
            params, _ = mf.adapt(LOSS, params, episode.support, optimizer=optax.sgd(rate), num_steps=steps - taken)
            errors.append(LOSS(params, episode.query)[0])
            taken = steps
        return jnp.stack(errors)

    over_tasks = jax.vmap(one, in_axes=(None, 0))
    return jax.vmap(over_tasks, in_axes=(0, None))(params, episodes)


def interval(errors: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> Interval:
    """The mean of `errors`, shape `(seeds, tasks)`, and its 95 % bootstrap interval over seeds and tasks.

    All seeds are judged on the same tasks, so one resample draws tasks once for all of its seeds. Three seeds say
    little of seeds: their part of the variance comes out at two thirds of what it is.
    """
    by_seed, by_task = _weights(errors.shape, resamples, seed)
    means = np.einsum("rs,st,rt->r", by_seed, errors, by_task, optimize=True)
    return Interval(float(errors.mean()), *map(float, np.quantile(means, [0.025, 0.975])))


@functools.lru_cache(maxsize=8)
def _weights(shape: tuple[int, ...], resamples: int, seed: int) -> list[np.ndarray]:
    """What every resample counts each seed and each task: the same for all rows of a table, and slow to draw."""
    rng = np.random.default_rng(seed)
    return [rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n for n in shape]


@functools.lru_cache(maxsize=8)
def _programs(config: Config, name: str):
    """How all seeds start, `keys -> state`, and how they go on, `(state, keys, length) -> (state, losses)`."""
    how: dict[str, Any] = {"order": config.order, "strategy": "vmap"} if name == "maml" else {}
    inner, outer = optax.sgd(config.inner_lr), optax.adam(config.outer_lr)
    learner = {"maml": mf.maml, "pretrain": mf.erm}[name](LOSS, inner_optimizer=inner, outer_optimizer=outer, **how)
    draw = functools.partial(sample_episodes, tasks=config.tasks, support=config.shots, query=config.queries)

    def start(key):
        return learner.init(MODEL.init(key, jnp.zeros((1, 1))))

    def advance(state, key, length):
        def step(state, _):
            # The key depends on the step alone, so a run that was killed sees the tasks it would have seen.
            state, info = learner.update(state, draw(jax.random.fold_in(key, state.step)))
            return state, jnp.mean(info.query_losses)

        state, losses = jax.lax.scan(step, state, length=length)
        return state, jnp.mean(losses)

    # Seeds are vmapped: the network is too small to fill a core, so three take less than twice the time of one.
    return jax.jit(jax.vmap(start)), jax.jit(jax.vmap(advance, in_axes=(0, 0, None)), static_argnums=2)


def train(config: Config, name: str, directory: Run, *, quiet: bool = False):
    """Trains all seeds of "maml" or "pretrain" at once, or goes on; returns parameters with a leading axis of seeds."""
    start, advance = _programs(config, name)
    for_params, for_tasks = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(jnp.arange(config.seeds)).T

    def chunk(state, step, count):
        state, losses = advance(state, for_tasks, count)
        loss = float(np.mean(losses))
        if not np.isfinite(loss):
            raise InputError(f"{name}: the loss is not finite by step {step + count}. Lower --outer_lr or inner_lr.")
        return state, {"query_loss": loss}

    _, state = outer_loop(
        directory, start(for_params), chunk, steps=config.iterations, chunk=config.chunk, save_every=10 * config.chunk,
        title=f"{name}, {config.seeds} seeds", quiet=quiet,
    )  # fmt: skip
    return state.params


def judge(config: Config, params: dict[str, Any]) -> list[dict[str, Any]]:
    """The table: for every number of shots and steps the MSE of each method on the test tasks."""
    draw = functools.partial(sample_episodes, support=max(SHOTS), query=100, grid=True)
    for_validation, for_test = jax.random.split(jax.random.key(TEST_SEED))
    validation, test = draw(for_validation, tasks=config.validation_tasks), draw(for_test, tasks=config.test_tasks)
    rates = {"maml": [config.inner_lr], "maml_tuned": config.rate_grid(), "pretrain": config.rate_grid()}

    def errors(name, episodes, shots):
        few = episodes._replace(support=jax.tree.map(lambda leaf: leaf[:, :shots], episodes.support))
        found = [task_errors(params[name.removesuffix("_tuned")], few, rate) for rate in rates[name]]
        return np.nan_to_num(np.stack(found).astype(np.float64), nan=np.inf, posinf=np.inf)

    rows = []
    for shots in SHOTS:
        # One index into the rates for every number of steps: chosen on validation, looked up on test.
        best = {name: errors(name, validation, shots).mean(axis=(1, 2)).argmin(axis=0) for name in rates}
        found = {name: errors(name, test, shots) for name in rates}
        for i, steps in enumerate(STEPS):
            each = {name: found[name][best[name][i], :, :, i] for name in rates}
            for name, values in each.items():
                capped = np.minimum(values, CAP)
                row = {"shots": shots, "steps": steps, "method": name, "mse": interval(capped).as_json()}
                row |= {"seeds": capped.mean(axis=1).tolist(), "capped": int((values > CAP).sum())}
                row["rate"] = rates[name][best[name][i]] if steps else None
                row["paper"] = PAPER[name.removesuffix("_tuned")].get(steps) if shots == 5 else None
                below = np.minimum(each["pretrain"], CAP) - capped
                rows.append(row | {"below_pretrain": interval(below).as_json() if name != "pretrain" else None})
    return rows


def table(report: dict[str, Any]) -> str:
    """The report as a Markdown table."""
    names = ("shots", "steps", "method", "rate", "paper", "MSE [95 %]", "capped", "below pre-training by")
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    show = lambda part: str(Interval.from_json(part))
    for row in report["rows"]:
        cells = [row[name] for name in ("shots", "steps", "method", "rate", "paper")]
        below = row["below_pretrain"]
        cells += [show(row.get("mse")), row["capped"], below and show(below)]
        lines.append("| " + " | ".join("-" if cell is None else str(cell) for cell in cells) + " |")
    sizes = [f"{report['config'][name]} {name.replace('_', ' ')}" for name in ("iterations", "seeds", "test_tasks")]
    took = [f"{name} {value:.0f} s" for name, value in report["seconds"].items()]
    return "\n".join([*lines, "", f"{', '.join(sizes)}; training took {', '.join(took)}."])


def run(config: Config, workdir: str | Path, *, quiet: bool = False) -> dict[str, Any]:
    """Trains both methods, or goes on, and returns the report; a finished run returns it at once."""
    config.check()
    directory = Run(workdir, dataclasses.asdict(config)).directory
    if (directory / "report.json").exists():
        return json.loads((directory / "report.json").read_text(encoding="utf-8"))
    runs = {name: Run(directory / name, dataclasses.asdict(config)) for name in PAPER}
    params = {name: train(config, name, part, quiet=quiet) for name, part in runs.items()}
    seconds = {name: sum(row["seconds"] for row in read_rows(directory / name)) for name in PAPER}
    report = {"config": dataclasses.asdict(config), "rows": judge(config, params), "seconds": seconds}
    write_text(directory / "report.md", table(report) + "\n")
    write_json(directory / "report.json", report)
    return report
