r"""Do the learners reach their published few-shot accuracy on Omniglot, and what is left of it without transduction?

    python -m experiments.omniglot --workdir=runs/omniglot --data=FOLDER                      # on an accelerator
    python -m experiments.omniglot --workdir=runs/omniglot_quick --data=FOLDER --preset=quick # two cores

FOLDER holds images_background.zip and images_evaluation.zip of github.com/brendenlake/omniglot (folder python/), packed
or unpacked; a smaller set is read too, such as images_background_small1.zip, but no published number stands beside it.

**Data.** Drawings are resized from 105 to 28 pixels (Lanczos, from grey; MAML's script resizes one-bit images, of which
Pillow keeps every fourth pixel instead), ink is 1. The characters are split at random, 1,100 to train, 100 for
validation, 423 to test, as in MAML's code; nothing is chosen on any of them, a model's last state is tested. A task has
N different characters, each in a random quarter turn, in training and at test, as in MAML's code (Reptile's turns none
at test). Support and query drawings differ.

**Network.** Conv4 (64 filters) departs from MAML's network for Omniglot: 2x2 max-pooling (28, 14, 7, 3, 1) where that
has strided convolutions and a mean over the last 2 by 2 positions; images in [-1, 1] instead of [0, 1]; scales of the
normalisation, which that has not, and shifts that adapt too; Flax's initial weights (LeCun normal), also of the head,
whose standard deviation is 1 there.

**Settings** are those of the released code (`experiments/omniglot/recipes.py`). MAML's inner rate, 0.4 at 5 ways and
0.1 at 20, is of a loss that is summed over the classes: of the mean it is 2.0 in both. Exact second order; 1 inner step
in training and 3 at test for 5 ways, 5 and 5 for 20; 32 and 16 tasks; as many queries as shots, in training and at
test. FOMAML and ANIL take MAML's settings. Reptile's are those of its README, with Adam fresh for each task, and whole
support sets at test. ProtoNet trains on 60 ways, with 5 queries, until its rate has been halved ten times.

**Both normalisations.** "episode" takes a batch's own statistics, as published: a query is classified by help of the
other queries, of which there is one of each class at 1 shot. "support" takes the support set's alone. Each model is
trained as it is tested; but Reptile's training has no query sets, so its two columns are of the same models.

**Test.** The test characters are dealt into groups of N, and every group is tested equally often, on other drawings in
other turns, in 600 episodes or a few more; the same for every model. An episode is distributed as in the published
protocol, and intervals resample seeds and whole groups: characters, not episodes, are what there is a limited number
of. 1.96 standard deviations over the root of the number of episodes stands beside it, as published.

A killed run goes on from its last checkpoint; with --max_minutes it stops by itself, and the same command goes on.

Sources: Lake, Salakhutdinov and Tenenbaum, *Human-level concept learning through probabilistic program induction*,
Science 2015; Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning*, ICML 2017, section 5.2 and table 1.
"""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.omniglot import training
from experiments.omniglot.config import PRESETS, Config
from experiments.omniglot.data import Drawings, read, split, turned
from experiments.omniglot.episodes import Pool, grouped
from experiments.omniglot.recipes import ways_and_shots
from experiments.omniglot.report import rows, table
from metaforge.commands import launch, setting
from metaforge.errors import InputError
from metaforge.provenance import provenance
from metaforge.runs import Run, fingerprint, read_rows, refuse_another, write_json
from metaforge.whole import write_text

TEST_SEED = 2**31 + 1
"""Seed of the test episodes; no model has it."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Where from and where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
    data: str = setting(
        ..., "Archives, or folders of them or of alphabet/character/drawings, comma-separated.", place="read"
    )
    max_minutes: float = setting(0.0, "Stop after so many minutes, to go on when called again; 0 for never.")


def run(
    config: Config, workdir: str | Path, data: str, *, max_minutes: float = 0.0, quiet: bool = False
) -> dict[str, Any]:
    """Trains all models, or goes on.

    Args:
        config: what and how.
        workdir: the run's directory.
        data: where the drawings are.

    Other Arguments:
        max_minutes: when to stop, at the end of a chunk of outer steps; 0 for never.
        quiet: whether to show no progress.

    Returns:
        The report. If the time was over before, it is of the kinds of models that are done, and not written. That of a
        finished run is returned at once, without reading its data.

    Raises:
        InputError: for settings that cannot work, data that cannot be read or are too few, another run's directory.
    """
    config.check()
    until = time.monotonic() + 60 * max_minutes if max_minutes > 0 else float("inf")
    refuse_another(workdir, dataclasses.asdict(config), passing=("data",))
    if (Path(workdir) / "report.json").exists():
        return json.loads((Path(workdir) / "report.json").read_text(encoding="utf-8"))
    drawings = read(data, quiet=quiet)
    pools = _pools(config, drawings)
    sha256 = fingerprint({"images": drawings.images, "names": np.array(drawings.names)})
    whole = Run(workdir, dataclasses.asdict(config) | {"data": sha256})
    tests = {cell: _tests(config, pools, cell) for cell in config.parts("tests")}
    images = jnp.asarray(turned(drawings.images))
    models = [(kind, seed, whole.directory / f"{kind.trained}-seed{seed}")
              for kind in config.kinds() for seed in range(config.seeds)]  # fmt: skip
    missing = [model for model in models if not (model[2] / model[0].answers).exists()]
    how: dict[str, Any] = {"until": until, "quiet": quiet}
    done = len(models) - len(missing)
    for kind, seed, folder in missing:
        title = f"{kind.trained} ({done + 1} of {len(models)})"
        params = training.train(kind, seed, images, pools["train"], Run(folder, whole.config), title=title, **how)
        if params is not None:
            training.keep(folder / kind.answers, training.test(kind, params, images, tests[kind.cell][0]))
            done += 1
        if time.monotonic() > until:  # only after some work, so that every call gets further
            break
    report = {"config": dataclasses.asdict(config), "provenance": provenance(), "models": [done, len(models)]}
    report["data"] = {
        "characters": len(drawings.names), "drawings": drawings.images.shape[1], "sha256": sha256,
        "split": {name: len(pool.characters) for name, pool in pools.items()},
    }  # fmt: skip
    report["rows"] = rows(_answers(config, models), {cell: groups for cell, (_, groups) in tests.items()})
    report["seconds"] = {folder.name: sum(row["seconds"] for row in read_rows(folder)) for _, _, folder in models}
    if done == len(models):
        write_text(whole.directory / "report.md", table(report) + "\n")
        write_json(whole.directory / "report.json", report)
    return report


def _answers(config: Config, models: list) -> dict[tuple[str, str, str], np.ndarray]:
    """By kind of model, which queries its models of all seeds classified as they should be; kinds that are done."""
    found: dict[tuple[str, str, str], list[np.ndarray]] = {}
    for kind, _, folder in models:
        if (folder / kind.answers).exists():
            found.setdefault((kind.cell, kind.learner, kind.normalisation), []).append(np.load(folder / kind.answers))
    return {name: np.stack(parts) for name, parts in found.items() if len(parts) == config.seeds}


def _pools(config: Config, drawings: Drawings) -> dict[str, Pool]:
    """The characters of each split, after holding them against the episodes that are asked for."""
    of, each = drawings.images.shape[:2]
    parts = split(drawings, config.split)
    for kind in config.kinds():
        ways, shots = ways_and_shots(kind.cell)
        for part, least in (("train", kind.recipe.ways), (config.judged_on, 2 * ways)):
            if len(parts[part]) < least:
                flag = "protonet_ways" if part == "train" and kind.learner == "protonet" else "tests"
                raise InputError(
                    f"--{flag}: {kind.learner} at {kind.cell} needs {least} {part} characters, and of {of} "
                    f"there are {len(parts[part])}. Take fewer ways, or more data."
                )
        needed = max(kind.recipe.shots + kind.recipe.queries, 2 * shots)
        if each < needed:
            raise InputError(
                f"--data: {kind.learner} at {kind.cell} needs {needed} drawings a character, there are {each}."
            )
    return {name: Pool(part, of, each, 4 if config.turns else 1) for name, part in parts.items()}


def _tests(config: Config, pools: dict[str, Pool], cell: str) -> tuple[np.ndarray, np.ndarray]:
    ways, shots = ways_and_shots(cell)
    pool = pools[config.judged_on]
    return grouped(pool, seed=TEST_SEED, episodes=config.test_episodes, ways=ways, examples=2 * shots)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        report = run(config, options.workdir, options.data, max_minutes=options.max_minutes)
        if report["rows"]:
            print(table(report))
        done, of = report["models"]
        if done < of:
            return f"Stopped: {done} of {of} models are done. The same command goes on from here."
        return f"\nWrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config(), presets=PRESETS)
