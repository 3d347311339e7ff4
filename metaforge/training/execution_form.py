"""How a run executes its outer steps: as asked, as it began, or as measured to be fastest if the run is long."""

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path

import jax

from metaforge.core.devices import is_writer
from metaforge.core.tuning import Form, fastest, forms, here
from metaforge.learners import LEARNERS
from metaforge.places import cache_folder
from metaforge.runs import read_json, write_json
from metaforge.training.config import Config

NO_MATTER = frozenset({
    "seed", "split_seed", "baseline", "faces", "identity", "landmarks", "data", "frames", "memory_gb", "methods",
    "holdout", "acquisitions", "variants", "weights", "keeps", "lead", "iterations", "inner_lr", "outer_lr",
    "outer_decay", "decay_epochs", "epoch_iterations", "finetune_optimizer", "finetune_lr", "finetune_steps",
    "log_every", "eval_every", "eval_batches", "checkpoint_every", "refresh_every",
})  # fmt: skip
"""Settings that an outer step takes as long with, whatever they are; a measurement is remembered by all the others.
Where features are kept is among them, and not whether."""

WORTH_MEASURING = 900.0
"""Seconds of training above which the forms are measured: compiling them takes a minute or two."""


def choose(config: Config, directory: Path, attempt: Callable[[Config], None]) -> Config:
    """The configuration with `strategy` and `convolution` settled.

    The choice is kept in the run's `execution.json`, so that a run goes on in the form that it began in: forms agree
    but for rounding, and a resumed run must agree bitwise.

    Args:
        config: the run's.
        directory: the run's.
        attempt: runs one outer step of a configuration and waits for it.
    """
    recorded = directory / "execution.json"
    if recorded.exists():
        found = read_json(recorded)
        return dataclasses.replace(config, strategy=found["strategy"], convolution=found["convolution"])
    wanted = (config.strategy, config.convolution)
    known = [Form(*(k if w == "auto" else w for k, w in zip(form, wanted, strict=True)))  # type: ignore[arg-type]
             for form in forms(tasks=config.tasks)]  # fmt: skip
    if config.backbone != "conv4":  # the others have one form of convolution for each backend
        known = [form._replace(convolution="auto") for form in known]
    if "strategy" not in LEARNERS[config.learner].takes:
        known = [Form(known[0].strategy, form.convolution) for form in known]
    candidates = {", ".join(form): form for form in known}
    name, how = next(iter(candidates)), "asked for"
    # Several processes must not come to several answers; each would run another program.
    if len(candidates) > 1:
        name, how = (name, "the rule") if jax.process_count() > 1 else _measured(config, candidates, attempt)
    chosen = candidates[name]._asdict()
    if is_writer():
        write_json(recorded, chosen | {"by": how})
    return dataclasses.replace(config, **chosen)


def _measured(config: Config, candidates: dict[str, Form], attempt: Callable[[Config], None]) -> tuple[str, str]:
    programs = {
        name: functools.partial(attempt, dataclasses.replace(config, **form._asdict()))
        for name, form in candidates.items()
    }
    first = next(iter(programs))
    programs[first]()
    began = time.perf_counter()
    programs[first]()
    seconds = (time.perf_counter() - began) * config.iterations
    if seconds < WORTH_MEASURING:
        return first, f"the rule; measuring pays above {WORTH_MEASURING:.0f} s of training"
    said = {name: value for name, value in dataclasses.asdict(config).items() if name not in NO_MATTER}
    return fastest(programs, key=here() | said | {"keeps": bool(config.keeps)}, cache=cache_folder()), "measurement"
