"""The same heads on features that the network computed in bfloat16."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from experiments.strangers import config as of_strangers
from experiments.strangers import features as of_network
from experiments.strangers import resampling
from experiments.strangers.faces import collections
from experiments.strangers.features import Table
from experiments.strangers.hard_samples.config import CONTROL, ROWS, Config
from experiments.strangers.hard_samples.measuring import Heads
from experiments.strangers.resampling import People
from metaforge.errors import InputError
from metaforge.settings import change


def asked(config: Config, table: Table) -> list[str]:
    """The collections of `--half`.

    Raises:
        InputError: for one that there is not.
    """
    known = [str(name) for name in np.unique(table.collection)]
    names = known if config.half == "all" else [name for name in config.half.split(",") if name]
    for name in names:
        if name not in known:
            raise InputError(f"--half: unknown '{name}'; known: {', '.join(known)}.")
    return sorted({*names})


def features(
    study: of_strangers.Config, table: Table, names: list[str], folder: Path, *, quiet: bool = True
) -> dict[str, np.ndarray]:
    """Of some collections the features in bfloat16, in the order of their rows in the table."""
    made: dict[str, np.ndarray] = {}
    if not names:
        return made
    half = change(study, {"model.precision": "bfloat16"})
    faces, _ = collections(half, quiet=quiet)
    for name in names:
        place = folder / f"bfloat16-{[*faces].index(name)}"
        place.mkdir(exist_ok=True)
        found = of_network.table_of(half, {name: faces[name]}, place, quiet=quiet)
        known = table.take(np.flatnonzero(table.collection == name))
        for column in ("label", "kind", "person"):
            if not np.array_equal(getattr(found, column), getattr(known, column)):
                raise InputError(f"--half={name}: the faces are not those of --features. Give the study's own.")
        made[name] = found.features
    return made


def measure(config: Config, table: Table, found: list[Heads], halved: dict[str, np.ndarray]) -> dict[str, Any]:
    """Of the control's heads on left-out methods: AUC in both precisions, and how far probabilities move."""
    control, parts = ROWS.index(CONTROL), {"auc": [], "difference": []}
    moved, turned = [], []
    for number, heads in enumerate(found):
        (name,) = heads.fold.collections
        if name not in halved:
            continue
        mine = np.flatnonzero(table.collection == name)
        people = People(of_strangers.Config(resamples=config.resamples, seed=config.seed), name, table.person[mine])
        each: dict[str, list[np.ndarray]] = {"single": [], "half": []}
        for kind in heads.fold.unseen:
            rows = table.kind[mine] == kind
            label, weights = table.label[mine][rows], people.weights(table.person[mine][rows])
            logits = {
                "single": heads.logits(table.features[mine][rows])[:, control],
                "half": heads.logits(halved[name][rows])[:, control],
            }
            for precision, scores in logits.items():
                each[precision].append(np.stack([resampling.auc(label, one, weights) for one in scores]))
            moved.append(np.abs(expit(logits["half"]) - expit(logits["single"])).ravel())
            turned.append(((logits["half"] > 0) != (logits["single"] > 0)).ravel())
        over = lambda values: resampling.over_draws(values, np.random.default_rng([config.seed, 2, number]))  # noqa: B023
        single, half = (over(np.mean(values, axis=0)) for values in each.values())
        parts["auc"].append(single)
        parts["difference"].append(half - single)
    if not moved:
        return {}
    return {
        "collections": sorted(halved), "folds": len(parts["auc"]),
        **{name: resampling.interval(np.mean(values, axis=0)) for name, values in parts.items()},
        "probability_moves": {
            "median": float(np.median(np.concatenate(moved))), "most": float(np.max(np.concatenate(moved)))
        },
        "decisions_turned": float(np.mean(np.concatenate(turned))),
    }  # fmt: skip
