"""All models of a run on Omniglot, trained or gone on with, tested and reported."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.omniglot import training
from experiments.omniglot.config import Config
from experiments.omniglot.data import Drawings, read, split, turned
from experiments.omniglot.episodes import CharacterPool, grouped
from experiments.omniglot.recipes import ways_and_shots
from experiments.omniglot.report import rows, table
from metaforge.errors import InputError
from metaforge.provenance import provenance
from metaforge.runs import Run, fingerprint, read_rows, refuse_another, write_json
from metaforge.whole import write_text

TEST_SEED = 2**31 + 1
"""Seed of the test episodes; no model has it."""


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
    refuse_another(workdir, dataclasses.asdict(config), ignored_fields=("data",))
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


def _pools(config: Config, drawings: Drawings) -> dict[str, CharacterPool]:
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
    return {name: CharacterPool(part, of, each, 4 if config.turns else 1) for name, part in parts.items()}


def _tests(config: Config, pools: dict[str, CharacterPool], cell: str) -> tuple[np.ndarray, np.ndarray]:
    ways, shots = ways_and_shots(cell)
    pool = pools[config.judged_on]
    return grouped(pool, seed=TEST_SEED, episodes=config.test_episodes, ways=ways, examples=2 * shots)
