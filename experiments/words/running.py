"""The study from end to end: pairs and captions, folds, the report."""

import dataclasses
import json
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.words import judging, training
from experiments.words.config import Config, Options
from experiments.words.folds import Fold, folds
from experiments.words.material import METHODS, Table, table_of
from experiments.words.table import markdown
from experiments.words.ways import IMAGE, JOINT, TOLD, WAYS
from metaforge.commands import flags_of
from metaforge.data.collected import collected
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import Run, write_json
from metaforge.settings import check_settings
from metaforge.whole import write_arrays, write_text

BY_NAME = {way.name: way for way in WAYS}


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Measures, and writes report.json and report.md; a finished run returns its report at once.

    Raises:
        InputError: when something that is asked for cannot work, before anything is written.
    """
    where = provenance()
    check_settings(config)
    for name in ("steps", "rates", "weights"):
        config.tried(name)
    faces, _ = collected(config.faces, size=config.faces.size, quiet=quiet)
    directory = Run(options.workdir, {"config": dataclasses.asdict(config)}).directory
    if (directory / "report.json").exists():
        return json.loads((directory / "report.json").read_text(encoding="utf-8"))
    table = table_of(config, faces, directory, quiet=quiet)
    made, held = folds(config, table), jnp.asarray(table.seen)
    found, chosen = [], []
    with progress("folds", len(made), unit="fold", quiet=quiet) as bar:
        for number, fold in enumerate(made):
            path = directory / f"fold-{number}.npz"
            if not path.exists():
                made_of = trained_on(config, table, held, fold, seed=[config.seed, 4, number])
                write_arrays(path, compressed=True, **made_of)
            with np.load(path, allow_pickle=False) as kept:
                found.append({name: kept[name] for name in BY_NAME})
                chosen.append(json.loads(str(kept["chosen"])))
            bar.update()
    people = {name: len(np.unique(table.person[table.collection == name])) for name in np.unique(table.collection)}
    report = {
        "command": " ".join([
            "python -m experiments.words", *flags_of(options, Options(workdir=""), but=("workdir",)),
            *flags_of(config, Config()),
        ]),
        "config": dataclasses.asdict(config),
        "provenance": where,
        "data": {"people": {str(name): count for name, count in people.items()}, "methods": list(METHODS),
                 **judging.shares(table.caption[table.label > 0])},
        "folds": [
            {"collection": fold.collection, "methods": list(fold.kinds), **one}
            for fold, one in zip(made, chosen, strict=True)
        ],
        "rows": judging.measure(config, table, made, found, list(BY_NAME)),
    }  # fmt: skip
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report


def trained_on(config: Config, table: Table, held, fold: Fold, *, seed: list[int]) -> dict[str, np.ndarray]:
    """Scores of a fold's judged rows by every way, `(seeds, rows)`, and what was chosen for it."""
    picked = choose(config, table, held, fold, seed=_number([*seed, 0]))
    source, found = training.source_of(table, fold.source), {}
    for way in WAYS:
        weight = picked["weights"][TOLD if way.told else JOINT]
        each = []
        for model in range(config.seeds):
            how = {"rate": picked["rate"], "steps": picked["steps"], "weight": weight}
            *_, (_, params) = training.trained(
                config, way, table, held, source, **how, seed=_number([*seed, 1 + model])
            )
            each.append(training.scores(config, table, held, source, params, fold.judged))
        found[way.name] = np.stack(each)
    return {**found, "chosen": np.array(json.dumps(picked))}


def choose(config: Config, table: Table, held, fold: Fold, *, seed: int) -> dict[str, Any]:
    """Rate and steps of the image alone, then the weight of true captions, on a collection of the source.

    The shuffled captions and contrast alone have the weight that was best for the true ones, so that what a control
    costs is no matter of its own choice.
    """
    source = training.source_of(table, fold.fit)
    steps = [int(value) for value in config.tried("steps")]

    def worth(way: str, rate: float, weight: float, most: int) -> dict[int, float]:
        runs = training.trained(
            config, BY_NAME[way], table, held, source, rate=rate, steps=most, weight=weight, seed=seed
        )
        return {
            done: judging.mean_auc(
                table, fold.chosen_by, training.scores(config, table, held, source, params, fold.chosen_by)
            )
            for done, params in runs if done in steps
        }  # fmt: skip

    tried = {
        (rate, done): value for rate in config.tried("rates")
        for done, value in worth(IMAGE, rate, 0.0, max(steps)).items()
    }  # fmt: skip
    rate, most = max(tried, key=lambda at: tried[at])
    weighed = {
        way: {weight: worth(way, rate, weight, most)[most] for weight in config.tried("weights")}
        for way in (JOINT, TOLD)
    }
    return {
        "rate": rate, "steps": most, "image_alone": tried[rate, most],
        "weights": {way: max(each, key=lambda at, each=each: each[at]) for way, each in weighed.items()},
        "worth": {way: max(each.values()) for way, each in weighed.items()},
    }  # fmt: skip


def _number(words: list[int]) -> int:
    return int(np.random.SeedSequence(words).generate_state(1)[0])
