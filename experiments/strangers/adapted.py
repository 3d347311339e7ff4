"""What adaptation is worth: gains over none, by rule, shots and pairing, and what they are worth as probabilities."""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from experiments.strangers import resampling, rules
from experiments.strangers.config import Config
from experiments.strangers.features import Table
from experiments.strangers.resampling import People
from experiments.strangers.scoring import Scores, draws_of
from experiments.strangers.support import Draw
from metaforge.adaptation.selection import Tried, best
from metaforge.evaluation import ranking
from metaforge.evaluation.probabilities import expected_calibration_error

METRICS = ("auc", "accuracy", "brier")
"""What is resampled; the calibration error of resamples says little, since repeated rows look less calibrated."""


class Budget(NamedTuple):
    """Labelled images a class, and whether they are of the same people."""

    shots: int
    pairing: str


class Cell(NamedTuple):
    """A fold's scores with one budget: support sets, and which of the fold's rows each judges."""

    collection: str
    kind: str
    draws: list[int]
    judged: list[np.ndarray]
    table: Table
    scores: Scores


Knobs = dict[tuple[Budget, str, str, str], float]
"""The number chosen for a budget, collection, method and rule."""


def cells_of(config: Config, table: Table, found: dict[tuple[str, str], Scores]) -> dict[Budget, list[Cell]]:
    """The folds that each budget can be had in."""
    made: dict[Budget, list[Cell]] = defaultdict(list)
    for (collection, kind), one in found.items():
        kept = table.take(one.rows)
        by_budget: dict[Budget, list[tuple[int, Draw]]] = defaultdict(list)
        for number, draw in enumerate(draws_of(config, table, one.rows, collection)):
            by_budget[Budget(draw.shots, draw.pairing)].append((number, draw))
        for budget, mine in by_budget.items():
            judged = [np.flatnonzero((kept.collection == collection) & np.isin(kept.person, d.judged)) for _, d in mine]
            made[budget].append(Cell(collection, kind, [number for number, _ in mine], judged, kept, one))
    return {budget: made[budget] for budget in sorted(made)}


def choose(cells: dict[Budget, list[Cell]]) -> Knobs:
    """Of every knob the one with the best mean AUC on other collections and other methods.

    Where no other collection has people enough for a budget, that of the next smaller number of shots is taken.
    """
    seen = {
        (budget, cell.collection, cell.kind): [_point(cell, number) for number in range(len(rules.VARIANTS))]
        for budget, mine in cells.items() for cell in mine
    }  # fmt: skip
    chosen: Knobs = {}
    for budget, collection, kind in seen:
        for rule in rules.ORDER:
            variants = [number for number, each in enumerate(rules.VARIANTS) if each.rule == rule]
            for smaller in sorted((b for b in cells if b.pairing == budget.pairing and b <= budget), reverse=True):
                others = [
                    value for (b, c, k), value in seen.items() if b == smaller and c != collection and k != kind
                ]  # fmt: skip
                tried = [
                    Tried(rules.VARIANTS[v].knob, 0, float(np.mean(known))) for v in variants
                    if (known := [each[v] for each in others if np.isfinite(each[v])])
                ]  # fmt: skip
                if tried:
                    chosen[budget, collection, kind, rule] = best(tried).knob
                    break
    return chosen


def _point(cell: Cell, variant: int) -> float:
    values = []
    for draw, rows in zip(cell.draws, cell.judged, strict=True):
        scores = cell.scores.adapted[draw, variant, rows]
        # What diverged is worth nothing; what was not to be had is not known.
        lacking = np.nan if rules.VARIANTS[variant] in rules.WITH_UNLABELLED else 0.0
        values.append(float(ranking.auc(cell.table.label[rows], scores)) if np.isfinite(scores).all() else lacking)
    return float(np.mean(values))


def measure(config: Config, cells: dict[Budget, list[Cell]], people: dict[str, People]) -> list[dict[str, Any]]:
    """A row for every budget and rule."""
    knobs, rows = choose(cells), []
    for budget, mine in cells.items():
        parts = {}
        for cell, rule in itertools.product(mine, rules.ORDER):
            place = (cell.collection, cell.kind, rule)
            made = _part(config, cell, rule, knobs.get((budget, *place)), people)
            if made is not None:
                parts[place] = made
        for rule in rules.ORDER:
            places = [(c, k) for c, k, name in parts if name == rule]
            if places:
                used = [knobs[budget, c, k, rule] for c, k in places]
                rows.append(_row(budget, rule, places, parts) | {"knobs": _counted(used)})
    return rows


def _part(config: Config, cell: Cell, rule: str, knob: float | None, people: dict[str, People]):
    """Replicates of each metric, and what is not resampled."""
    if knob is None:
        return None
    variant = rules.VARIANTS.index(rules.Variant(rule, knob))
    scores = cell.scores.adapted[cell.draws, variant]
    if not np.isfinite(scores).all():
        return None
    each: dict[str, list] = defaultdict(list)
    for logits, rows in zip(scores.astype(np.float64), cell.judged, strict=True):
        label, weights = cell.table.label[rows], people[cell.collection].weights(cell.table.person[rows])
        with np.errstate(over="ignore"):
            probability = 1 / (1 + np.exp(-logits[rows]))
        each["auc"].append(resampling.auc(label, logits[rows], weights))
        each["accuracy"].append(resampling.mean((probability > 0.5) == (label > 0), weights))
        each["brier"].append(resampling.mean(np.square(probability - (label > 0)), weights))
        each["ece"].append(float(expected_calibration_error(label, probability)))
        each["apart"].append(_apart(cell, logits, rows))
    # The same support sets are drawn for all rules.
    rng = lambda: np.random.default_rng([config.seed, 2])
    made: dict[str, Any] = {name: resampling.over_draws(np.stack(each[name]), rng()) for name in METRICS}
    return made | {name: float(np.mean(each[name])) for name in ("ece", "apart")}


def _apart(cell: Cell, logits: np.ndarray, rows: np.ndarray) -> float:
    """How well a head tells the judged real images from those of another collection, the mean over these."""
    real, where = cell.table.label == 0, cell.table.collection
    ours = logits[rows[real[rows]]]
    found = []
    for other in np.unique(where[where != cell.collection]):
        theirs = logits[real & (where == other)]
        label = np.repeat([1, 0], [len(ours), len(theirs)])
        area = float(ranking.auc(label, np.concatenate([ours, theirs])))
        found.append(max(area, 1 - area))
    return float(np.mean(found))


def _row(budget: Budget, rule: str, places: list[tuple[str, str]], parts) -> dict[str, Any]:
    ours, none = ({place: parts[(*place, name)] for place in places} for name in (rule, rules.NONE))
    gain = lambda metric, kept: np.mean([ours[place][metric] - none[place][metric] for place in kept], axis=0)
    mean = lambda of, metric: np.mean([of[place][metric] for place in places], axis=0)
    row: dict[str, Any] = {
        "shots_a_class": budget.shots,
        "pairing": budget.pairing,
        "rule": rule,
        "collections": list(dict.fromkeys(c for c, _ in places)),
        "auc": resampling.interval(mean(ours, "auc")),
        "apart": float(mean(ours, "apart")),
    }
    if rule not in rules.UNCALIBRATED:
        row |= {"accuracy": float(mean(ours, "accuracy")[0]), "ece": float(mean(ours, "ece"))}
        row |= {"brier": float(mean(ours, "brier")[0])}
    if rule == rules.NONE:
        return row
    by_kind = _by(places, 1)
    row["gain"] = resampling.interval(gain("auc", places))
    row["gains"] = {kind: resampling.interval(gain("auc", kept)) for kind, kept in by_kind.items()}
    row["gains_by_collection"] = {c: resampling.interval(gain("auc", kept)) for c, kept in _by(places, 0).items()}
    row["least"] = min(row["gains"], key=lambda kind: row["gains"][kind]["value"])
    if rule not in rules.UNCALIBRATED:
        row["accuracy_gain"] = resampling.interval(gain("accuracy", places))
        row["brier_gain"] = resampling.interval(gain("brier", places))
        row["ece_gain"] = row["ece"] - float(mean(none, "ece"))
    if rule != rules.DISCRIMINANT:
        over = [ours[place]["auc"] - parts[(*place, rules.DISCRIMINANT)]["auc"] for place in places]
        row["over_discriminant"] = resampling.interval(np.mean(over, axis=0))
    return row


def _by(places: Iterable[tuple[str, str]], part: int) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for place in places:
        found[place[part]].append(place)
    return dict(found)


def _counted(used: list[float]) -> dict[str, int]:
    """How often each knob was chosen; a rule without one has none."""
    return {f"{knob:g}": used.count(knob) for knob in sorted({*used} - {0.0})}
