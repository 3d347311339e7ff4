"""All folds, and what captions of the support set are worth to DAML."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.words import config as words
from experiments.words import judging, training
from experiments.words.episodes.config import Config, Options
from experiments.words.episodes.learning import adapted, both, given_of, learned
from experiments.words.folds import Fold, folds
from experiments.words.material import Table, table_of
from experiments.words.table import differences
from experiments.words.ways import JOINT, Way
from metaforge import runs
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.evaluation.people import auc
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.settings import check_settings, from_nested
from metaforge.whole import write_arrays, write_text

WAYS = {
    "no captions": None,
    "captions of the support set": Way(JOINT, True, True),
    "captions shuffled among fakes": Way(JOINT, True, True, "within"),
}
"""What the inner loop sees; of shuffled captions the support set at test has its own, shuffled too."""


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, adapts and measures; writes episodes.json and episodes.md into the study's directory.

    Raises:
        InputError: when there is no finished study.
    """
    check_settings(config)
    where, folder = provenance(), Path(options.workdir)
    study, table = _study(folder)
    held, made = jnp.asarray(table.seen), folds(study, table)
    made = made[: config.folds or len(made)]
    said = runs.read_json(folder / "report.json")["folds"]
    # A fold is the same however many there are.
    of_fold = {name: value for name, value in dataclasses.asdict(config).items() if name != "folds"}
    found, settings = [], json.dumps(of_fold, sort_keys=True)
    with progress("episodes", len(made), unit="fold", quiet=quiet) as bar:
        for number, fold in enumerate(made):
            path = folder / f"episodes-{number}.npz"
            if not path.exists():
                weight = said[number]["weights"][JOINT]
                scores = _scores(config, study, table, held, fold, number, weight)
                write_arrays(path, compressed=True, config=np.array(settings), **scores)
            with np.load(path, allow_pickle=False) as kept:
                if str(kept["config"]) != settings:
                    raise InputError(f"--workdir: '{path}' was made with other settings. Take these, or delete it.")
                found.append({name: kept[name] for name in WAYS})
            bar.update()
    report = {
        "command": " ".join(["python -m experiments.words.episodes", *flags_of(config, Config())]),
        "config": dataclasses.asdict(config), "provenance": where, "folds": len(made),
        "rows": _measure(config, study, table, made, found),
    }  # fmt: skip
    write_text(folder / "episodes.md", markdown(report))
    runs.write_json(folder / "episodes.json", report)
    return report


def _study(folder: Path) -> tuple[words.Config, Table]:
    said = runs.read_config(folder, missing_ok=True)
    if not isinstance(said, dict) or "config" not in said or not (folder / "report.json").exists():
        raise InputError(f"--workdir: '{folder}' has no finished study. Run python -m experiments.words there.")
    study = from_nested(words.Config(), said["config"], name=f"--workdir: '{folder}'")
    names = runs.read_json(folder / "report.json")["data"]["people"]
    return study, table_of(study, {name: [] for name in names}, folder)


def _scores(
    config: Config, study: words.Config, table: Table, held, fold: Fold, number: int, weight: float
) -> dict[str, np.ndarray]:
    """Of every way the scores of the judged rows, `(kinds * draws, rows)`."""
    support, judged = sets_of(config, study, table, fold)
    source, seed = training.source_of(table, fold.source), study.seed * 1000 + number
    found = {}
    for name, way in WAYS.items():
        tokens = training.tokens_of(way, table, fold.source, seed)
        if way is not None:
            # Words of the support set at test, by the source's vocabulary.
            tokens += training.tokens_of(way, table, fold.source, seed, told=fold.judged)
        given = given_of(held, tokens, source, weight)
        params = learned(config, study, table, fold, given, seed=seed)
        found[name] = adapted(config, study, table, params, given, support, judged)
    return found


def sets_of(config: Config, study: words.Config, table: Table, fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the support sets and of who is judged by each, `(kinds * draws, images)`: matched pairs, other people."""
    support, judged = [], []
    for kind in fold.kinds:
        fakes = fold.judged[(table.kind[fold.judged] == kind) & (table.label[fold.judged] > 0)]
        for draw in range(config.draws):
            order = np.random.default_rng([study.seed, 6, draw]).permutation(fakes)
            support.append(both(order[: config.shots]))
            judged.append(both(order[config.shots :]))
    return np.stack(support), np.stack(judged)


def _measure(config: Config, study: words.Config, table: Table, made: list[Fold], found) -> list[dict[str, Any]]:
    people, places, values = judging.people_of(study, table), [], []
    for fold, said in zip(made, found, strict=True):
        _, judged = sets_of(config, study, table, fold)
        for number, kind in enumerate(fold.kinds):
            sets = range(number * config.draws, (number + 1) * config.draws)
            weights = {one: people[fold.collection].weights(table.person[judged[one]]) for one in sets}
            of_draw = lambda name, one, said=said, judged=judged, weights=weights: auc(
                table.label[judged[one]], said[name][one].astype(np.float64), weights[one]
            )
            places.append((fold.collection, kind))
            values.append([np.nanmean([of_draw(name, one) for one in sets], axis=0) for name in WAYS])
    return judging.compare(study, places, np.array(values).transpose(1, 0, 2), list(WAYS))


def markdown(report: dict[str, Any]) -> str:
    """The table."""
    about = report["provenance"]
    lines = [f"`{report['command']}`, commit {about['commit']}, {about['date']}; {report['folds']} folds.", ""]
    return "\n".join([*lines, *differences(report["rows"], first="inner loop", than="no captions")]) + "\n"
