"""Outer steps on episodes of images that lie on the device: their program, their chunk, what a log says of them."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

import metaforge as mf
from metaforge.core.devices import Placement
from metaforge.data.episodes import EpisodeRows, EpisodeSampler
from metaforge.data.pools import gather
from metaforge.errors import InputError
from metaforge.training import augmented, build, probing
from metaforge.training.batch_size import Batches
from metaforge.training.config import Config
from metaforge.training.outer_loop import Advance

_DROPOUT = 0xD09


class Diverged(InputError):
    """The loss of an outer step, or its gradient, is not finite; `step` says which."""

    def __init__(self, message: str, *, step: int):
        """Of an outer step, from 1."""
        super().__init__(message)
        self.step = step


@functools.lru_cache(maxsize=16)
def outer_step(config: Config, everywhere=None, *, tasks: int | None = None):
    """The program of an outer step, shared by all runs that differ in nothing which it looks at (`for_step`).

    With `tasks` it is one for so many tasks, of a run whose batches change.
    """

    # The state's buffers become the next state's: nobody may look at an old one. On a mesh the results are left on
    # every device, so that every process can read them. What is frozen is an argument: closed over, it would become
    # part of the program.
    @functools.partial(jax.jit, donate_argnums=0, out_shardings=everywhere)
    def update(state, images, labels, support, query, domain, frozen=None):
        learner = build.learner(config, frozen=frozen, tasks=tasks)
        with_outliers = config.objective.name == "fakeradar"
        step = state.learner.step if with_outliers else state.step
        episodes = augmented.augment(config, step, gather(images, labels, support, query, domain))
        episodes = keyed(config, step, episodes)
        if not with_outliers:
            return learner.update(state, episodes)
        moved, info = learner.update(state.learner, probing.attach(config, state, episodes))
        return state._replace(learner=moved), info

    return update


def keyed(config: Config, step: jax.Array, episodes: mf.Episode) -> mf.Episode:
    """Episodes that bring the random keys of an outer step, where the model draws something in training.

    They depend on the run's seed and the step alone, so that an interrupted run draws what it would have drawn.
    """
    if not config.model.dropout:
        return episodes
    own = jax.random.fold_in(jax.random.key(config.run.seed), _DROPOUT)  # initial parameters have the seed's key
    return mf.with_keys(episodes, jax.random.fold_in(own, step))


def arguments(placed: Placement, index: np.ndarray, domains: Mapping[str, int]) -> Callable[[EpisodeRows], tuple]:
    """What an outer step is told of a meta-batch: where its images are in the pool, and the numbers of its domains."""

    def of(rows: EpisodeRows):
        numbers = np.array([domains[name] for name in rows.domains], np.int32)
        return tuple(map(placed.by_task, (index[rows.support], index[rows.query], numbers)))

    return of


def advance_on(
    update: Callable,
    sampler: EpisodeSampler,
    *,
    images: Any,
    labels: jax.Array,
    index: np.ndarray,
    domains: Mapping[str, int],
    placed: Placement,
    frozen: Any = None,
    refresh: Callable[[Any], tuple[Any, dict[str, Any]]] | None = None,
    refresh_every: int = 0,
    batches: Batches | None = None,
) -> Advance:
    """Chunks of outer steps for `outer_loop`, of which nothing but row numbers travels to the device.

    Args:
        update: the program, as `outer_step` makes it.
        sampler: step to rows of the records.

    Other Arguments:
        images: each image once, on the device.
        labels: theirs, likewise.
        index: where each record is among them.
        domains: the number of each domain.
        placed: how arrays get to the devices.
        frozen: parameters that no step changes; `None` where all are trained.
        refresh: state to state, and columns of the log, every `refresh_every` steps; `None` for never.
        refresh_every: see above.
        batches: how many tasks a chunk's meta-batches have, and the program for so many, in place of `update`; `None`
            where they are always as many.
    """
    of = arguments(placed, index, domains)

    def advance(state, step, count):
        began, waited, infos, names, found = time.perf_counter(), 0.0, [], [], {}
        tasks, said = batches.choose(state) if batches else (None, {})
        program = batches.program(tasks) if batches and tasks else update
        for number in range(step, step + count):
            # Not at once: features that mean nothing have no edge worth probing.
            if refresh and number and number % refresh_every == 0:
                state, found = refresh(state)
            asked = time.perf_counter()
            rows = sampler(number, tasks=tasks)
            # Drawing overlaps with the step before; only what it outlasts that step is waiting.
            if not infos or infos[-1].loss.is_ready():
                waited += time.perf_counter() - asked
            arrays = of(rows)
            # Row numbers went to the device; nothing else may travel in the loop.
            with placed.on_mesh(), jax.transfer_guard("disallow"):
                state, info = program(state, images, labels, *arrays, frozen)
            infos.append(info)
            names.append(rows.domains)
        infos = jax.device_get(infos)
        _refuse_non_finite(infos, names, first=step + 1)
        waits = round(waited / (time.perf_counter() - began), 4)
        return state, {"data_wait": waits} | said | summarise(infos, names) | found

    return advance


def summarise(infos: list[mf.MetaInfo], domains: list[tuple[str, ...]]) -> dict[str, float]:
    """One row of the log: means over the steps since the last."""
    mean = lambda values: float(np.mean(np.concatenate([np.ravel(v) for v in values]), dtype=np.float64))
    row = {
        "outer_loss": mean([info.loss for info in infos]),
        "query_loss": mean([info.query_losses for info in infos]),
        "query_accuracy": mean([info.metrics["accuracy"] for info in infos]),
        # A head in closed form takes no inner step.
        "support_loss": mean([info.support_losses[:, :1] for info in infos]) if infos[0].support_losses.size else 0.0,
        "weight": mean([info.weights for info in infos]),
        "gradient_factor": mean([info.gradient_factors for info in infos]),
        "grad_norm": mean([info.grad_norm for info in infos]),
    }
    # The parts of an objective that has some.
    parts = [name for name in infos[0].metrics if "/" in name or name == "outliers_taken_for_real"]
    row |= {name: mean([info.metrics[name] for info in infos]) for name in sorted(parts)}
    if len(infos[0].query_losses) == len(domains[0]):
        for name, field in (("query_loss", "query_losses"), ("weight", "weights")):
            each = [(d, value) for names, info in zip(domains, infos, strict=True)
                    for d, value in zip(names, getattr(info, field), strict=True)]  # fmt: skip
            row |= {f"{name}/{one}": mean([value for d, value in each if d == one]) for one in sorted({*dict(each)})}
    return row


def _refuse_non_finite(infos, domains, *, first: int) -> None:
    for step, (info, names) in enumerate(zip(infos, domains, strict=True), first):
        if np.isfinite(info.loss) and np.isfinite(info.grad_norm):
            continue
        bad = [name for name, loss in zip(names, info.query_losses, strict=False) if not np.isfinite(loss)]
        raise Diverged(
            f"training: the outer loss or its gradient is not finite at step {step} (domain {', '.join(bad or names)})."
            " Lower --learner.inner_lr or --learner.outer_lr; the run keeps its last good checkpoint.",
            step=step,
        )
