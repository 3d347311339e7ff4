"""All folds, and what each learner gains over the discriminant on the same support sets."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.strangers import config as strangers
from experiments.strangers import features, resampling, rules, scoring
from experiments.strangers.adapted import cells_of
from experiments.strangers.features import Table
from experiments.strangers.meta_learned import training
from experiments.strangers.meta_learned.config import Config, Options
from experiments.strangers.resampling import People
from metaforge import runs
from metaforge.adaptation.selection import Tried, best
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.evaluation import ranking
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.settings import check_settings, from_nested
from metaforge.whole import write_arrays, write_text

UNADAPTED = "unadapted"


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, adapts and measures; writes meta_learned.json and meta_learned.md into the study's directory.

    Raises:
        InputError: when there is no finished study.
    """
    check_settings(config)
    where, folder = provenance(), Path(options.workdir)
    study, table = _study(folder)
    places = scoring.places(table)
    found = {place: scoring.read(folder / f"fold-{number}.npz") for number, place in enumerate(places)}
    with progress("learners", len(found), unit="fold", quiet=quiet) as bar:
        made = {}
        for number, (place, one) in enumerate(found.items()):
            made[place] = _scored(config, study, table, place, one, folder / f"meta-{number}.npz")
            bar.update()
    report = {
        "command": " ".join(["python -m experiments.strangers.meta_learned", *flags_of(config, Config())]),
        "provenance": where,
        "rows": _measure(study, table, found, made),
    }
    write_text(folder / "meta_learned.md", markdown(report))
    write_json(folder / "meta_learned.json", report)
    return report


def _study(folder: Path) -> tuple[strangers.Config, Table]:
    said = runs.read_config(folder, missing_ok=True)
    if not isinstance(said, dict) or "config" not in said or not (folder / "report.json").exists():
        raise InputError(f"--workdir: '{folder}' has no finished study. Run python -m experiments.strangers there.")
    study = from_nested(strangers.Config(), said["config"], name=f"--workdir: '{folder}'")
    # A finished study has the features of all of its collections: they are read, and no faces are needed.
    names = runs.read_json(folder / "report.json")["data"]
    return study, features.table_of(study, {name: [] for name in names}, folder)


def _scored(config: Config, study, table: Table, place, one: scoring.Scores, path: Path) -> dict[str, np.ndarray]:
    """Logits of every learner on every support set of a fold, `(draws, variants, rows)`, and unadapted `(rows,)`."""
    if not path.exists():
        seen = table.features[one.rows]
        draws = scoring.draws_of(study, table, one.rows, place[0])
        made: dict[str, np.ndarray] = {"config": np.array(json.dumps(vars(config), sort_keys=True))}
        for name in training.LEARNERS:
            adapt, unadapted, loss = training.trained(config, name, table, np.sort(one.source_rows))
            labels = [jnp.repeat(jnp.arange(2), len(draw.support) // 2) for draw in draws]
            made[name] = np.stack([
                adapt(seen[draw.support], label, seen) for draw, label in zip(draws, labels, strict=True)
            ]).astype(np.float32)  # fmt: skip
            made[f"{name} {UNADAPTED}"], made[f"{name} loss"] = unadapted(seen), np.array(loss)
        write_arrays(path, compressed=False, **made)
    with np.load(path, allow_pickle=False) as kept:
        if str(kept["config"]) != json.dumps(vars(config), sort_keys=True):
            raise InputError(f"--workdir: '{path}' was made with other settings. Take these, or delete the meta-*.npz.")
        return {name: kept[name] for name in kept.files if name != "config"}


def _measure(study, table: Table, found, made) -> list[dict[str, Any]]:
    """A row for every budget and learner: its AUC, its gain over itself unadapted, and over the discriminant."""
    names = np.unique(table.collection).tolist()
    people = {name: People(study, name, table.person[table.collection == name]) for name in names}
    ours, rows = rules.VARIANTS.index(rules.Variant(rules.DISCRIMINANT)), []
    none = rules.VARIANTS.index(rules.Variant(rules.NONE))
    for budget, cells in cells_of(study, table, found).items():
        for name in training.LEARNERS:
            knobs = training.variants(name)
            points = {
                (c.collection, c.kind): [_point(c, made[c.collection, c.kind][name][:, v]) for v in range(len(knobs))]
                for c in cells
            }  # fmt: skip
            each: dict[str, list[np.ndarray]] = defaultdict(list)
            used = []
            for cell in cells:
                v = _chosen(points, cell, knobs)
                used.append(knobs[v])
                mine, one = made[cell.collection, cell.kind], cell.scores.adapted
                flat = np.broadcast_to(mine[f"{name} {UNADAPTED}"], (len(one), len(cell.table.label)))
                columns = {
                    "auc": mine[name][:, v], "unadapted": flat, "discriminant": one[:, ours], "none": one[:, none],
                }  # fmt: skip
                for column, scores in columns.items():
                    each[column].append(_replicates(study, cell, scores, people))
            mean = {column: np.mean(parts, axis=0) for column, parts in each.items()}
            rows.append({
                "shots_a_class": budget.shots, "pairing": budget.pairing, "learner": name, "folds": len(cells),
                "auc": resampling.interval(mean["auc"]),
                "gain_over_itself": resampling.interval(mean["auc"] - mean["unadapted"]),
                "unadapted_over_source_head": resampling.interval(mean["unadapted"] - mean["none"]),
                "over_discriminant": resampling.interval(mean["auc"] - mean["discriminant"]),
                "rates": {f"{rate:g}": used.count(rate) for rate in sorted({*used} - {0.0})},
            })  # fmt: skip
    return rows


def _point(cell, scores: np.ndarray) -> float:
    values = [
        float(ranking.auc(cell.table.label[rows], scores[draw, rows])) if np.isfinite(scores[draw, rows]).all() else 0.0
        for draw, rows in zip(cell.draws, cell.judged, strict=True)
    ]
    return float(np.mean(values))


def _chosen(points: dict[tuple[str, str], list[float]], cell, knobs: tuple[float, ...]) -> int:
    """The number of the rate that is best on other collections and other methods; of one collection, on its others."""
    others = [v for (c, k), v in points.items() if c != cell.collection and k != cell.kind]
    others = others or [v for (_, k), v in points.items() if k != cell.kind]
    tried = [Tried(knob, 0, float(np.mean([each[v] for each in others]))) for v, knob in enumerate(knobs)]
    return knobs.index(best(tried).knob)


def _replicates(study, cell, scores: np.ndarray, people: dict[str, People]) -> np.ndarray:
    each = []
    for draw, rows in zip(cell.draws, cell.judged, strict=True):
        weights = people[cell.collection].weights(cell.table.person[rows])
        each.append(
            resampling.auc(cell.table.label[rows], np.nan_to_num(scores[draw, rows].astype(np.float64)), weights)
        )
    return resampling.over_draws(np.stack(each), np.random.default_rng([study.seed, 2]))


def markdown(report: dict[str, Any]) -> str:
    """The table."""
    about = report["provenance"]
    head = ("labels a class", "learner", "AUC", "gain over itself unadapted", "unadapted, over the source's head",
            "over the discriminant")  # fmt: skip
    lines = [
        f"`{report['command']}`, commit {about['commit']}, {about['date']}.", "", f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]  # fmt: skip
    show = lambda one, sign: f"{one['value']:{sign}} [{one['low']:{sign}}, {one['high']:{sign}}]"
    for row in report["rows"]:
        gains = (row[name] for name in ("gain_over_itself", "unadapted_over_source_head", "over_discriminant"))
        cells = [f"{row['shots_a_class']} {row['pairing']}", row["learner"], show(row["auc"], ".2f")]
        lines.append(f"| {' | '.join([*cells, *(show(one, '+.3f') for one in gains)])} |")
    return "\n".join(lines) + "\n"
