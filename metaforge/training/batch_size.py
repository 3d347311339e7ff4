"""How many tasks an outer step sees: always as many, or one of a few numbers by the gradient's noise, or by memory.

Each number of tasks is a shape, and so a program of its own: it is compiled when it is first needed, and kept. Which
one is next follows from the state alone, which is in the checkpoint, so an interrupted run takes the same.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax

from metaforge.core.devices import is_writer, spread
from metaforge.core.noise_scale import noise_measured, noise_scale
from metaforge.errors import InputError
from metaforge.learners import LEARNERS
from metaforge.runs import read_json, write_json
from metaforge.training.config import Config, RunSpec

RECORD = "batches.json"
"""What a run remembers of its programs' memory, so that it goes on as it began, on another device too."""
GIB = 2**30


class Batches(NamedTuple):
    """How a run's batches change.

    Attributes:
        choose: a state to the tasks of the next meta-batches, and what the log says of it.
        program: tasks to the program of an outer step on so many.
    """

    choose: Callable[[Any], tuple[int, dict[str, float]]]
    program: Callable[[int], Callable]


def buckets(config: Config) -> tuple[int, ...]:
    """The numbers of tasks that a run's batches may have, rising; of a fixed batch, its own.

    Raises:
        InputError: for what is no rising list of numbers that `--episodes.tasks` is among.

    Example:
        >>> from metaforge.settings import change
        >>> buckets(change(Config(), {"run.batches": "difficulty", "run.buckets": "2,4,8"}))
        (2, 4, 8)
    """
    run, usual = config.run, config.episodes.tasks
    if run.batches == "fixed":
        return (usual,)
    try:
        found = tuple(int(part) for part in run.buckets.split(","))
    except ValueError:
        found = ()
    if not found or found[0] < 1 or list(found) != sorted({*found}):
        raise InputError(f"--run.buckets={run.buckets}: give numbers of tasks, rising, such as 2,4,8.")
    if usual not in found:
        raise InputError(
            f"--run.buckets={run.buckets}: --episodes.tasks={usual} is not among them, with which a run begins and "
            "which --run.batch_rate refers to. Add it, or change it."
        )
    return found


def check(config: Config) -> None:
    """Holds the settings of dynamic batches against the others.

    Raises:
        InputError: for those that cannot work.
    """
    run, sizes = config.run, buckets(config)
    if run.batches == "fixed":
        for name in ("buckets", "batch_memory_gb", "batch_rate"):
            if (value := getattr(run, name)) != getattr(RunSpec(), name):
                raise InputError(f"--run.{name}={value}: for --run.batches=difficulty or memory. Leave it out.")
        return
    said = f"--run.batches={run.batches}: "
    if not run.iterations:
        raise InputError(f"{said}with --run.iterations=0 there are no batches. Leave it out.")
    if run.batches == "memory" and not run.batch_memory_gb:
        raise InputError(f"{said}say with --run.batch_memory_gb how much there is.")
    for tasks in sizes:
        try:
            spread(run.devices, tasks=tasks)
        except InputError as error:
            raise InputError(f"--run.buckets={run.buckets}: {error}") from None
    if sizes[0] < (least := LEARNERS[config.learner.name].least_tasks):
        raise InputError(
            f"--run.buckets={run.buckets}: {config.learner.name} holds domains out of every meta-batch. Give {least} "
            "or more."
        )


def rate_factor(config: Config, tasks: int) -> float:
    """What the outer rate is multiplied by in a step on so many tasks.

    Example:
        >>> from metaforge.settings import change
        >>> rate_factor(change(Config(), {"run.batch_rate": "sqrt"}), 16)  # of 4
        2.0
    """
    times = tasks / config.episodes.tasks
    return {"none": 1.0, "linear": times, "sqrt": math.sqrt(times)}[config.run.batch_rate]


def following(optimizer: optax.GradientTransformation, config: Config, tasks: int) -> optax.GradientTransformation:
    """An outer optimizer for steps on so many tasks, which measures the gradient's noise; its state fits any number.

    Where the outer loss is a sum over tasks, its gradient is divided as if there were `--episodes.tasks`: else Adam's
    averages would be of gradients of several sizes, and plain descent would have the linear rule whatever was asked.
    """
    sums = "reduction" in LEARNERS[config.learner.name].takes and config.learner.reduction == "sum"
    given = config.episodes.tasks / tasks if sums else 1.0
    rate, rule = rate_factor(config, tasks), noise_measured(optimizer, tasks)
    times = lambda tree, factor: tree if factor == 1 else jax.tree.map(lambda leaf: factor * leaf, tree)

    def update(updates, state, params=None, **extra: Any):
        updates, state = rule.update(times(updates, given), state, params, **extra)
        return times(updates, rate), state

    return optax.GradientTransformationExtraArgs(rule.init, update)


def nearest(sizes: Iterable[int], scale: float) -> int:
    r"""The batch size at which time and images are best spent, where the noise scale is known.

    Training with batches of $B$ takes $1 + \mathcal{B} / B$ times the fewest steps and $1 + B / \mathcal{B}$ times the
    fewest images. Their product is least at $B = \mathcal{B}$ and grows with $|\log(B / \mathcal{B})|$.

    Example:
        >>> nearest((2, 4, 8), 5.0), nearest((2, 4, 8), 6.0), nearest((2, 4, 8), float("inf")), nearest((2, 4), 0.0)
        (4, 8, 8, 2)

    References:
        McCandlish and others, *An Empirical Model of Large-Batch Training*, 2018, eq. 2.11.
    """
    waste = lambda size: abs(math.log(size / scale)) if 0 < scale < math.inf else (size if scale == 0 else -size)
    return min(sizes, key=waste)


def batches(
    config: Config, directory: Path, program: Callable[[int], Callable], memory: Callable[[int], float]
) -> Batches | None:
    """How a run's batches change; `None` where they do not.

    Args:
        config: the run's.
        directory: the run's, which remembers how much memory its programs need.
        program: tasks to the program of an outer step.
        memory: tasks to the bytes that this program needs on a device, asked for only where memory is a limit.

    Raises:
        InputError: when the smallest program needs more memory than there is.
    """
    if config.run.batches == "fixed":
        return None
    sizes = _that_fit(config, directory, memory) if config.run.batch_memory_gb else buckets(config)
    first = max(size for size in sizes if size <= max(config.episodes.tasks, sizes[0]))

    def choose(state: Any) -> tuple[int, dict[str, float]]:
        scale = noise_scale(_optimizer_state(state))
        if config.run.batches == "memory":
            tasks = sizes[-1]
        else:
            tasks = first if math.isnan(scale) else nearest(sizes, scale)
        said = {"tasks": tasks, "rate_factor": rate_factor(config, tasks)}
        # JSON has no infinity.
        return tasks, said | ({"noise_scale": scale} if math.isfinite(scale) else {})

    return Batches(choose, program)


def bytes_of(compiled: jax.stages.Compiled) -> float:
    """What XLA says that a program needs on a device: what it is given, what it gives and what it holds meanwhile.

    Raises:
        InputError: where the backend does not say.

    Example:
        >>> import jax.numpy as jnp
        >>> bytes_of(jax.jit(lambda x: x + 1).lower(jnp.zeros(1024)).compile()) >= 2 * 4096
        True
    """
    about = compiled.memory_analysis()
    if about is None:
        raise InputError("run.batch_memory_gb: this backend does not say what a program needs. Leave it out.")
    return float(
        about.argument_size_in_bytes + about.output_size_in_bytes + about.temp_size_in_bytes
        + about.generated_code_size_in_bytes - about.alias_size_in_bytes
    )  # fmt: skip


def _optimizer_state(state: Any) -> Any:
    """Where the measured noise is: in the learner's state, or in that of one with outliers beside it."""
    return getattr(state, "learner", state).opt_state


def _that_fit(config: Config, directory: Path, memory: Callable[[int], float]) -> tuple[int, ...]:
    sizes, path = buckets(config), directory / RECORD
    if path.exists():
        needed = {int(tasks): gigabytes for tasks, gigabytes in read_json(path)["gigabytes"].items()}
    else:
        needed = {tasks: round(memory(tasks) / GIB, 6) for tasks in sizes}
        if is_writer():
            write_json(path, {"gigabytes": {str(tasks): value for tasks, value in needed.items()}})
    fit = tuple(tasks for tasks in sizes if needed[tasks] <= config.run.batch_memory_gb)
    if not fit:
        raise InputError(
            f"--run.batch_memory_gb={config.run.batch_memory_gb:g}: an outer step on {sizes[0]} tasks needs "
            f"{needed[sizes[0]]:.3g}. Give as much in another --workdir, or smaller --run.buckets."
        )
    return fit
