"""A report of how often a screen was right, held against goals."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from metaforge.bounds import check_bounds
from metaforge.commands.parsing import flags_of
from metaforge.errors import InputError
from metaforge.evaluation import goals
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.screening.batches.results import read_lines
from metaforge.screening.batches.sources import source_of
from metaforge.screening.reviewing.evaluate_options import Options
from metaforge.screening.reviewing.labels import joined, label_by_folder, read_labels
from metaforge.whole import refuse_used, write_text


def run(options: Options, *, quiet: bool = False) -> dict[str, Any]:
    """Measures; writes the report if it is asked for; returns it.

    Args:
        options: what, and by which labels.

    Other Arguments:
        quiet: whether to show no progress.

    Raises:
        InputError: when something that is asked for cannot work, before any file is judged.
    """
    check_bounds(options)
    refuse_what_cannot_be(options)
    labels = read_labels(options.labels) if options.labels else None
    found = joined(
        read_lines(options.results, flag="results") if options.results else _screened(options, quiet=quiet), labels
    )
    first = found.first
    report = {
        "command": " ".join(["metaforge evaluate", *flags_of(options, Options())]),
        "config": dataclasses.asdict(options),
        "provenance": provenance(),
        "model": first["model"],
        "thresholds": first["thresholds"],
        "people": "named" if found.named else "not named: every file counts as a person of its own",
        "without_label": found.without_label,
        "without_record": found.without_record,
        "copies": found.copies,
        "domains": {
            name: goals.worth(one.labels, one.said, one.p_fake, one.people, seed=options.seed)
            | {"files": len(one.said), "people": len(set(one.people.tolist()))}
            for name, one in found.domains.items()
        },
    }
    if options.out:
        write_json(Path(options.out), report)
        write_text(Path(options.out).with_suffix(".md"), markdown(report))
    return report


def refuse_what_cannot_be(options: Options) -> None:
    """Holds that results or a model are given, and what goes with either.

    Raises:
        InputError: when they are not.
    """
    if bool(options.results) == bool(options.model):
        raise InputError("--results: give the results of metaforge screen, or --model and --target; one of the two.")
    if bool(options.model) != bool(options.target):
        raise InputError("--target: a model is evaluated on a target, a folder with real/ and fake/. Give both.")
    if options.model and options.labels:
        raise InputError("--labels: the folders of --target say which images are real. Leave the table out.")
    if options.out:
        if Path(options.out).suffix != ".json":
            raise InputError(f"--out: '{options.out}' is no .json. Choose one; the tables go beside it as .md.")
        refuse_used(options.out)
        refuse_used(Path(options.out).with_suffix(".md"))


def _screened(options: Options, *, quiet: bool) -> Iterable[dict]:
    """The records of a target's files, which are judged as they are asked for."""
    root = Path(options.target)
    if missing := [kind for kind in ("real", "fake") if not (root / kind).is_dir()]:
        raise InputError(f"--target: '{options.target}' has no folder '{missing[0]}'. It needs real/ and fake/ with "
                         "images in both.")  # fmt: skip
    from metaforge.screening.verdicts import screener

    judge = screener(options.model, weights=options.weights, engine=cast("Any", options.engine), crops=options.crops,
                     frames=options.frames)  # fmt: skip
    names = [name for name in source_of(options.target).names() if label_by_folder(name)]
    with progress("screening", len(names), unit="file", quiet=quiet) as bar:
        for record in judge.verdicts((root / name for name in names), root=root, workers=options.workers):
            bar.update()
            yield record.as_json()


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    model, thresholds = report["model"], report["thresholds"]
    lines = [
        f"`{report['command']}`, commit {report['provenance']['commit']}, {report['provenance']['date']}.",
        "",
        f"Detector {model['name']} (SHA-256 {model['sha256'][:12]}): real below {thresholds['real_below']:.4f}, "
        + f"fake above {thresholds['fake_above']:.4f}.",
    ]
    if (stated := thresholds["fpr"]) is not None:
        lines.append(f"Fitted on {thresholds['fitted_on']} for {stated:.1%} of reals called fake and "
                     f"{thresholds['fnr']:.1%} of fakes called real.")  # fmt: skip
    for name, one in report["domains"].items():
        who = f"{one['people']} people" if report["people"] == "named" else "people not named"
        lines += ["", f"## {name or 'All files'}: {one['files']} files, {who}", "", goals.markdown(one)]
    notes = [
        (report["without_label"], "without a label, and not counted"),
        (report["without_record"], "of the table without a record"),
        (report["copies"], "a copy of another, counted once"),
    ]
    lines += [""] + [f"- {count} {'file' if count == 1 else 'files'} {what}." for count, what in notes if count]
    if report["people"] != "named":
        lines.append("- People are not named, so each file counts as a person of its own. If people are there several "
                     "times, the intervals are too narrow: add a column `person`.")  # fmt: skip
    lines.append("- Intervals of 95 %. They speak of files like these, and of no other camera, person or forgery.")
    return "\n".join(lines) + "\n"
