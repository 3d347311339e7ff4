"""Heads of many recipes, trained side by side on the same batches."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.strangers.features import Table
from experiments.strangers.hard_samples.config import LOSSES, Config, Recipe
from experiments.strangers.hard_samples.folds import batches
from metaforge import losses
from metaforge.backbones import mlp
from metaforge.settings import change
from metaforge.training import config as of_training
from metaforge.training.outer_rate import outer_rate


def trained(
    config: Config, table: Table, rows: np.ndarray, recipes: tuple[Recipe, ...], *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The heads of some recipes that have seen these rows.

    Neck and head are affine, and so is what they are together: weights `(recipes, numbers of a feature)` and biases
    `(recipes,)` of the log-odds of a forgery, for features as they are.
    """
    weights, biases = np.empty((len(recipes), table.features.shape[1])), np.empty(len(recipes))
    known = table.features[rows].astype(np.float64)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    scale = np.where(deviation > 1e-6 * np.abs(mean) + 1e-12, deviation, 1.0)
    drawn = batches(config, table, rows, steps=max(one.steps for one in recipes), seed=seed)
    # Recipes of one length are one program; all lengths begin with the same batches.
    for steps in sorted({one.steps for one in recipes}):
        mine = [number for number, one in enumerate(recipes) if one.steps == steps]
        inputs = ((table.features[drawn[:steps]] - mean) / scale).astype(np.float32)
        kinds = np.array([LOSSES.index(recipes[number].loss) for number in mine])
        options = np.array([recipes[number].option for number in mine], np.float32)
        rates = np.stack([rates_of(config, recipes[number]) for number in mine], axis=1)
        params = jax.device_get(_train(config.neck)(jax.random.key(seed), inputs, kinds, options, rates))
        for place, number in enumerate(mine):
            neck, head = ({name: leaf[place].astype(np.float64) for name, leaf in params[part].items()}
                          for part in ("neck", "head"))  # fmt: skip
            wanted = head["kernel"][:, 1] - head["kernel"][:, 0]
            slope = neck["kernel"] @ wanted / scale
            weights[number] = slope
            biases[number] = neck["bias"] @ wanted + head["bias"][1] - head["bias"][0] - slope @ mean
    return weights, biases


def rates_of(config: Config, recipe: Recipe) -> np.ndarray:
    """The rate of each step, as `metaforge train` has it."""
    usual = of_training.Config()
    changes = {"learner.outer_lr": recipe.rate, "run.iterations": recipe.steps, "learner.decay_epochs": 0}
    if recipe.schedule == "cosine":
        changes |= {"learner.schedule": "cosine", "learner.warmup": int(config.warmup * recipe.steps)}
    rate = outer_rate(change(usual, changes))
    steps = np.arange(recipe.steps)
    return np.asarray(rate(steps) if callable(rate) else np.full(len(steps), rate), np.float32)


@functools.lru_cache(maxsize=4)
def _train(neck: int):
    model, adam = mlp(hidden=(), outputs=2, neck=neck), optax.scale_by_adam()

    def loss(params, inputs, kind, option):
        logits = model.apply(params, inputs).logits
        labels = jnp.repeat(jnp.arange(2), len(inputs) // 2)
        # What another loss's option makes of a share may be no number, also in a gradient times 0.
        share = jnp.where(kind == LOSSES.index("hard_example_mining"), option, 1.0)
        # In the order of LOSSES. Nearly all that a step costs is the neck, so that each may compute every loss.
        each = (
            losses.smoothed_cross_entropy(logits, labels, smoothing=0.0),
            losses.focal(logits, labels, gamma=option),
            losses.hard_example_mining(logits, labels, share=share),
            losses.poly1(logits, labels, epsilon=option),
            losses.smoothed_cross_entropy(logits, labels, smoothing=option),
        )
        return jnp.mean(jnp.select([kind == number for number in range(len(LOSSES))], each))

    @jax.jit
    def run(key, inputs, kinds, options, rates):
        first = model.init(key, inputs[0])
        params = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(kinds), *leaf.shape)), first)

        def step(carry, now):
            params, moments = carry
            batch, rate = now
            gradient = jax.vmap(jax.grad(loss), in_axes=(0, None, 0, 0))(params, batch, kinds, options)
            updates, moments = jax.vmap(adam.update)(gradient, moments)
            move = lambda leaf, update: leaf - rate.reshape(-1, *[1] * (leaf.ndim - 1)) * update
            return (jax.tree.map(move, params, updates), moments), None

        (params, _), _ = jax.lax.scan(step, (params, jax.vmap(adam.init)(params)), (inputs, rates))
        return params

    return run
