"""What a saved detector says of folders of photographs: how many of each it calls fake, real, or cannot tell.

    python -m experiments.folders --model=docs/strong/detector --real=FOLDER,FOLDER --fake=FOLDER --out=report.json

A folder is a collection: all of its photographs are real, or all of them fake. A photograph has the verdict of its
largest face, and one without a face is counted apart. Intervals (95 %) resample photographs, or people with --identity.
Beside the AUC of every real collection against every fake one stands that of the real collections against each other:
two collections differ in camera and compression too, and what tells two real ones apart says nothing of forgery.
"""

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting
from metaforge.whole import refuse_used

COLUMNS = {"above_half": "p_fake above 0.5", "above_nine": "above 0.9", "fake": "called fake",
           "cannot_tell": "cannot tell", "real": "called real"}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Options:
    """Which detector, which folders."""

    model: str = setting(..., "A saved detector, or a finished training run.", place="read")
    real: str = setting("", "Folders of real photographs, comma-separated.", place="read")
    fake: str = setting("", "Folders of fake ones.", place="read")
    identity: str = setting("", "Regular expression whose group finds the person in a file's path; '' for one each.")
    out: str = setting(..., "The JSON report to write.", place="file")
    crops: bool = setting(False, "Whether the images are face crops already.")
    weights: str = setting(
        "", "Of a detector: the file of weights that it needs, if its place has changed.", place="read"
    )


def run(options: Options) -> dict[str, Any]:
    """Screens the folders and returns the report."""
    # What computes is imported where it is used, so that --help answers at once.
    import numpy as np

    from metaforge.evaluation.intervals import bootstrap
    from metaforge.provenance import provenance
    from metaforge.runs import write_json
    from metaforge.screening import predicting

    check_bounds(options)
    refuse_used(options.out)
    folders = [(label, name) for label, names in ((0, options.real), (1, options.fake)) for name in _names(names)]
    if not folders:
        raise InputError("--real, --fake: no folder. Give one or more of photographs.")
    if len({Path(name).name for _, name in folders}) < len(folders):
        raise InputError("--real, --fake: two folders have one name, which is what the report calls them. Rename one.")
    scores: dict[str, np.ndarray] = {}
    report: dict[str, Any] = {"command": dataclasses.asdict(options), "collections": {}, "auc": {}}
    for label, name in folders:
        screen, amiss = predicting.run(options.model, name, weights=options.weights, crops=options.crops)
        rows = [row for row in screen() if row.face in (0, 1)]
        scored = [row for row in rows if row.p_fake is not None]
        if not scored:
            raise InputError(f"--{'fake' if label else 'real'}: no face in '{name}'. Give a folder of photographs.")
        called = np.array([row.verdict.decision if row.verdict else "" for row in scored])
        p = np.array([row.verdict.p_fake if row.verdict else row.p_fake for row in scored])
        facts = {"above_half": p > 0.5, "above_nine": p > 0.9, "fake": called == "fake",
                 "cannot_tell": called == "cannot tell", "real": called == "real"}  # fmt: skip
        people = np.array([_person(options.identity, row.file) for row in scored])
        # The share of a fact is the accuracy of "1" against labels that are all 1.
        ones = np.ones(len(scored), int)
        table = {
            key: bootstrap(ones, fact.astype(float)[None, None], people, metric="accuracy", resample_seeds=False)
            for key, fact in facts.items()
        }
        report["collections"][Path(name).name] = {
            "label": "fake" if label else "real", "photographs": len(rows), "without_a_face": len(rows) - len(scored),
            "people": len(set(people)), "amiss": amiss,
            **{key: interval.as_json() for key, interval in table.items()},
        }  # fmt: skip
        scores[Path(name).name] = p
    kinds = {Path(name).name: label for label, name in folders}
    for (first, ours), (second, theirs) in itertools.permutations(scores.items(), 2):
        if kinds[first] == 0 and (kinds[second] == 1 or first < second):
            both, labels = np.concatenate([ours, theirs]), np.repeat([0, 1], [len(ours), len(theirs)])
            found = bootstrap(labels, both[None, None], np.arange(len(both)), metric="auc", resample_seeds=False)
            report["auc"][f"{first} against {second}"] = {"control": kinds[second] == 0, "auc": found.as_json()}
    report |= provenance()
    write_json(options.out, report, new=True)
    return report


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    show = lambda found: f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
    lines = ["| photographs | are | " + " | ".join(COLUMNS.values()) + " |", "|---" * (2 + len(COLUMNS)) + "|"]
    for name, row in report["collections"].items():
        count = row["photographs"] - row["without_a_face"]
        lines.append(f"| {count} of {name} | {row['label']} | " + " | ".join(show(row[key]) for key in COLUMNS) + " |")
    lines += ["", "| AUC of | value |", "|---|---|"]
    for name, found in report["auc"].items():
        lines.append(f"| {name}{' (both real: a control)' if found['control'] else ''} | {show(found['auc'])} |")
    return "\n".join(lines) + "\n"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _person(pattern: str, name: str) -> str:
    match = re.search(pattern, name) if pattern else None
    return match[1] if match and match.lastindex else name


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        print(markdown(run(options)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
