"""The detector held against goals: on people it does not know, and on collections and methods it does not know either.

    python -m experiments.strangers.targets --workdir=runs/strangers --out=targets.json

It reads the features of a finished run of `python -m experiments.strangers`, and judges the same images twice, by the
same head in closed form. On known domains a fifth of the people is left out at a time; their collections and all
methods are in the source. On strange domains a collection and one half of the methods are left out together.
Calibration and thresholds are fitted in the source alone, on images that it leaves out in turn (people of the known
domains, collections and methods of the strange ones), for the shares of mistakes that the goals allow: 3 % of the
reals and 2 % of the fakes. The two are reported side by side, and never pooled. Intervals (95 %) are over people. The
donor of a swapped face may be among the source's people.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from experiments.strangers.before import told
from experiments.strangers.features import Table, kept
from metaforge.adaptation.gaussian import distances, fit, head_of
from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.evaluation.calibration import fit_judge
from metaforge.evaluation.goals import FORCED, worth
from metaforge.evaluation.goals import markdown as shown
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.shares import auc_interval, share_interval
from metaforge.progress import progress
from metaforge.runs import write_json
from metaforge.settings import setting
from metaforge.whole import refuse_used

FPR, FNR = 0.03, 0.02
"""Shares of mistakes that thresholds are fitted for."""

KNOWN, STRANGE = "people left out, their collections and methods known", "collections and methods left out"


@dataclasses.dataclass(frozen=True)
class Options:
    """Of which features, and how people and methods are parted."""

    workdir: str = setting(..., "A finished run of experiments.strangers.", place="read")
    out: str = setting(..., "The JSON report to write.", place="file")
    people: int = setting(5, "Parts of the people, each left out once.", least=2, most=100)
    half: str = setting("poisson_swap,resample,smooth,swap", "Methods that are left out together; then the others.")
    seed: int = setting(0, "Of who is left out together, and of resamples.", most=2**32 - 1)


class Told(NamedTuple):
    """What is told of some rows of the table: decisions, and probabilities of being fake."""

    rows: np.ndarray
    said: np.ndarray
    p_fake: np.ndarray


def parts_of(people: np.ndarray, collections: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The part of each row, from 0: of a person all rows, and of each collection's people as many as can be.

    Args:
        people: of each row.
        collections: of each row.
        count: of parts.
        seed: of the order.

    Example:
        >>> parts_of(np.array(["a", "b", "a"]), np.array(["x", "x", "x"]), 2, 0).tolist() in ([0, 1, 0], [1, 0, 1])
        True
    """
    found = np.zeros(len(people), int)
    for number, name in enumerate(np.unique(collections)):
        mine = np.flatnonzero(collections == name)
        who, index = np.unique(people[mine], return_inverse=True)
        order = np.random.default_rng([seed, number]).permutation(len(who))
        # Where one collection ends the next begins, so that no part gets the remainder of all.
        found[mine] = ((order + number) % count)[index]
    return found


def on_known(options: Options, table: Table, *, quiet: bool = True) -> list[Told]:
    """Of each part of the people, what the source of the others says."""
    outer = parts_of(table.person, table.collection, options.people, options.seed)
    made = []
    with progress("people left out", options.people, unit="part", quiet=quiet) as bar:
        for part in range(options.people):
            source, rows = np.flatnonzero(outer != part), np.flatnonzero(outer == part)
            mine = table.take(source)
            # What is left out in turn for the thresholds is people again: their part stands for a kind.
            inner = parts_of(mine.person, mine.collection, options.people, options.seed + 1)
            made.append(_told(table, source, rows, kinds=inner, collections=None))
            bar.update()
    return made


def on_strange(options: Options, table: Table, *, quiet: bool = True) -> list[Told]:
    """Of each collection and each half of the methods, what the source without both says."""
    halves = halves_of(options.half, table)
    places = np.unique(table.collection)
    made = []
    with progress("collections left out", 2 * len(places), unit="fold", quiet=quiet) as bar:
        for place in places:
            for half in halves:
                strange = np.isin(table.kind, half)
                source = np.flatnonzero((table.collection != place) & ~strange)
                rows = np.flatnonzero((table.collection == place) & strange)
                mine = table.take(source)
                made.append(_told(table, source, rows, kinds=mine.kind, collections=mine.collection))
                bar.update()
    return made


def halves_of(half: str, table: Table) -> tuple[list[str], list[str]]:
    """The methods that are named, and the others.

    Raises:
        InputError: for one that is not there, or if fewer than two are on a side.
    """
    every, named = np.unique(table.kind).tolist(), sorted(set(half.split(",")))
    if unknown := [name for name in named if name not in every]:
        raise InputError(f"--half: unknown method '{unknown[0]}'; known: {', '.join(every)}.")
    others = [name for name in every if name not in named]
    if min(len(named), len(others)) < 2:
        raise InputError(f"--half: {len(named)} methods and {len(others)} others. Leave two or more on each side.")
    return named, others


def _told(table: Table, source: np.ndarray, rows: np.ndarray, *, kinds: np.ndarray, collections) -> Told:
    mine = table.take(source)
    found = fit(mine.features, mine.label, kinds, collections=collections, pairs=mine.pair)
    judge = fit_judge(found.logits, mine.label[found.rows], distances=found.distances,
                      groups=mine.collection[found.rows], fpr=FPR, fnr=FNR)  # fmt: skip
    head, seen = head_of(found.prior), table.features[rows]
    logits = np.asarray(seen @ np.asarray(head.weights) + float(head.bias), np.float64)
    shares = told(judge, logits, distances(found.prior, seen))
    return Told(rows, np.array(judge.bands.decide(shares)), shares)


def measured(options: Options, table: Table, *, quiet: bool = True) -> dict[str, Any]:
    """What both ways are worth on the same images; nothing is pooled over them.

    Raises:
        InputError: as `halves_of`.
    """
    halves_of(options.half, table)
    whole = np.arange(len(table.label))
    report: dict[str, Any] = {"images": len(whole), "people": len(np.unique(table.person)), "domains": {}}
    values = {}
    for name, judged in ((KNOWN, on_known), (STRANGE, on_strange)):
        folds = judged(options, table, quiet=quiet)
        rows, said, p_fake = (np.concatenate(each) for each in zip(*folds, strict=True))
        order = np.argsort(rows)
        assert (rows[order] == whole).all(), "each image is judged once"
        said, p_fake = said[order], p_fake[order]
        report["domains"][name] = worth(table.label, said.tolist(), p_fake, table.person, seed=options.seed)
        values[name] = said, p_fake
    for field in ("kind", "collection"):
        report[f"{field}s"] = [
            {"name": str(name)} | {way: _row(table, table_rows, *values[way]) for way in values}
            for name in np.unique(getattr(table, field))
            for table_rows in [np.flatnonzero(getattr(table, field) == name)]
        ]
    return report


def _row(table: Table, rows: np.ndarray, said: np.ndarray, p_fake: np.ndarray) -> dict[str, Any]:
    label, person = table.label[rows], table.person[rows]
    right = (p_fake[rows] > 0.5) == (label > 0)
    real, fake = label == 0, label > 0
    wrong = lambda of, word: share_interval(said[rows][of] == word, person[of]).as_json()
    return {
        "auc": auc_interval(label, p_fake[rows], person).as_json(),
        FORCED: share_interval(right, person).as_json(),
        "fpr": wrong(real, "fake"), "reals_open": wrong(real, "cannot tell"),
        "fnr": wrong(fake, "real"), "fakes_open": wrong(fake, "cannot tell"),
    }  # fmt: skip


def table_of(report: dict[str, Any]) -> str:
    """The report for people: both ways as large, one after the other, and then by method and by collection."""
    lines = []
    for name, found in report["domains"].items():
        lines += [f"## {name[0].upper()}{name[1:]}", "", shown(found), ""]
    for field, title in (("kinds", "method"), ("collections", "collection")):
        columns = ("AUC", "right at 0.5", "reals called fake", "reals, cannot tell", "fakes called real",
                   "fakes, cannot tell")  # fmt: skip
        names = ("auc", FORCED, "fpr", "reals_open", "fnr", "fakes_open")
        for way in (KNOWN, STRANGE):
            lines += [f"By {title}, {way}:", "", f"| {title} | {' | '.join(columns)} |", "|---" * 7 + "|"]
            for row in report[field]:
                cells = [format(Interval.from_json(row[way][name]), ".3f") for name in names]
                lines.append(f"| {row['name']} | {' | '.join(cells)} |")
            lines.append("")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        from metaforge.provenance import provenance

        check_bounds(options)
        refuse_used(options.out)
        flags = f"--workdir={options.workdir} --people={options.people} --half={options.half} --seed={options.seed}"
        report = {
            "command": f"python -m experiments.strangers.targets {flags}",
            "config": {name: value for name, value in dataclasses.asdict(options).items() if name != "out"}
            | {"fpr": FPR, "fnr": FNR},
            "provenance": provenance(),
            **measured(options, kept(options.workdir), quiet=False),
        }
        write_json(options.out, report, new=True)
        print(table_of(report))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
