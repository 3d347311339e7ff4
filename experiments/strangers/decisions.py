"""What stated shares of mistakes come to on a collection that is not known, and on one whose thresholds are its own.

    python -m experiments.strangers.decisions --workdir=runs/strangers --out=decisions.json

It reads a finished run of `python -m experiments.strangers`: 48 folds, each without one collection and one method. The
thresholds of the source (`fit_bands`) and those of half of the left-out collection's own people (`fit_conformal`, many
halves) are compared on the same images, at the same stated shares; beside them stands how many images are left open.
Then, for tenths of a collection's images by `p_fake`, how often the share of fakes lies in the interval of `fit_spread`
and in two narrower ones that were tried. Intervals (95 %) resample people.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.settings import setting
from metaforge.whole import refuse_used

STATED = ((0.05, 0.10), (0.10, 0.10), (0.03, 0.02))
"""Shares of reals called fake and of fakes called real; the last are those of the slides."""

SAID = ("fpr", "real_open", "fnr", "fake_open")
"""What is counted: reals called fake, reals left open, fakes called real, fakes left open."""

COLUMNS = ("reals called fake", "reals, cannot tell", "fakes called real", "fakes, cannot tell")

TENTHS = 10


@dataclasses.dataclass(frozen=True)
class Options:
    """Which run, how often."""

    workdir: str = setting(..., "A finished run of experiments.strangers.", place="read")
    halves: int = setting(20, "Halves of a collection's people that thresholds are fitted on.", least=1, most=1000)
    resamples: int = setting(1000, "Of people, for intervals.", least=10, most=1_000_000)
    seed: int = setting(0, "Of halves and resamples.", most=2**32 - 1)
    out: str = setting(..., "The JSON report to write.", place="file")


class Cell(NamedTuple):
    """A fold: what is told of the left-out collection's images of the left-out method, and of the source's."""

    collection: str
    told: np.ndarray
    label: np.ndarray
    person: np.ndarray
    source: np.ndarray
    source_label: np.ndarray
    source_group: np.ndarray


def measured(options: Options, cells: list[Cell]) -> dict[str, Any]:
    """By stated shares and collection, what came out with the source's thresholds and with its own; and the intervals.

    Args:
        options: how often.
        cells: all folds.
    """
    from metaforge.evaluation.calibration import fit_bands

    names = sorted({cell.collection for cell in cells})
    rows = []
    for fpr, fnr in STATED:
        for name in names:
            mine = [cell for cell in cells if cell.collection == name]
            source, own = [], []
            for number, cell in enumerate(mine):
                bands = fit_bands(cell.source, cell.source_label, groups=cell.source_group, fpr=fpr, fnr=fnr)
                source.append(_counted(bands, cell.told, cell.label, np.ones(len(cell.label))))
                own.append(_own(options, cell, fpr, fnr, number))
            people = np.concatenate([cell.person for cell in mine])
            label = np.concatenate([cell.label for cell in mine])
            rows.append({
                "fpr": fpr, "fnr": fnr, "collection": name,
                "people": len(np.unique(people)),
                "source": _intervals(options, np.concatenate(source), people, label),
                "own": _intervals(options, np.concatenate(own), people, label),
            })  # fmt: skip
    return {"stated": rows, "intervals": intervals(cells, names)}


def _counted(bands, told: np.ndarray, label: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Of each row how often it was called wrongly, left open and judged, `(rows, 3)`."""
    said = np.array(bands.decide(told))
    wrong = np.where(label > 0, said == "real", said == "fake")
    return np.stack([wrong * judged, (said == "cannot tell") * judged, judged], axis=1)


def _own(options: Options, cell: Cell, fpr: float, fnr: float, number: int) -> np.ndarray:
    """The same with thresholds of half of the people, on the other half, over all halves."""
    from metaforge.evaluation.calibration import fit_conformal

    people, found = np.unique(cell.person), np.zeros((len(cell.label), 3))
    for half in range(options.halves):
        # The same halves for every method of a collection.
        order = np.random.default_rng([options.seed, half]).permutation(people)
        fitted = np.isin(cell.person, order[: len(people) // 2])
        bands = fit_conformal(cell.told[fitted], cell.label[fitted], name="own", fpr=fpr, fnr=fnr)
        found += _counted(bands, cell.told, cell.label, (~fitted).astype(float))
    return found


def _intervals(options: Options, counts: np.ndarray, people: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    from metaforge.evaluation.people import People, interval

    weights = People(people, resamples=options.resamples, seed=[options.seed, 7]).weights(people)
    found = {}
    for kind, (wrong, open_) in enumerate((("fpr", "real_open"), ("fnr", "fake_open"))):
        rows = label == kind
        judged = weights[:, rows] @ counts[rows, 2]
        for place, name in enumerate((wrong, open_)):
            found[name] = interval(weights[:, rows] @ counts[rows, place] / judged)
    return found


def intervals(cells: list[Cell], names: list[str]) -> list[dict[str, Any]]:
    """For each way to make an interval, the share of tenths whose share of fakes lies in it, and its mean width.

    Args:
        cells: all folds.
        names: the collections.
    """
    from metaforge.evaluation.calibration import fit_spread, venn_abers

    places = np.linspace(0, 1, 41)
    ends: dict[str, dict[str, list[np.ndarray]]] = {}
    for cell in cells:
        each = [venn_abers(cell.source[cell.source_group == name], cell.source_label[cell.source_group == name], places)
                for name in np.unique(cell.source_group)]  # fmt: skip
        spread = fit_spread(cell.source, cell.source_label, cell.source_group)
        assert spread is not None
        ways = {
            "the next collection (as shipped)": (spread.low, spread.high),
            "from the least to the most of the source's collections": (
                np.min([low for low, _ in each], axis=0), np.max([high for _, high in each], axis=0)),
            "Venn-Abers over all images": venn_abers(cell.source, cell.source_label, places),
        }  # fmt: skip
        for way, (low, high) in ways.items():
            held = np.stack([np.interp(cell.told, places, side) for side in (low, high)])
            ends.setdefault(way, {}).setdefault(cell.collection, []).append(held)
    rows = []
    for way, by_name in ends.items():
        inside, widths = [], []
        for name in names:
            held = np.concatenate(by_name[name], axis=1)
            mine = [cell for cell in cells if cell.collection == name]
            told, label = (np.concatenate([cell[field] for cell in mine]) for field in (1, 2))
            for part in np.array_split(np.argsort(told, kind="stable"), TENTHS):
                low, high = held[:, part].mean(axis=1)
                inside.append(bool(low <= label[part].mean() <= high))
            widths.append(float((held[1] - held[0]).mean()))
        by_collection = np.reshape(inside, (len(names), TENTHS)).mean(axis=1)
        rows.append({"way": way, "inside": float(np.mean(inside)), "width": float(np.mean(widths)),
                     "collections": dict(zip(names, by_collection.tolist(), strict=True))})  # fmt: skip
    return rows


def cells_of(workdir: str) -> Iterator[Cell]:
    """The folds of a finished run.

    Raises:
        InputError: when it is not finished.
    """
    from experiments.strangers import before, scoring
    from experiments.strangers.features import kept as kept_features

    table, folder = kept_features(workdir), Path(workdir)
    for number, (name, _) in enumerate(scoring.places(table)):
        one = scoring.read(folder / f"fold-{number}.npz")
        judge = before.judge_of(table, one.source_logits, one.source_distances, one.source_rows)
        mine = table.collection[one.rows] == name
        kept, source = table.take(one.rows[mine]), table.take(one.source_rows)
        yield Cell(
            name, before.told(judge, one.before[mine], one.distances[mine]), kept.label, kept.person,
            before.told(judge, one.source_logits, one.source_distances), source.label, source.collection,
        )  # fmt: skip


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    show = lambda found: f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    lines = []
    for fpr, fnr in STATED:
        lines += [
            f"Asked for: at most {100 * fpr:g} % of reals called fake, and {100 * fnr:g} % of fakes called real.",
            "",
            f"| left out (people) | thresholds of | {' | '.join(COLUMNS)} |",
            "|---" * 6 + "|",
        ]
        for row in report["stated"]:
            if (row["fpr"], row["fnr"]) == (fpr, fnr):
                for whose, kind in (("the source", "source"), ("its own people", "own")):
                    cells = [show(row[kind][name]) for name in SAID]
                    lines.append(f"| {row['collection']} ({row['people']}) | {whose} | {' | '.join(cells)} |")
        lines.append("")
    lines += [
        "| interval for p_fake | tenths inside | mean width | least collection |", "|---|---|---|---|",
        *(f"| {row['way']} | {row['inside']:.2f} | {row['width']:.2f} | {min(row['collections'].values()):.1f} |"
          for row in report["intervals"]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        from metaforge.provenance import provenance
        from metaforge.runs import write_json

        check_bounds(options)
        refuse_used(options.out)
        flags = f"--workdir={options.workdir} --halves={options.halves} --resamples={options.resamples} "
        report = {
            "command": f"python -m experiments.strangers.decisions {flags}--seed={options.seed}",
            "config": dataclasses.asdict(options),
            "provenance": provenance(),
            **measured(options, list(cells_of(options.workdir))),
        }
        write_json(options.out, report, new=True)
        print(markdown(report))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
