"""What the figures of experiments.study share: its report, the rows of a budget, and what they can say."""

import dataclasses
from pathlib import Path
from typing import Any

from metaforge.errors import InputError
from metaforge.runs import read_json
from metaforge.settings import setting
from paper_figures._figure import OfRun

NOTE = "synthesised domains; AUC of an episode, 95 % intervals over seeds, support sets and people"


@dataclasses.dataclass(frozen=True)
class Options(OfRun):
    """What to draw."""

    target: str = setting("", "A held-out method; default: the mean over them, or the only one.")


def read_report(options: Options) -> tuple[dict[str, Any], str]:
    """A study's report, and the held-out method asked for ("mean" where there are several).

    Raises:
        InputError: when there is none, or the method is not in it.
    """
    path = Path(options.run) / "report.json"
    if not path.exists():
        raise InputError(
            f"--run: no report.json in '{options.run}'. Give the --workdir of a finished experiments.study."
        )
    report = read_json(path)
    if not {"rows", "grid", "baseline", "targets", "methods"} <= set(report):
        raise InputError(f"--run: '{path}' is no report of experiments.study.")
    known = list(dict.fromkeys(row["target"] for row in report["rows"]))
    if not known:
        raise InputError(f"--run: nothing could be judged in '{path}'; it says why under \"failed\".")
    target = options.target or ("mean" if "mean" in known else known[0])
    if target not in known:
        raise InputError(f"--target: '{target}' is not in the report; it has {', '.join(known)}.")
    return report, target


def row_at(report: dict[str, Any], target: str, method: str, shots: int, steps: int | str) -> dict[str, Any] | None:
    """One row of a report, or `None`."""
    wanted = (target, method, shots, steps)
    return next((r for r in report["rows"] if (r["target"], r["method"], r["shots"], r["steps"]) == wanted), None)


def named(target: str, report: dict[str, Any]) -> str:
    """A held-out method in words."""
    judged = {row["target"] for row in report["rows"]} - {"mean"}
    return f"mean over {len(judged)} held-out methods" if target == "mean" else f"held out: {target}"
