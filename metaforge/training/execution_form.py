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
from metaforge.settings import change
from metaforge.training.config import Config

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
        return formed(config, Form(found["strategy"], found["convolution"]))
    wanted = (config.run.strategy, config.model.convolution)
    known = [Form(*(k if w == "auto" else w for k, w in zip(form, wanted, strict=True)))  # type: ignore[arg-type]
             for form in forms(tasks=config.episodes.tasks)]  # fmt: skip
    if config.model.backbone != "conv4":  # the others have one form of convolution for each backend
        known = [form._replace(convolution="auto") for form in known]
    if "strategy" not in LEARNERS[config.learner.name].takes:
        known = [Form(known[0].strategy, form.convolution) for form in known]
    candidates = {", ".join(form): form for form in known}
    name, how = next(iter(candidates)), "asked for"
    # Several processes must not come to several answers; each would run another program.
    if len(candidates) > 1:
        name, how = (name, "the rule") if jax.process_count() > 1 else _measured(config, candidates, attempt)
    chosen = candidates[name]._asdict()
    if is_writer():
        write_json(recorded, chosen | {"by": how})
    return formed(config, candidates[name])


def _measured(config: Config, candidates: dict[str, Form], attempt: Callable[[Config], None]) -> tuple[str, str]:
    programs = {name: functools.partial(attempt, formed(config, form)) for name, form in candidates.items()}
    first = next(iter(programs))
    programs[first]()
    began = time.perf_counter()
    programs[first]()
    seconds = (time.perf_counter() - began) * config.run.iterations
    if seconds < WORTH_MEASURING:
        return first, f"the rule; measuring pays above {WORTH_MEASURING:.0f} s of training"
    # What an outer step takes depends on these, and on no rate among them; where features are cached is no matter, and
    # whether is.
    looked_at = (config.network, config.learner, config.objective, config.episodes)
    said: dict[str, object] = {
        f"{type(part).__name__}.{name}": value
        for part in looked_at
        for name, value in dataclasses.asdict(part).items()
        if not isinstance(value, float) and name != "weights"
    }
    said |= {"devices": config.run.devices, "cached": bool(config.run.feature_cache)}
    return fastest(programs, key=here() | said, cache=cache_folder()), "measurement"


def formed(config: Config, form: Form) -> Config:
    """The settings with a form of execution."""
    return change(config, {"run.strategy": form.strategy, "model.convolution": form.convolution})
