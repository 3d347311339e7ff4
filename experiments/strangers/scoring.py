"""The scores of every fold: of a head that knows neither collection nor method, before and after adaptation to both."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import linalg

from experiments.strangers import rules
from experiments.strangers.config import Config
from experiments.strangers.features import Table
from experiments.strangers.support import Draw, draws
from metaforge.adaptation.gaussian import Fold, Prior, Source, distances, folds, head_of
from metaforge.progress import progress
from metaforge.whole import write_arrays


class Scores(NamedTuple):
    """What the head of a fold says of the images of the left-out method, of all collections.

    Attributes:
        rows: of the table.
        before: logits, without adaptation.
        distances: from the source, as `metaforge.adaptation.gaussian.Source` has them.
        adapted: logits of every support set and variant, `(draws, variants, rows)`; not a number where a variant was
            not to be had.
        source_rows: of the table.
        source_logits: of the source's images, each by a fit that leaves it out.
        source_distances: likewise.
    """

    rows: np.ndarray
    before: np.ndarray
    distances: np.ndarray
    adapted: np.ndarray
    source_rows: np.ndarray
    source_logits: np.ndarray
    source_distances: np.ndarray


def places(table: Table) -> list[tuple[str, str]]:
    """All collections with all methods, as folds come."""
    kinds = np.unique(table.kind)
    return [(str(c), str(k)) for c in np.unique(table.collection) for k in kinds]


def draws_of(config: Config, table: Table, rows: np.ndarray, collection: str) -> list[Draw]:
    """The support sets of a fold; their rows are numbers within `rows`."""
    mine = np.flatnonzero(table.collection[rows] == collection)
    kept = table.take(rows[mine])
    return [
        one._replace(support=mine[one.support], unlabelled=mine[one.unlabelled])
        for one in draws(config, collection, kept.label, kept.person, kept.pair)
    ]


def score(config: Config, table: Table, folder: Path, *, quiet: bool = True) -> list[Path]:
    """The files of all folds, made where they are missing."""
    wanted = places(table)
    paths = [folder / f"fold-{number}.npz" for number in range(len(wanted))]
    if all(path.exists() for path in paths):
        return paths
    known = _sources(table, [folder / f"source-{number}.npz" for number in range(len(wanted))], quiet=quiet)
    with progress("adapting", len(wanted), unit="fold", quiet=quiet) as bar:
        for path, place, source in zip(paths, wanted, known, strict=True):
            if not path.exists():
                with np.load(source, allow_pickle=False) as found:
                    prior = Prior(*(jnp.asarray(found[name]) for name in Prior._fields))
                    fold = Fold(*place, Source(prior, *(found[name] for name in Source._fields[1:])))
                write_arrays(path, **_scores(config, table, fold)._asdict())
            bar.update()
    return paths


def _sources(table: Table, paths: list[Path], *, quiet: bool) -> list[Path]:
    """The files of what each fold knows; all of them share their fits, so one that is missing takes them all."""
    if all(path.exists() for path in paths):
        return paths
    with progress("fitting", len(paths), unit="fold", quiet=quiet) as bar:
        made = folds(table.features, table.label, table.kind, table.collection, pairs=table.pair)
        for path, place, fold in zip(paths, places(table), made, strict=True):
            assert place == (fold.collection, fold.kind)
            source = fold.source._asdict()
            write_arrays(path, **source.pop("prior")._asdict(), **source)
            bar.update()
    return paths


def read(path: Path) -> Scores:
    """A fold's scores."""
    with np.load(path, allow_pickle=False) as found:
        return Scores(*(found[name] for name in Scores._fields))


def _scores(config: Config, table: Table, fold: Fold) -> Scores:
    source, rows = fold.source, np.flatnonzero(table.kind == fold.kind)
    seen = table.features[rows]
    given = _given(table, fold)
    made = [
        _adapted(given, seen, one) for one in draws_of(config, table, rows, fold.collection)
    ]  # fmt: skip
    head = head_of(source.prior)
    return Scores(
        rows=rows,
        before=np.asarray(seen @ np.asarray(head.weights) + float(head.bias), np.float64),
        distances=distances(source.prior, seen),
        adapted=np.stack(made).astype(np.float32),
        source_rows=source.rows, source_logits=source.logits, source_distances=source.distances,
    )  # fmt: skip


def _given(table: Table, fold: Fold) -> rules.Source:
    prior, mine = fold.source.prior, np.sort(fold.source.rows)
    known = table.take(mine)
    kinds: Sequence[str] = np.unique(known.kind)  # type: ignore[assignment]
    mean = lambda kind, label: known.features[(known.kind == kind) & (known.label == label)].mean(
        axis=0, dtype=np.float64
    )
    shifts = np.stack([mean(kind, 1) - mean(kind, 0) for kind in kinds])
    spread = linalg.solve_triangular(
        np.asarray(prior.factor, np.float64), (shifts - shifts.mean(axis=0)).T, lower=True
    ).T
    deviation = known.features.std(axis=0, dtype=np.float64)
    single = lambda value: jnp.asarray(value, jnp.float32)
    return rules.Source(
        prior, single(spread), single(known.features.mean(axis=0, dtype=np.float64)),
        single(np.where(deviation > 0, deviation, 1.0)),
    )  # fmt: skip


def _adapted(given: rules.Source, seen: np.ndarray, one: Draw) -> np.ndarray:
    found = np.asarray(rules.logits(given, seen[one.support], one.pairs, seen[one.unlabelled], seen))
    filled = np.full((len(rules.VARIANTS), len(seen)), np.nan)
    filled[: len(found)] = found
    return filled
