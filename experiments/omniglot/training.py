"""One model: trained in chunks of outer steps that are one program each, tested on everybody's episodes."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.omniglot import learners
from experiments.omniglot.data import SIDE
from experiments.omniglot.episodes import CharacterPool, draw, episodes
from experiments.omniglot.recipes import Kind, ways_and_shots
from metaforge.backbones import conv4
from metaforge.errors import InputError
from metaforge.runs import Run
from metaforge.training.outer_loop import outer_loop
from metaforge.whole import whole_file

BATCH = 50
"""Episodes that are tested in one program."""
SAVE_AFTER = 60.0
"""Seconds after which the end of a chunk is worth a checkpoint."""


@functools.lru_cache(maxsize=4)
def _programs(kind: Kind):
    """How a model of a kind starts, goes on and answers.

    Returns `key -> state`, `(state, images, rows) -> (state, seen)` and `(params, images, rows) -> correct`.
    """
    model = conv4(num_classes=kind.recipe.ways, width=kind.width, normalisation=kind.normalisation)
    of = functools.partial(learners.learner, kind.learner, kind.recipe, model, strategy=kind.strategy, remat=kind.remat)
    learner, tested = of(steps=kind.recipe.steps), of(steps=kind.recipe.test_steps)
    _, shots = ways_and_shots(kind.cell)

    def start(key):
        return learner.init(model.init(key, jnp.zeros((1, SIDE, SIDE, 1))))

    @jax.jit
    def advance(state, images, rows):
        def step(state, rows):
            state, info = learner.update(state, episodes(images, rows, shots=kind.recipe.shots))
            return state, (jnp.mean(info.query_losses), jnp.mean(info.metrics["accuracy"]))

        return jax.lax.scan(step, state, rows)

    @jax.jit
    def correct(params, images, rows):
        def one(episode):
            adapted, _ = tested.adapt(params, episode.support)
            outputs = model.apply(adapted, episode.query.inputs, context=episode.support.inputs)
            return jnp.argmax(outputs.logits, axis=-1) == episode.query.targets

        every = episodes(images, rows, shots=shots)
        # On a CPU one after the other: side by side, each adapted network would convolve with weights of its own.
        return jax.lax.map(one, every) if jax.default_backend() == "cpu" else jax.vmap(one)(every)

    return start, advance, correct


def train(
    kind: Kind,
    seed: int,
    images: jax.Array,
    pool: CharacterPool,
    run: Run,
    *,
    until: float,
    title: str = "",
    quiet: bool = False,
):
    """Trains one model, or goes on.

    Args:
        kind: what it is.
        seed: of its initial parameters and its stream of episodes.
        images: all drawings in all turns, on the device.
        pool: the training characters.
        run: its directory.

    Other Arguments:
        until: when to stop (`time.monotonic()`): at the first end of a chunk after it.
        title: of the progress bar.
        quiet: whether to show none.

    Returns:
        The meta-parameters, or `None` when the time was over before training was.
    """
    start, advance, _ = _programs(kind)
    recipe = kind.recipe

    def rows(step):
        steps = range(step, min(step + kind.chunk, recipe.iterations))
        how = {"tasks": recipe.tasks, "ways": recipe.ways, "examples": recipe.shots + recipe.queries}
        return np.stack([draw(pool, seed=(seed, number), **how) for number in steps])

    ahead: dict[int, np.ndarray] = {}

    def chunk(state, step, count):
        state, seen = advance(state, images, ahead.pop(step) if step in ahead else rows(step))
        if step + count < recipe.iterations:
            ahead[step + count] = rows(step + count)  # while the device is at work
        loss, accuracy = (float(np.mean(value)) for value in seen)
        if not np.isfinite(loss):
            remedy = "Give a lower --inner_lr, or more --tasks."
            raise InputError(f"{kind.trained}: the loss is not finite by step {step + count}. {remedy}")
        return state, {"query_loss": loss, "query_accuracy": accuracy}

    # Put on the device by name, as a restored state is, so that going on compiles nothing anew.
    first = jax.device_put(start(jax.random.key(seed)), jax.devices()[0])
    step, state = outer_loop(
        run, first, chunk, steps=recipe.iterations, chunk=kind.chunk, save_seconds=SAVE_AFTER, until=until,
        title=title or kind.trained, quiet=quiet,
    )  # fmt: skip
    return state.params if step == recipe.iterations else None


def test(kind: Kind, params, images: jax.Array, rows: np.ndarray) -> np.ndarray:
    """Which queries a model classifies as they should be, after adapting to each episode: `(episodes, queries)`."""
    _, _, correct = _programs(kind)
    padded = np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % BATCH, axis=0)])  # one program for all
    found = [np.asarray(correct(params, images, padded[i : i + BATCH])) for i in range(0, len(padded), BATCH)]
    return np.concatenate(found)[: len(rows)]


def keep(path: Path, correct: np.ndarray) -> None:
    """Writes a model's answers, whole or not at all."""
    with whole_file(path, ending=False) as made, open(made, "wb") as file:
        np.save(file, correct)
