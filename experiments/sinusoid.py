r"""Does the package reproduce MAML's sinusoid table? 5-shot regression against pre-training on the same data.

    python -m experiments.sinusoid --workdir=runs/sinusoid
    python -m experiments.sinusoid --workdir=runs/sinusoid_quick --preset=quick

A task is $y = A \sin(x - \varphi)$ with A ~ U[0.1, 5], phase ~ U[0, pi], x ~ U[-5, 5]; the network is 1-40-40-1 with
ReLU. MAML trains with 10 support and 10 query points, one inner step at 0.01 and exact second order; pre-training
sees the very same points and starts from the same parameters. The paper says 0.01, its released code defaults to 0.001:
here it is 0.01, in training and at test. Initial weights are Flax's (LeCun normal); the released code's are smaller.

Judged on 600 test tasks, the same for every method and seed, on 100 query points evenly spaced over [-5, 5], after 1, 5
and 10 steps of plain gradient descent on the support points (5-shot takes the first 5 of 10). MAML's rate is the one it
trained with. Pre-training's is chosen on 600 other tasks, for each number of shots and steps anew, which favours it.
Intervals (95 %) resample seeds and tasks, both with replacement.

Numbers to expect, 5-shot MSE after 1 / 5 / 10 steps; in the paper MAML 0.67 / 0.38 / 0.35, pre-training 2.41 / 2.23 /
2.19. Without a step, no network that was only pre-trained can be below 3.01, the best function of x alone.
Costs minutes on two CPU cores (quick: well under one); a killed run goes on from its last checkpoint.

Source: Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning*, ICML 2017, section 5.1 and table 2.
"""

import dataclasses
import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

import metaforge as mf
from experiments._progress import progress
from metaforge.backbones import mlp
from metaforge.commands import launch, setting
from metaforge.errors import InputError
from metaforge.evaluation.intervals import Interval
from metaforge.objectives import loss_fn, squared_error
from metaforge.runs import Run, read_rows, write_json

SHOTS, STEPS = (5, 10), (0, 1, 5, 10)
PAPER = {"maml": {1: 0.67, 5: 0.38, 10: 0.35}, "pretrain": {1: 2.41, 5: 2.23, 10: 2.19}}
"""Table 2: 5-shot MSE after so many steps."""
TRAIN, VALIDATION, TEST = 0, 1, 2
"""Streams of tasks; no two share a key."""
MODEL = mlp(hidden=(40, 40), outputs=1)
LOSS = loss_fn(MODEL.apply, squared_error())


@dataclasses.dataclass(frozen=True)
class Config:
    """How to train and how to judge; the defaults are the paper's."""

    seeds: int = setting(3, "Trained models: initial parameters and streams of tasks.")
    iterations: int = setting(70_000, "Outer steps.")
    tasks: int = setting(25, "Tasks in a meta-batch.")
    shots: int = setting(10, "Support points of a task in training.")
    queries: int = setting(10, "Query points of a task in training.")
    inner_lr: float = setting(0.01, "MAML's inner rate, in training and at test (released code: 0.001).")
    outer_lr: float = setting(1e-3, "Adam's rate, for MAML and for pre-training.")
    order: str = setting("second", "Order of the outer gradient.", choices=("first", "second"))
    test_tasks: int = setting(600, "Test tasks; as many others choose pre-training's rate.")
    rates: str = setting("0.0005,0.001,0.002,0.005,0.01,0.02,0.05", "Rates tried for fine-tuning, comma-separated.")
    chunk: int = setting(1000, "Outer steps to one call of the compiled program, and to a row of the log.")
    checkpoint_every: int = setting(10, "Chunks between checkpoints.")

    def check(self) -> None:
        """Raises `InputError` for what cannot work, naming the field."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) and value <= 0:
                raise InputError(f"--config.{field.name}={value}: give a number above 0.")
        try:
            usable = min(map(float, self.rates.split(","))) > 0
        except ValueError:
            usable = False
        if not usable:
            raise InputError(f"--config.rates='{self.rates}': give numbers above 0, such as 0.001,0.01.")


PRESETS = {"full": Config(), "quick": Config(seeds=2, iterations=5000, test_tasks=200)}


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.")


def sample_episodes(key: jax.Array, *, tasks: int, support: int, query: int, grid: bool = False) -> mf.Episode:
    """Draws sinusoids and points on them: leaves `(tasks, points, 1)`, float32.

    Args:
        key: a typed key.
        tasks: how many sinusoids.
        support: support points of each, uniform on [-5, 5].
        query: query points of each, likewise, or with `grid` evenly spaced from -5 to 5.
        grid: see `query`.
    """
    for_amplitude, for_phase, for_points = jax.random.split(key, 3)
    amplitude = jax.random.uniform(for_amplitude, (tasks, 1, 1), minval=0.1, maxval=5.0)
    phase = jax.random.uniform(for_phase, (tasks, 1, 1), minval=0.0, maxval=jnp.pi)
    inputs = jax.random.uniform(for_points, (tasks, support + query, 1), minval=-5.0, maxval=5.0)
    if grid:
        even = jnp.broadcast_to(jnp.linspace(-5.0, 5.0, query)[None, :, None], (tasks, query, 1))
        inputs = inputs.at[:, support:].set(even)
    batch = mf.Batch(inputs, amplitude * jnp.sin(inputs - phase))
    return mf.Episode(*(jax.tree.map(lambda leaf: leaf[:, part], batch) for part in np.s_[:support, support:]))


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


def interval(errors: np.ndarray, *, resamples: int = 10_000, seed: int = 0) -> Interval:
    """The mean of `errors`, shape `(seeds, tasks)`, and its 95 % bootstrap interval over seeds and tasks.

    All seeds are judged on the same tasks, so one resample draws tasks once for all of its seeds. Three seeds say
    little of seeds: their part of the variance comes out at two thirds of what it is.
    """
    rng = np.random.default_rng(seed)
    by_seed, by_task = (rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n for n in errors.shape)
    means = np.einsum("rs,st,rt->r", by_seed, errors, by_task, optimize=True)
    return Interval(float(errors.mean()), *map(float, np.quantile(means, [0.025, 0.975])))


def train(config: Config, name: str, directory: Run, *, quiet: bool = False):
    """Trains all seeds of "maml" or "pretrain" at once, or goes on; returns parameters with a leading axis of seeds."""
    rules = {"inner_optimizer": optax.sgd(config.inner_lr), "outer_optimizer": optax.adam(config.outer_lr)}
    learner = (
        mf.maml(LOSS, order=config.order, tasks="vmap", **rules) if name == "maml" else mf.erm(LOSS, **rules)  # type: ignore[arg-type]
    )
    keys = jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), TRAIN))(jnp.arange(config.seeds))

    # Vmapped seeds take half the time of one after the other: the network is too small to fill a core.
    @functools.partial(jax.jit, static_argnames="length")
    @functools.partial(jax.vmap, in_axes=(0, 0, None))
    def advance(state, key, length):
        def step(state, _):
            # The key depends on the step alone, so a run that was killed sees the tasks it would have seen.
            sizes = {"tasks": config.tasks, "support": config.shots, "query": config.queries}
            state, info = learner.update(state, sample_episodes(jax.random.fold_in(key, state.step), **sizes))
            return state, jnp.mean(info.query_losses)

        state, losses = jax.lax.scan(step, state, length=length)
        return state, jnp.mean(losses)

    start = lambda key: learner.init(MODEL.init(jax.random.fold_in(key, -1), jnp.zeros((1, 1))))
    step, state = directory.resume(jax.vmap(start)(keys))
    with progress(f"{name}, {config.seeds} seeds", config.iterations, done=step, quiet=quiet) as bar:
        while step < config.iterations:
            began, length = time.perf_counter(), min(config.chunk, config.iterations - step)
            state, losses = advance(state, keys, length)
            losses, step = np.asarray(losses), step + length
            if not np.isfinite(losses).all():
                raise InputError(f"sinusoid: the loss of {name} is not finite before step {step}. Lower --config.inner_lr"
                                 " or --config.outer_lr.")  # fmt: skip
            seconds = round(time.perf_counter() - began, 3)
            directory.log({"step": step, "seconds": seconds, "query_loss": float(losses.mean())})
            if step % (config.chunk * config.checkpoint_every) == 0 or step == config.iterations:
                directory.save(step, state)
            bar.update(length)
            bar.set_postfix_str(f"loss {losses.mean():.3f}")
    return state.params


def judge(config: Config, params: dict[str, Any]) -> dict[str, Any]:
    """The table: MSE of both methods on the test tasks, and by how much MAML is below."""
    key = lambda stream: jax.random.fold_in(jax.random.key(0), stream)
    draw = lambda stream: sample_episodes(
        key(stream), tasks=config.test_tasks, support=max(SHOTS), query=100, grid=True
    )
    validation, test = draw(VALIDATION), draw(TEST)
    rates, rows, gains = [float(rate) for rate in config.rates.split(",")], [], []
    for shots in SHOTS:
        few = lambda episodes, shots=shots: episodes._replace(
            support=jax.tree.map(lambda leaf: leaf[:, :shots], episodes.support)
        )
        tried = np.stack([task_errors(params["pretrain"], few(validation), rate) for rate in rates]).mean(axis=(1, 2))
        best = [rates[i] for i in np.argmin(np.where(np.isfinite(tried), tried, np.inf), axis=0)]
        chosen = {"maml": [config.inner_lr] * len(STEPS), "pretrain": best}
        errors = {}
        for name in PAPER:
            found = {rate: np.asarray(task_errors(params[name], few(test), rate)) for rate in {*chosen[name]}}
            errors[name] = np.stack([found[rate][..., i] for i, rate in enumerate(chosen[name])], axis=-1)
        for i, steps in enumerate(STEPS):
            for name in PAPER:
                row = {"method": name, "shots": shots, "steps": steps, "rate": chosen[name][i] if steps else None}
                row |= interval(errors[name][..., i])._asdict() | {"seeds": errors[name][..., i].mean(axis=1).tolist()}
                rows.append(row | {"paper": PAPER[name].get(steps) if shots == 5 else None})
            gain = interval(errors["pretrain"][..., i] - errors["maml"][..., i])
            gains.append({"shots": shots, "steps": steps} | gain._asdict())
    return {"rows": rows, "pretrain_minus_maml": gains}


def table(report: dict[str, Any]) -> str:
    """The report as a Markdown table."""
    config, seconds = report["config"], report["seconds"]
    lines = ["| shots | steps | method | MSE [95 %] | of each seed | rate | paper |", "|---|---|---|---|---|---|---|"]
    for row in report["rows"]:
        seeds, value = " ".join(f"{seed:.2f}" for seed in row["seeds"]), Interval(row["value"], row["low"], row["high"])
        rate, paper = row["rate"] or "-", row["paper"] or "-"
        lines.append(f"| {row['shots']} | {row['steps']} | {row['method']} | {value} | {seeds} | {rate} | {paper} |")
    lines.append(f"\n{config['iterations']} iterations, {config['seeds']} seeds, {config['test_tasks']} test tasks; trained in "
                 + ", ".join(f"{value:.0f} s ({name})" for name, value in seconds.items()) + ".")  # fmt: skip
    return "\n".join(lines)


def run(config: Config, workdir: str | Path, *, quiet: bool = False) -> dict[str, Any]:
    """Trains both methods, or goes on, and returns the report; a finished run returns it at once."""
    config.check()
    directory = Run(workdir, dataclasses.asdict(config)).directory
    if (directory / "report.json").exists():
        return json.loads((directory / "report.json").read_text())
    runs = {name: Run(directory / name, dataclasses.asdict(config)) for name in PAPER}
    params = {name: train(config, name, part, quiet=quiet) for name, part in runs.items()}
    seconds = {name: sum(row["seconds"] for row in read_rows(directory / name)) for name in PAPER}
    report = {"config": dataclasses.asdict(config), **judge(config, params), "seconds": seconds}
    (directory / "report.md").write_text(table(report) + "\n")
    write_json(directory / "report.json", report)
    return report


def main(argv: list[str]) -> int:
    """The command."""
    body = lambda options, config: print(table(run(config, options.workdir)))
    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config(), presets=PRESETS)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
