"""What a detector still knows of the kinds of forgery that it was trained on, after it was adapted to another one."""

from pathlib import Path
from typing import Any

from metaforge.data.domains import TestSplit, clusters
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.intervals import bootstrap, paired_difference
from metaforge.runs import read_json
from metaforge.screening import Detector, from_run
from metaforge.training import build, checks
from metaforge.training.config import Config

ALL = "all together"


def sources(config: Config, directory: str | Path) -> Records:
    """The source-validation images of a run, made or read again.

    Raises:
        InputError: when they, or those that it was trained on, are no longer what they were: people who were trained on
            could be among them; when a source domain shows one person alone.
    """
    train, validation = checks.images(config)
    known = Path(directory) / "data.json"
    if not known.exists() or read_json(known).get("sha256") != build.identity_of(config, train, validation):
        raise InputError(
            f"--remembers: the images that the run in '{directory}' was trained on are not there as they were. Restore "
            "them, or leave it out."
        )
    whose = clusters(TestSplit(validation))
    for domain, rows in validation.by_domain().items():
        if len(set(whose[rows].tolist())) < 2:
            raise InputError(
                f"--remembers: the validation images of '{domain}' show one person or video, and intervals need two. "
                "Leave it out."
            )
    return validation


def remembered(trained: from_run.FinishedRun, adapted: Detector, records: Records) -> dict[str, dict[str, Any]]:
    """AUC on images of the source domains, of people that a run was not trained on: before adapting, and after.

    Args:
        trained: the run.
        adapted: its detector, adapted to something else.
        records: the images, of `sources`.

    Returns:
        By source domain, and for `ALL` of them in one pool: `before`, `after` and `lost` (before minus after, on the
        same resamples of people, or of videos where people are unknown), each with `value`, `low` and `high`.
    """
    pool = TestSplit(records)
    before, after = (from_run.scores(trained, one, pool)[None, None] for one in (from_run.detector(trained), adapted))
    found, whose = {}, clusters(pool)
    for name, rows in {**records.by_domain(), ALL: slice(None)}.items():
        labels, people = records.label[rows], whose[rows]
        sides = {"before": before[..., rows], "after": after[..., rows]}
        found[name] = {
            state: interval["auc"].as_json()
            for state, interval in bootstrap(labels, sides, people, metric=("auc",), resample_seeds=False).items()
        }
        lost = paired_difference(labels, sides["before"], sides["after"], people, metric="auc", resample_seeds=False)
        found[name]["lost"] = lost.as_json()
    return found


def markdown(found: dict[str, dict[str, Any]]) -> str:
    """The table for people."""
    lines = ["| trained on | AUC before adapting | after | lost |", "|---|---|---|---|"]
    for name, row in found.items():
        before, after, lost = (Interval.from_json(row[part]) for part in ("before", "after", "lost"))
        lines.append(f"| {name} | {before:.3f} | {after:.3f} | {lost:+.3f} |")
    return "\n".join(lines)
