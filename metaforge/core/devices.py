"""Several devices, several hosts: the tasks of a meta-batch spread over a mesh, by JAX's own means.

A mesh has one axis, `task`. Parameters, optimizer state and images are on every device; each device computes the
gradients of its own tasks (`metaforge.core.execution`), and one sum over devices follows. Any number of devices that
divides the number of tasks gives the same outer step, but for rounding.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from metaforge.errors import InputError

AXIS = "task"
"""The name of the mesh axis along which tasks are spread."""


class Placement(NamedTuple):
    """How arrays get to the devices of a run.

    Attributes:
        replicate: a pytree of host arrays to the same on every device.
        by_task: an array with a leading axis of tasks to one whose tasks are spread over the devices.
        everywhere: the sharding of what is on every device, to be asked of `jax.jit`; `None` on one device.
        on_mesh: a context in which `metaforge.core.execution` finds the mesh.
    """

    replicate: Callable[[Any], Any]
    by_task: Callable[[np.ndarray], jax.Array]
    everywhere: NamedSharding | None
    on_mesh: Callable[[], AbstractContextManager]


def spread(devices: int = 1, *, tasks: int) -> Placement:
    """Makes a mesh of the first `devices` devices of all hosts, or of as many as can share the tasks.

    Args:
        devices: how many; 0 takes as many as there are and as divide the tasks evenly.

    Other Arguments:
        tasks: the tasks of a meta-batch, which the devices share evenly.

    Raises:
        InputError: when there are fewer devices, when several hosts would not all take part, or when the tasks do not
            divide among them.

    Example:
        >>> placed = spread(1, tasks=4)
        >>> with placed.on_mesh():
        ...     print(placed.by_task(np.arange(4)))
        [0 1 2 3]
    """
    have = jax.device_count()
    count = devices or (have if jax.process_count() > 1 else max(n for n in range(1, have + 1) if tasks % n == 0))
    if count > have or (jax.process_count() > 1 and count != have):
        raise InputError(f"`devices`={devices}: there are {have}. Give that number, or 0 for all.")
    if tasks % count:
        raise InputError(
            f"`tasks`={tasks}: {count} devices cannot share them evenly. Give a multiple of {count}, or fewer "
            "`devices`."
        )
    if count == 1:
        return Placement(jax.device_put, jax.device_put, None, nullcontext)
    mesh = jax.make_mesh((count,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])
    everywhere, shared = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(AXIS))

    def put(array, sharding):
        # Every host holds the whole array and gives its devices their part of it.
        array = np.asarray(array)
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    return Placement(
        lambda tree: jax.tree.map(lambda leaf: put(leaf, everywhere), tree),
        lambda array: put(array, shared),
        everywhere,
        lambda: jax.set_mesh(mesh),
    )


def connect(coordinator: str, processes: int, process: int) -> None:
    """Joins this process to the others of a run on several hosts; call it before anything else touches JAX.

    Args:
        coordinator: `host:port` of process 0; "auto" lets JAX ask the cluster (SLURM, Open MPI, Cloud TPU); "" is a
            run of one process.
        processes: how many there are; unused with "auto".
        process: which one this is, from 0; unused with "auto".

    Raises:
        InputError: for a process that is none of them, or when they do not find each other.
    """
    if not coordinator:
        return
    if coordinator != "auto" and not 0 <= process < processes:
        raise InputError(f"`process`={process}: of {processes} processes, give a number from 0 to {processes - 1}.")
    try:
        # Where hosts share the tasks, each is one device on CPUs, whatever its cores (`metaforge.commands.start`).
        if jax.config.jax_num_cpu_devices > 1:  # pyright: ignore[reportAttributeAccessIssue]
            jax.config.update("jax_num_cpu_devices", -1)
        if coordinator == "auto":
            jax.distributed.initialize()
        else:
            jax.distributed.initialize(coordinator, num_processes=processes, process_id=process)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"`coordinator`={coordinator}: cannot join process {process} of {processes} ({error}). Start one process "
            "on each host, with the same `coordinator` and `processes`, and `process` from 0."
        ) from error


def is_writer() -> bool:
    """Whether this process writes the run's files: the first of them does."""
    return jax.process_index() == 0
