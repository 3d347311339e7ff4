"""How a meta-batch runs: which program computes the gradient of every task.

All strategies give the same numbers. They differ in speed by up to a factor of forty: under `vmap` every task has
its own weights from the first inner step on, so each convolution becomes a grouped one, which CPUs run badly.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from metaforge.core.devices import AXIS
from metaforge.types import Episode, Params

Strategy = Literal["auto", "vmap", "scan", "unroll"]
"""How to run tasks: all at once, one after the other in a loop, or one after the other in a straight program."""

TaskFn = Callable[[Params, Episode], tuple[jax.Array, Any]]
"""One task: parameters and its episode to the query loss and whatever is worth reporting."""


def each_task(fn: Callable[[Any, Episode], Any], params: Any, episodes: Episode, *, strategy: Strategy = "auto") -> Any:
    """What a function of the shared parameters and one task's episode says of every task.

    Inside `jax.set_mesh` with a mesh that has an axis `task` (see `metaforge.core.devices`), the tasks are spread over
    its devices, and the strategy is how each device runs its own.

    Args:
        fn: `fn(params, episode)` to any pytree of arrays.
        params: what all tasks share, any pytree.
        episodes: a meta-batch: every leaf has a leading axis of tasks.
        strategy: how to run them. "auto" is "scan" on a CPU and "vmap" elsewhere.

    Returns:
        What `fn` returns, each leaf with a leading axis of tasks.

    Raises:
        ValueError: for an unknown strategy, or for tasks that do not divide among the devices.

    Example:
        >>> from metaforge.types import Batch
        >>> inputs = jnp.array([[1.0], [2.0]])
        >>> episodes = Episode(Batch(inputs, inputs), Batch(inputs, inputs))
        >>> print(each_task(lambda params, episode: params * episode.query.inputs.sum(), jnp.array(3.0), episodes))
        [3. 6.]
    """
    run = functools.partial(_on_this_device, fn, _known(strategy))
    devices = dict(jax.sharding.get_abstract_mesh().shape).get(AXIS, 1)
    if devices == 1:
        return run(params, episodes)
    count = jax.tree.leaves(episodes)[0].shape[0]
    if count % devices:
        raise ValueError(f"{count} tasks do not divide among {devices} devices.")
    # Unchecked, since the check's bookkeeping would have every inner `grad` with respect to the shared parameters
    # summed over devices: tasks would leak into each other. Without it, gradients are each device's own, as here.
    spread = PartitionSpec(AXIS)
    return jax.shard_map(run, in_specs=(PartitionSpec(), spread), out_specs=spread, check_vma=False)(params, episodes)


def task_gradients(
    task_fn: TaskFn, params: Params, episodes: Episode, *, strategy: Strategy = "auto"
) -> tuple[tuple[jax.Array, Any], Params]:
    r"""The query loss of every task and its gradient with respect to the shared parameters.

    It takes the gradient of each task and leaves the sum to the caller, since the gradient of any weighted outer
    loss $J(\mathcal{L}_1, \dots)$ is $\sum_i (\partial J / \partial \mathcal{L}_i) \nabla_\theta \mathcal{L}_i$.
    Differentiating a batched loss instead makes XLA compute batch-grouped convolutions, its slowest kind.

    Args:
        task_fn: one task's loss.
        params: the shared parameters.
        episodes: a meta-batch: every leaf has a leading axis of tasks.
        strategy: as in `each_task`.

    Returns:
        `(losses, reports), gradients`, each leaf with a leading axis of tasks.

    Raises:
        ValueError: for an unknown strategy, or for tasks that do not divide among the devices.

    Example:
        >>> from metaforge.types import Batch
        >>> inputs = jnp.array([[1.0], [2.0]])
        >>> episodes = Episode(Batch(inputs, inputs), Batch(inputs, inputs))
        >>> loss = lambda params, episode: (params * episode.query.inputs.sum(), None)
        >>> (losses, _), gradients = task_gradients(loss, jnp.array(3.0), episodes)
        >>> print(losses, gradients)
        [3. 6.] [1. 2.]
    """
    return each_task(jax.value_and_grad(task_fn, has_aux=True), params, episodes, strategy=strategy)


def map_tasks(fn: Callable[[Any, Any], Any], params: Any, batch: Any, *, strategy: Strategy = "auto") -> Any:
    """`each_task` for what is differentiated as a whole afterwards: in one program, whatever the mesh.

    Args:
        fn: `fn(params, batch)` of one task, to any pytree of arrays.
        params: what all tasks share, any pytree.
        batch: any pytree whose leaves have a leading axis of tasks.
        strategy: as in `each_task`.

    Returns:
        What `fn` returns, each leaf with a leading axis of tasks.

    Raises:
        ValueError: for an unknown strategy.

    Example:
        >>> print(map_tasks(jnp.multiply, jnp.array(3.0), jnp.array([1.0, 2.0])))
        [3. 6.]
    """
    return _on_this_device(fn, _known(strategy), params, batch)


def _known(strategy: str) -> Any:
    """The strategy that is meant, by name."""
    if strategy not in get_args(Strategy):
        raise ValueError(f"unknown `strategy` {strategy!r}; known: {', '.join(get_args(Strategy))}.")
    if strategy == "auto":
        return "scan" if jax.default_backend() == "cpu" else "vmap"
    return strategy


def _on_this_device(fn: Callable, strategy: Strategy, params: Any, episodes: Any):
    if strategy == "vmap":
        return jax.vmap(fn, in_axes=(None, 0))(params, episodes)
    if strategy == "scan":
        return jax.lax.map(lambda episode: fn(params, episode), episodes)
    count = jax.tree.leaves(episodes)[0].shape[0]
    each = [fn(params, jax.tree.map(lambda leaf, i=i: leaf[i], episodes)) for i in range(count)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
