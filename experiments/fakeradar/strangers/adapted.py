"""Whether a trained head helps the discriminant to adapt: its log-odds as one more feature, on the same draws."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.fakeradar.strangers.ablation import Study, chosen
from experiments.fakeradar.strangers.folds import halves_of, source_rows
from experiments.fakeradar.strangers.premise import over_models
from experiments.fakeradar.strangers.training import odds, train
from experiments.strangers import resampling
from experiments.strangers.features import Table
from experiments.strangers.resampling import People
from experiments.strangers.support import Draw, draws
from metaforge.adaptation.gaussian import fit, head_of, posterior
from metaforge.whole import write_arrays

ALONE, BINARY, FULL = "features alone", "and the binary head", "and the full head"
BESIDE = {BINARY: "binary", FULL: "full"}
"""What stands beside the features, by the row of the ablation that it is of."""

_posterior = jax.jit(posterior)


class Scores(NamedTuple):
    """What the discriminant says of the images of unseen methods in the collection that was left out.

    Attributes:
        rows: of the table.
        before: logits without adaptation, `(models, rows)`.
        adapted: of every support set, `(models, draws, rows)`.
    """

    rows: np.ndarray
    before: np.ndarray
    adapted: np.ndarray


def crossed(study: Study, fold: int, without: str, row: str) -> np.ndarray:
    """What heads say of images that they were not trained on, `(seeds, images)`.

    A head is trained on each half of the people of the known collections. It scores the other half, and both score
    the collection that was left out; of that the mean is kept. So a score means the same for source and target.
    """
    path = study.folder / f"crossed-{fold}-{row}.npz"
    if not path.exists():
        config, half = study.config, halves_of(study.table, study.config.seed)
        training, rows = chosen(study, fold, without, row), source_rows(study.table, study.methods, without)
        made = []
        for seed in range(config.seeds):
            both = []
            for mine in (0, 1):
                known = study.given(rows[half[rows] == mine])
                model = train(config.recipe, row, study.kinds, training, config.epochs, seed, study.features, known)
                both.append(odds(config.recipe, row, study.kinds, model, study.features, known))
            out = study.table.collection == without
            made.append(np.where(out, np.mean(both, axis=0), np.where(half == 0, both[1], both[0])))
        write_arrays(path, odds=np.stack(made))
    with np.load(path, allow_pickle=False) as found:
        return found["odds"]


def variants(seeds: int) -> list[tuple[str, int]]:
    """All that is fitted: what stands beside the features, and the seed of its head."""
    return [(ALONE, 0), *((name, seed) for name in BESIDE for seed in range(seeds))]


def score(study: Study, fold: int, without: str) -> Scores:
    """The scores of a fold, made where they are missing."""
    path = study.folder / f"adapted-{fold}.npz"
    if not path.exists():
        write_arrays(path, **_scores(study, fold, without)._asdict())
    with np.load(path, allow_pickle=False) as found:
        return Scores(*(found[name] for name in Scores._fields))


def draws_of(study: Study, rows: np.ndarray, without: str) -> dict[str, list[Draw]]:
    """The support sets of each unseen method; their rows are numbers within `rows`."""
    made, config = {}, study.config.of_strangers()
    for kind in np.unique(study.table.kind[rows]):
        mine = np.flatnonzero(study.table.kind[rows] == kind)
        kept = study.table.take(rows[mine])
        made[str(kind)] = [
            one._replace(support=mine[one.support])
            for one in draws(config, without, kept.label, kept.person, kept.pair)
        ]
    return made


def _scores(study: Study, fold: int, without: str) -> Scores:
    table = study.table
    known = source_rows(table, study.methods, without)
    rows = np.flatnonzero((table.collection == without) & ~np.isin(table.kind, study.methods))
    beside = {name: crossed(study, fold, without, row) for name, row in BESIDE.items()}
    sets = draws_of(study, rows, without)
    before, adapted = [], []
    for name, seed in variants(study.config.seeds):
        seen = table.features if name == ALONE else np.column_stack([table.features, beside[name][seed]])
        first, every = _fold(table, seen.astype(np.float32), known, rows, sets)
        before.append(first)
        adapted.append(every)
    return Scores(rows, np.stack(before), np.stack(adapted).astype(np.float32))


def _fold(table: Table, seen: np.ndarray, known: np.ndarray, rows: np.ndarray, sets: dict[str, list[Draw]]):
    mine = table.take(known)
    prior = fit(seen[known], mine.label, mine.kind, collections=mine.collection, pairs=mine.pair).prior
    asked, kinds = seen[rows], table.kind[rows]
    linear = lambda head, at: asked[at] @ np.asarray(head.weights) + float(head.bias)
    found = np.full((len(next(iter(sets.values()))), len(rows)), np.nan)
    for kind, each in sets.items():
        at = np.flatnonzero(kinds == kind)
        for number, one in enumerate(each):
            labels = jnp.repeat(jnp.arange(2), one.shots)
            head = jax.block_until_ready(
                _posterior(prior, jnp.asarray(asked[one.support]), labels, pairs=jnp.asarray(one.pairs))
            )
            found[number, at] = linear(head, at)
    return linear(head_of(prior), np.arange(len(rows))), found


def measure(study: Study, found: dict[str, Scores], people: dict[str, People], rng) -> list[dict[str, Any]]:
    """For every budget: AUC before and after, the gain, and what the head beside is worth, on the same draws.

    Args:
        study: the study.
        found: by the collection that was left out.
        people: of each collection.
        rng: a generator of the same resamples at each call.
    """
    table, all_variants = study.table, variants(study.config.seeds)
    parts: dict[tuple[int, str], dict[str, dict[tuple[str, str], dict[str, np.ndarray]]]] = {}
    for without, scores in found.items():
        for kind, sets in draws_of(study, scores.rows, without).items():
            at = np.flatnonzero(table.kind[scores.rows] == kind)
            by_budget: dict[tuple[int, str], list[int]] = {}
            for number, one in enumerate(sets):
                by_budget.setdefault((one.shots, one.pairing), []).append(number)
            for budget, numbers in by_budget.items():
                for name in (ALONE, *BESIDE):
                    models = [place for place, (each, _) in enumerate(all_variants) if each == name]
                    values = {}
                    for what in ("before", "after"):
                        each = [
                            _auc(
                                table,
                                scores,
                                at,
                                [sets[n] for n in numbers],
                                numbers,
                                model,
                                what,
                                people[without],
                                rng,
                            )
                            for model in models
                        ]
                        values[what] = over_models(each, rng())
                    parts.setdefault(budget, {}).setdefault(name, {})[without, kind] = values
    return [_row(budget, parts[budget]) for budget in sorted(parts, key=lambda one: (one[1], one[0]))]


def _auc(table, scores: Scores, at, sets: list[Draw], numbers: list[int], model: int, what: str, people: People, rng):
    """Over the draws, each judged on its own people."""
    each = []
    for number, one in zip(numbers, sets, strict=True):
        judged = at[np.isin(table.person[scores.rows[at]], one.judged)]
        logits = scores.before[model] if what == "before" else scores.adapted[model, number]
        rows = scores.rows[judged]
        each.append(resampling.auc(table.label[rows], logits[judged], people.weights(table.person[rows])))
    return resampling.over_draws(np.stack(each), rng())


def _row(budget: tuple[int, str], parts) -> dict[str, Any]:
    mean = lambda name, what: np.mean([one[what] for one in parts[name].values()], axis=0)
    gain = {name: mean(name, "after") - mean(name, "before") for name in parts}
    made: dict[str, Any] = {
        "shots_a_class": budget[0], "pairing": budget[1],
        "collections": list(dict.fromkeys(collection for collection, _ in parts[ALONE])),
        "before": {name: resampling.interval(mean(name, "before")) for name in parts},
        "after": {name: resampling.interval(mean(name, "after")) for name in parts},
        "gain": {name: resampling.interval(gain[name]) for name in parts},
    }  # fmt: skip
    over = {name: (mean(name, "after") - mean(ALONE, "after"), gain[name] - gain[ALONE]) for name in BESIDE}
    over["full over binary"] = (mean(FULL, "after") - mean(BINARY, "after"), gain[FULL] - gain[BINARY])
    made["over_features_alone"] = {name: resampling.interval(after) for name, (after, _) in over.items()}
    made["gain_over_features_alone"] = {name: resampling.interval(more) for name, (_, more) in over.items()}
    return made
