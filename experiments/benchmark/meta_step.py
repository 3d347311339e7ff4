"""One outer step of MAML as a program to be timed, and what it costs on paper."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from metaforge.core.devices import spread
from metaforge.core.tuning import Form

INNER_LR, OUTER_LR = 0.01, 1e-3

SPREAD = "spread"
"""The form that gives each device tasks of its own, as a training run does wherever there are several."""


class Cell(NamedTuple):
    """What is timed: one row of the benchmark's grid."""

    size: int
    order: str
    steps: int
    tasks: int
    width: int = 64
    shots: int = 5
    queries: int = 15

    @property
    def flop(self) -> float:
        """Floating-point operations of one outer step, those of convolutions and head.

        Two to a multiplication. A gradient costs three forward passes but for the images', which nobody asks for; an
        exact outer gradient adds the product of a Hessian and a vector, two gradients, to each inner step.
        """
        forward, first, side, channels = 0.0, 0.0, self.size, 3
        for block in range(4):
            cost = side * side * 9 * channels * self.width
            forward, first = forward + cost, cost if block == 0 else first
            side, channels = side // 2, self.width
        forward += side * side * channels * 2
        inner = 1.0 if self.order == "first" else 3.0
        images = 2 * self.shots * self.steps * inner + 2 * self.queries
        return 2.0 * self.tasks * images * (3 * forward - first)


class Program(NamedTuple):
    """A compiled outer step.

    Attributes:
        step: runs it and waits.
        loss: the outer loss that it returns.
        compile_seconds: what compiling took.
        temporary_bytes: its temporary memory, as XLA planned it.
        accessed_bytes: what XLA counts as read and written, the same byte as often as it is touched.
        text: the compiled program.
    """

    step: Callable[[], Any]
    loss: float
    compile_seconds: float
    temporary_bytes: int
    accessed_bytes: float
    text: Callable[[], str]


def episodes(cell: Cell) -> mf.Episode:
    """A meta-batch of noise."""
    rng = np.random.default_rng(0)

    def batch(per_class: int) -> mf.Batch:
        shape = (cell.tasks, 2 * per_class, cell.size, cell.size, 3)
        labels = jnp.tile(jnp.arange(2 * per_class) % 2, (cell.tasks, 1))
        return mf.Batch(jnp.asarray(rng.integers(0, 256, shape, dtype=np.uint8)), labels)

    return mf.Episode(batch(cell.shots), batch(cell.queries))


def learner(cell: Cell, form: Form, *, precision: str = "float32", remat: str = "none") -> mf.MetaLearner:
    """MAML on the Conv4 that a cell names; `update` is what is timed."""
    model = mf.backbones.conv4(
        width=cell.width,
        normalisation="episode",
        convolution=form.convolution,
        precision=precision,  # type: ignore[arg-type]
    )
    loss_fn = mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy())
    return mf.maml(
        loss_fn, inner_optimizer=optax.sgd(INNER_LR), outer_optimizer=optax.adam(OUTER_LR), inner_steps=cell.steps,
        order=cell.order, strategy=form.strategy, remat=remat,  # type: ignore[arg-type]
    )  # fmt: skip


def compiled(cell: Cell, form: Form, data: mf.Episode, *, precision: str = "float32", remat: str = "none") -> Program:
    """Compiles one outer step; every form starts from the same parameters.

    Each device of one that is spread runs its tasks by the strategy that "auto" takes.
    """
    apart = form.strategy == SPREAD
    placed = spread(0 if apart else 1, tasks=cell.tasks)
    made = learner(cell, form._replace(strategy="auto") if apart else form, precision=precision, remat=remat)
    with placed.on_mesh():
        state = placed.replicate(made.init(initial(cell, data)))
        data = jax.tree.map(placed.by_task, data)
        began = time.perf_counter()
        update = jax.jit(made.update).lower(state, data).compile()
        seconds = time.perf_counter() - began
    memory, cost = update.memory_analysis(), update.cost_analysis() or {}
    return Program(
        lambda: jax.block_until_ready(update(state, data)),
        float(update(state, data)[1].loss),
        seconds,
        int(getattr(memory, "temp_size_in_bytes", 0)),
        float(cost.get("bytes accessed", 0.0)),
        lambda: update.as_text() or "",
    )


def initial(cell: Cell, data: mf.Episode):
    """The parameters that all forms, and PyTorch's, start from."""
    model = mf.backbones.conv4(width=cell.width, normalisation="episode")
    return jax.jit(model.init)(jax.random.key(0), data.support.inputs[0])
