"""Conv4 trained from nothing by the outer steps of `metaforge train`, until it has seen so many tasks."""

import functools
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.strangers.trained.config import Config
from metaforge.core.devices import spread
from metaforge.data.episodes import EpisodeSampler
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.settings import change
from metaforge.training import batch_size, build, episodic, learner_choice, probing
from metaforge.training.config import Config as Training

VALIDATE, SCORED = 512, 256
"""Images that the loss on source validation is of, and that are scored at a time."""


class Arm(NamedTuple):
    """A way to train.

    Attributes:
        changes: settings of `metaforge train` that differ from a fixed batch of untouched images.
    """

    changes: dict[str, str | int]


class Pool(NamedTuple):
    """All images once, on the device: of every fold one shape, and so one program.

    Attributes:
        records: the table.
        images: theirs.
        labels: theirs.
    """

    records: Records
    images: jax.Array
    labels: jax.Array


class Trained(NamedTuple):
    """A model at its end, and how it came there.

    Attributes:
        params: its parameters.
        curve: a row for each chunk: tasks of a batch, steps, tasks seen so far, seconds and the loss on source
            validation; `(chunks, 5)`.
    """

    params: object
    curve: np.ndarray


def arms(config: Config) -> dict[str, Arm]:
    """What is compared, by name; the first, which is always among them, is what the others are held against.

    Raises:
        InputError: for an unknown name, or buckets that are no numbers.
    """
    try:
        sizes = [int(part) for part in config.buckets.split(",")]
    except ValueError:
        raise InputError(f"--buckets={config.buckets}: give numbers of tasks, rising, such as 2,4,8.") from None
    dynamic: dict[str, str | int] = {"run.batches": "difficulty", "run.buckets": config.buckets}
    known = {
        f"{config.tasks} tasks": Arm({}),
        "light": Arm({"episodes.augment": "light"}),
        "strong": Arm({"episodes.augment": "strong"}),
        **{f"{size} tasks": Arm({"episodes.tasks": size}) for size in (sizes[0], sizes[-1])},
        "difficulty": Arm(dynamic),
    }
    asked = config.ways.split(",") if config.ways else [*known]
    if unknown := [name for name in asked if name not in known]:
        raise InputError(f"--ways={config.ways}: unknown '{unknown[0]}'; known: {', '.join(known)}.")
    return {name: arm for name, arm in known.items() if name in {next(iter(known)), *asked}}


def settings(config: Config, arm: Arm, seed: int) -> Training:
    """As `metaforge train` would be told."""
    return change(
        Training(),
        {
            "learner.name": "erm",
            "learner.outer_lr": config.lr,
            "model.image_size": config.image_size,
            "model.width": config.width,
            "episodes.tasks": config.tasks,
            "episodes.shots": config.shots,
            "episodes.queries": config.queries,
            "run.seed": seed,
            "run.baseline": False,
        }
        | arm.changes,
    )


def train(config: Config, arm: Arm, seed: int, pool: Pool, rows: np.ndarray, validation: np.ndarray) -> Trained:
    """Trains on some rows of the pool; `validation` are rows of people that are not trained on."""
    told = settings(config, arm, seed)
    told.check()
    source = pool.records.take(rows)
    sampler = EpisodeSampler(source, seed=seed, tasks=told.episodes.tasks, shots=config.shots, queries=config.queries)
    step_of = learner_choice.for_step(told)
    of_tasks = lambda tasks: episodic.outer_step(step_of, tasks=tasks)
    # Memory is no limit here, so nothing is written and nobody asks what a program needs.
    batches = batch_size.batches(told, Path(), of_tasks, lambda tasks: 0.0)
    advance = episodic.advance_on(
        episodic.outer_step(step_of), sampler,
        images=pool.images, labels=pool.labels, index=rows.astype(np.int32),
        domains={name: number for number, name in enumerate(source.by_domain())},
        placed=spread(1, tasks=told.episodes.tasks), batches=batches,
    )  # fmt: skip
    if not len(validation):
        raise InputError("--faces: too few people to set some aside for validation. Give more photographs.")
    drawn = np.random.default_rng([config.seed, 5]).choice(validation, VALIDATE)
    state, step, seen, curve = probing.initial(told), 0, 0, []
    while seen < config.budget:
        tasks = batches.choose(state)[0] if batches else told.episodes.tasks
        count = max(1, min(config.every, config.budget - seen) // tasks)
        began = time.perf_counter()
        state, row = advance(state, step, count)
        seconds = time.perf_counter() - began
        step, seen = step + count, seen + count * tasks
        loss = _loss(_plain(told), state.params, pool.images, pool.labels, jnp.asarray(drawn))
        curve.append((tasks, count, seen, seconds, float(loss), row.get("noise_scale", np.nan)))
    return Trained(jax.device_get(state.params), np.array(curve, np.float64))


def scores(config: Config, params, images: np.ndarray) -> np.ndarray:
    """How much more fake than real each image is, a logit."""
    told, filled = settings(config, Arm({}), 0), -len(images) % SCORED
    parts = np.concatenate([images, np.repeat(images[-1:], filled, axis=0)]).reshape(-1, SCORED, *images.shape[1:])
    return np.concatenate([np.asarray(_logits(_plain(told), params, jnp.asarray(part))) for part in parts])[
        : len(images)
    ]


def _plain(told: Training) -> Training:
    """What a model looks at alone, so that all share one program."""
    return Training(model=told.model)


@functools.partial(jax.jit, static_argnums=0)
def _loss(told: Training, params, images, labels, rows):
    logits = build.model(told).apply(params, images[rows]).logits
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[rows][:, None], axis=1))


@functools.partial(jax.jit, static_argnums=0)
def _logits(told: Training, params, images):
    logits = build.model(told).apply(params, images).logits
    return logits[:, 1] - logits[:, 0]
