"""What it costs to compile an outer step, by learner: seconds of the processor, from nothing.

    python -m experiments.benchmark.compiling --out=compiling.json
    python -m experiments.benchmark.compiling --learners=maml,imaml --learner.order=second --learner.inner_steps=5

Traces and compiles the program of one outer step of every learner, as `train` would with these settings (those of the
demo if nothing is said), each in a process of its own and with no program kept from before; no step is taken and no
image is read. Seconds are those that the processor spent, of all threads together: unlike those on the clock, they
depend little on what else the machine does.
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from metaforge.commands import flags_of, launch, start
from metaforge.errors import InputError
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.settings import change, fields_of, setting
from metaforge.training.config import DEMO, PRESETS, Config
from metaforge.whole import refuse_used, whole_file

IMAGES = 1000
"""Rows of the pool that episodes are gathered from; what is compiled hardly depends on it."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Of which learners, where to."""

    learners: str = setting("all", "Learners, comma-separated, or 'all'.")
    out: str = setting("compiling.json", "JSON file to write.", place="file")
    child: str = setting("", "A learner to compile in this process; used by the command itself.")


def measure(config: Config) -> dict[str, float]:
    """Seconds of the processor to trace and to compile an outer step, in a fresh process that keeps no programs."""
    import jax
    import jax.numpy as jnp

    from metaforge.training import build, episodic

    of = jax.ShapeDtypeStruct
    rows = lambda *shape: of(shape, jnp.int32)
    size, episode = config.model.image_size, config.episodes
    state = jax.eval_shape(lambda: build.learner(config).init(build.init_params(config)))
    update = episodic.outer_step(config)
    began = time.process_time()
    lowered = update.lower(
        state, of((IMAGES, size, size, 3), jnp.uint8), rows(IMAGES), rows(episode.tasks, 2 * episode.shots),
        rows(episode.tasks, 2 * episode.queries), rows(episode.tasks),
    )  # fmt: skip
    traced = time.process_time()
    lowered.compile()
    return {"trace_s": traced - began, "compile_s": time.process_time() - traced}


def run(options: Options, config: Config) -> dict[str, Any]:
    """Measures every learner in a process of its own."""
    from metaforge.learners import LEARNERS
    from metaforge.training import checks
    from metaforge.training.build import named

    if config.objective.name != "cross_entropy" or config.run.feature_cache:
        raise InputError("--objective.name, --run.feature_cache: compiled for cross-entropy of images alone.")
    names = list(LEARNERS) if options.learners == "all" else named("learners", options.learners, LEARNERS)
    for name in names:
        checks.check_settings(change(config, {"learner.name": name}))
    refuse_used(options.out)
    report: dict[str, Any] = {
        "command": " ".join(
            [
                "python -m experiments.benchmark.compiling",
                *flags_of(options, Options(), but=("out",)),
                *flags_of(config, DEMO, but=("learner.name",)),
            ]
        ),
        "provenance": provenance(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "rows": [],
    }
    for name in names:
        command = [sys.executable, "-m", "experiments.benchmark.compiling", f"--child={name}"]
        command += [f"--{flag}={value}" for flag, _, value in fields_of(config) if flag != "learner.name"]
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", check=True, cwd=Path(__file__).parents[2],
            env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},
        )  # fmt: skip
        report["rows"].append({"learner": name} | json.loads(done.stdout.splitlines()[-1]))
        print(markdown(report).splitlines()[-1], flush=True)
    with whole_file(options.out, new=True) as made:
        write_json(made, report)
    return report


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = ["| learner | traced, CPU s | compiled, CPU s | together |", "|---|---|---|---|"]
    for row in report["rows"]:
        traced, compiled = row["trace_s"], row["compile_s"]
        lines.append(f"| {row['learner']} | {traced:.1f} | {compiled:.1f} | {traced + compiled:.1f} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        if options.child:
            return json.dumps(measure(change(config, {"learner.name": options.child})))
        print(markdown(run(options, config)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=DEMO, presets=PRESETS)


if __name__ == "__main__":
    start(main)
