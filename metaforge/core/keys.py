"""Randomness inside a model, such as dropout: keys that travel with batches, and a fresh one for every step."""

from typing import Any

import jax

from metaforge.types import Episode, PRNGKey


def with_keys(episodes: Episode, key: PRNGKey) -> Episode:
    """A meta-batch whose support and query batches bring a key of their own for every task.

    `metaforge.objectives.loss_fn` hands them on to a backbone that takes a `key`, and inner steps each take another.
    Without them nothing is random: so it is wherever a model is judged, if nobody calls this.

    Args:
        episodes: every leaf has a leading axis of tasks.
        key: of the outer step, such as `jax.random.fold_in(jax.random.key(seed), state.step)`.

    Returns:
        The episodes, with `Batch.key` of shape `(tasks,)` on both sides.

    Example:
        >>> import jax.numpy as jnp
        >>> from metaforge.types import Batch
        >>> batch = Batch(jnp.ones((3, 2, 1)), jnp.zeros((3, 2)))
        >>> with_keys(Episode(batch, batch), jax.random.key(0)).support.key.shape
        (3,)
    """
    tasks = jax.tree.leaves(episodes.support.inputs)[0].shape[0]
    keys = jax.random.split(key, (2, tasks))
    return episodes._replace(support=episodes.support._replace(key=keys[0]), query=episodes.query._replace(key=keys[1]))


def split_keys(keys: Any, count: int = 2) -> Any:
    """Splits a key, or each of an array of them, into `count`, along a new first axis; `None` stays `None`.

    Example:
        >>> split_keys(jax.random.split(jax.random.key(0), 3)).shape
        (2, 3)
    """
    if keys is None:
        return None
    each = jax.vmap(lambda key: jax.random.split(key, count))(keys.reshape(-1))
    return each.T.reshape(count, *keys.shape)
