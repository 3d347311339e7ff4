"""The experiment from end to end: films, models of every row and seed, and what their scores are worth."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.fakeradar.clips import programs as programs_of
from experiments.fakeradar.clips.config import PRESETS, Config, Options
from experiments.fakeradar.clips.films import Films, make_films, methods_of, people
from experiments.fakeradar.clips.inputs import Look, from_files, kept
from experiments.fakeradar.clips.reporting import judge, markdown
from experiments.fakeradar.clips.training import score, train
from metaforge.commands import flags_of
from metaforge.forgeries.compression import check_h264
from metaforge.provenance import provenance
from metaforge.runs import Run, read_rows
from metaforge.whole import whole_file, write_text

_PASSING = ("seeds", "rows", "checkpoint_every")
"""What asks for more or fewer models, and changes none."""


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Forges, trains, judges, and returns the report."""
    config.check()
    where = provenance()  # of the code that runs, not of what a long run finds when it ends
    sources, unseen = methods_of(config)
    for row in config.rows_asked:
        programs_of.backbone_of(config, row)  # before everything is forged
    check_h264(what="films", wanted="forging films")
    people(config)
    workdir = Path(options.workdir)
    whole = Run(workdir, dataclasses.asdict(config), ignored_fields=_PASSING)
    films = make_films(config, workdir / "films", quiet=quiet)
    chunk = programs_of.steps_of(config, len(films["train"].path))
    steps = config.epochs * chunk
    made = {row: programs_of.programs(config, row, 1 + len(sources), steps) for row in config.rows_asked}
    first = next(iter(made.values()))
    frozen = first.tower()
    tokens = workdir / "tokens"
    look = look_of(config, films["train"], first, frozen, tokens / "train", quiet=quiet)
    models: dict[str, list[tuple[Run, Any]]] = {row: [] for row in config.rows_asked}
    for row, members in models.items():
        for seed in range(config.seeds):
            place = Run(workdir / f"{row}-seed{seed}", {"row": row, "seed": seed})
            params = train(config, made[row], frozen, row, seed, films["train"], look, sources, place,
                           steps=steps, chunk=chunk)  # fmt: skip
            members.append((place, params))
    look = look_of(config, films["test"], first, frozen, tokens / "test", quiet=quiet)
    scores: dict[str, np.ndarray] = {}
    for row, members in models.items():
        found = []
        for seed, (place, params) in enumerate(members):
            odds_file = place.directory / "test_log_odds.npy"
            if not odds_file.exists():
                odds = score(made[row], frozen, params, films["test"], look)
                with whole_file(odds_file) as file:
                    np.save(file, odds)
            found.append(np.load(odds_file))
            if not (place.directory / "report.json").exists():
                place.finish({"row": row, "seed": seed, "final": read_rows(place.directory)[-1]})
        scores[row] = np.stack(found)[:, None]
    report = {
        "command": " ".join(["python -m experiments.fakeradar.clips", *_flags(config)]),
        "config": dataclasses.asdict(config),
        "data": f"films of {config.faces} faces that were moved and forged, as H.264",
        "provenance": where,
        "steps": steps,
        "seconds_a_step": {row: _seconds(workdir, row, config.seeds) for row in config.rows_asked},
        "trained": {row: _moved(made[row]) for row in config.rows_asked},
        "films": {name: {"films": len(some.path), "people": len(set(some.identity.tolist()))}
                  for name, some in films.items()},
        "last": {row: read_rows(workdir / f"{row}-seed0")[-1] for row in config.rows_asked},
        "unseen": judge(films["test"], scores, unseen),
        "seen": judge(films["test"], scores, sources),
    }  # fmt: skip
    whole.finish(report)
    write_text(workdir / "report.md", markdown(report))
    return report


def look_of(
    config: Config, films: Films, made: programs_of.Programs, frozen: Any, folder: Path, *, quiet: bool
) -> Look:
    """Where the clips of films come from: their files, or what was kept of them."""
    lower = made.lower
    if lower is None:
        return from_files(config, films)
    return kept(config, films, lambda frames: np.asarray(lower(frozen, frames)), folder, quiet=quiet)


def _flags(config: Config) -> list[str]:
    """The shortest way to ask for these settings."""
    ways = [[f"--preset={name}", *flags_of(config, preset)] for name, preset in PRESETS.items()]
    return min(ways, key=len)


def _seconds(workdir: Path, row: str, seeds: int) -> float:
    """The median over epochs, the first of which compiles."""
    found = []
    for seed in range(seeds):
        rows, before = read_rows(workdir / f"{row}-seed{seed}"), 0
        for one in rows:
            found.append(one["seconds"] / (one["step"] - before))
            before = one["step"]
    return float(np.median(found))


def _moved(made: programs_of.Programs) -> int:
    """How many numbers are trained."""
    shapes = jax.eval_shape(made.begin, jax.random.key(0)).params
    return int(sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)))
