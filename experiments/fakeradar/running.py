"""The ablation from end to end: rows trained on source domains, judged on what was held out."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from experiments.fakeradar import images as images_of
from experiments.fakeradar import programs as programs_of
from experiments.fakeradar import training as tri_training
from experiments.fakeradar.config import Config, Options
from metaforge.backbones import weight_files
from metaforge.backbones.spec import IMAGENET, BackboneSpec
from metaforge.commands import flags_of
from metaforge.data.domains import TestSplit
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.intervals import bootstrap, paired_difference
from metaforge.evaluation.joint import joint_bootstrap
from metaforge.evaluation.targets import Target
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import Run, read_rows
from metaforge.settings import change
from metaforge.training import build
from metaforge.training import config as train_config
from metaforge.whole import write_text


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, judges, and returns the report."""
    config.check()
    where = provenance()  # of the code that runs, not of what a long run finds when it ends
    rows, groups = rows_of(config.rows), groups_of(options, config)
    workdir = Path(options.workdir)
    whole = Run(
        workdir,
        {"target": options.target, **dataclasses.asdict(config)},
        ignored_fields=(*_PASSING, "checkpoint_every"),
    )
    scores, tests = {}, {}
    with progress("fakeradar", len(groups) * len(rows) * config.seeds, unit="model", quiet=quiet) as bar:
        for targets, images in groups.items():
            for target, (test, found) in hold_out(targets, images, workdir, rows, config, bar.update).items():
                tests[target], scores[target] = test, found
    report = {
        "command": " ".join(
            [
                "python -m experiments.fakeradar",
                f"--target={options.target}",
                *flags_of(config, Config()),
            ]
        ),
        "config": dataclasses.asdict(config),
        "data": f"forgery domains synthesised from real faces ({config.faces})",
        "provenance": where,
        "sources": {" and ".join(targets): build.methods(images)[0] for targets, images in groups.items()},
        "targets": {target: judge(tests[target], scores[target]) for target in tests},
    }
    # Of what is asked for alone: the directory may hold more seeds, and rows, of an earlier call.
    logs = {
        row: [read_rows(_place(workdir, targets, row, seed)) for targets in groups for seed in range(config.seeds)]
        for row in rows
    }
    report["source_validation"] = {row: source_validation(logs[row]) for row in rows}
    report["probing"] = {row: probing(row, logs[row]) for row in rows if row != "binary"}
    if len(tests) > 1:
        report["mean"] = over_targets(tests, scores, rows)
    whole.finish(report)
    write_text(workdir / "report.md", markdown(report))
    return report


def source_validation(logs: list[list[dict]]) -> float:
    """The mean AUC at the end on people who were not trained on, of kinds that were."""
    return float(np.mean([log[-1]["val_auc"] for log in logs]))


def _place(workdir: Path, targets: tuple[str, ...], row: str, seed: int) -> Path:
    """The run directory of a model."""
    return workdir / "+".join(targets) / f"{row.replace(' ', '_')}-seed{seed}"


def probing(row: str, logs: list[list[dict]]) -> dict[str, float]:
    """How outlier probing went, over the models of a row: clusters at the end, calibration, outliers taken for real."""
    refreshed = [one["calibration"] for log in logs for one in log if "calibration" in one]
    if not refreshed:
        return {}
    last = [log[-1] for log in logs]
    found = {"clusters": float(np.mean([one["clusters"] for one in last]))}
    found |= {"calibration_low": min(refreshed), "calibration_high": max(refreshed)}
    if "outliers_taken_for_real" in last[0] and row != "no outliers":
        found["outliers_taken_for_real"] = float(np.mean([one["outliers_taken_for_real"] for one in last]))
    return found


def groups_of(options: Options, config: Config) -> dict[tuple[str, ...], train_config.Config]:
    """What is held out together, and the settings of the images to train on; all is checked before anything begins."""
    if options.target != "all":
        targets = tuple(name.strip() for name in options.target.split(","))
        groups = {targets: config.images(holdout=options.target)}
    else:
        known = build.methods(config.images(holdout=""))[0]
        rest = lambda target: ",".join(name for name in known if name != target)
        groups = {(target,): change(config.images(holdout=target), {"faces.methods": rest(target)}) for target in known}
    for images in groups.values():
        kinds = 1 + len(build.methods(images)[0])
        if config.slots < kinds:
            raise InputError(f"--slots={config.slots}: give one at least for real and each source, {kinds}.")
        build.treatments(images)
        build.split(images)
    if config.backbone != "conv4":
        # Weights that are not installed, before everything is forged.
        weight_files.fingerprint(BackboneSpec(backbone=config.backbone, weights=IMAGENET))
    return groups


def rows_of(rows: str) -> list[str]:
    """The rows of the table that are asked for; the binary classifier is what all are compared with."""
    asked = list(programs_of.ROWS) if rows == "all" else [name.strip() for name in rows.split(",")]
    for name in asked:
        if name not in programs_of.ROWS:
            raise InputError(f"--rows: unknown '{name}'; known: {', '.join(programs_of.ROWS)}, all.")
    return asked if "binary" in asked else [*asked, "binary"]


def hold_out(
    targets: tuple[str, ...], images: train_config.Config, workdir: Path, rows: list[str], config: Config, tick
) -> dict[str, tuple[TestSplit, dict]]:
    """Every row and seed, trained without the targets: each one's test images, and scores `(seeds, 1, images)`."""
    methods = build.methods(images)[0]
    source = images_of.data(config, build.records(images, split="train"), methods)
    validation = images_of.data(config, build.records(images, split="validation"), methods)
    tests = {name: build.test_split(change(images, {"faces.holdout": name})) for name in targets}
    scores: dict[str, dict[str, np.ndarray]] = {name: {} for name in targets}
    for row in rows:
        found: dict[str, list] = {name: [] for name in targets}
        for seed in range(config.seeds):
            cell = Run(
                _place(workdir, targets, row, seed), {"row": row, "seed": seed, **_identity(config)},
                ignored_fields=("checkpoint_every",),
            )  # fmt: skip
            params = tri_training.train(config, row, seed, source, validation, methods, cell)
            score = programs_of.programs(config, row, 1 + len(methods)).score

            def scorer(images, params=params, score=score):
                odds = np.asarray(score(params, images_of.features(config, images))[0], np.float64)
                return 1.0 / (1.0 + np.exp(-odds))

            for name, test in tests.items():
                found[name].append(test.score(scorer)[None])
            tick()
        for name in targets:
            scores[name][row] = np.stack(found[name])
    return {name: (tests[name], scores[name]) for name in targets}


def judge(test: TestSplit, scores: dict[str, np.ndarray]) -> dict[str, Any]:
    """AUC of every variant with its interval, and its paired difference to the binary classifier."""
    differences = {
        row: paired_difference(test.label, values, scores["binary"], test.identity).as_json()
        for row, values in scores.items() if row != "binary"
    }  # fmt: skip
    return {
        "auc": {row: found.as_json() for row, found in bootstrap(test.label, scores, test.identity).items()},
        "minus_binary": differences,
        "test_images": len(test),
        "test_people": len(set(test.identity.tolist())),
    }


def over_targets(tests: dict[str, TestSplit], scores: dict[str, dict], rows: list[str]) -> dict[str, Any]:
    """The mean over held-out methods. They are forgeries of the same people, who are drawn for all of them at once."""

    def mean(row: str, baseline: str | None) -> dict[str, float]:
        targets = {
            name: Target(test.label, scores[name][row], test.identity, scores[name][baseline] if baseline else None)
            for name, test in tests.items()
        }
        return joint_bootstrap(targets).as_json()

    return {
        "auc": {row: mean(row, None) for row in rows},
        "minus_binary": {row: mean(row, "binary") for row in rows if row != "binary"},
    }


def table(report: dict[str, Any]) -> str:
    """Row x {AUC, difference to the binary classifier}."""
    seen = report.get("source_validation", {})
    lines = ["| variant | AUC | minus binary |", "|---|---|---|"]
    if seen:
        lines = ["| variant | AUC | minus binary | seen kinds, new people |", "|---|---|---|---|"]
    for row, found in report["auc"].items():
        difference = report["minus_binary"].get(row)
        last = f"{Interval.from_json(difference):+.3f}" if difference else ""
        lines.append(f"| {row} | {Interval.from_json(found):.3f} | {last} |" + (f" {seen[row]:.3f} |" if seen else ""))
    return "\n".join(lines)


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    config, where = report["config"], report["provenance"]
    lines = [
        "# FakeRadar's ablation on kinds of forgery that were held out",
        "",
        f"`{report['command']}`, commit {where['commit']}, {where['date']}, jax {where['jax']} on {where['device']}.",
        f"Data: {report['data']}; these numbers say nothing about published deepfakes.",
        f"Frame-level AUC, mean and 95 % interval over {config['seeds']} seeds and the people in the test images.",
        "Nothing was adapted to the held-out method or chosen on it.",
    ]
    for row, one in report["probing"].items():
        if one:
            taken = one.get("outliers_taken_for_real")
            said = f"{one['calibration_low']:.2f} to {one['calibration_high']:.2f} in all refreshes"
            rest = f"; {taken:.0%} of the outliers taken for real" if taken is not None else ""
            ended = f"*{row}*: {one['clusters']:.1f} subclusters at the end; d^2 / D of held-out features {said}"
            lines += ["", f"{ended}{rest}."]
    if "mean" in report:
        lines += [
            "",
            f"## Mean over the {len(report['targets'])} held-out methods",
            "",
            table(report["mean"] | {"source_validation": report["source_validation"]}),
        ]
    for target, one in report["targets"].items():
        lines += ["", f"## Held out: {target}", "", table(one)]
        sources = next(names for held, names in report["sources"].items() if target in held.split(" and "))
        said = f"{one['test_images']} test images of {one['test_people']} photographs or people. Trained on "
        lines += ["", f"{said}{', '.join(sources)}."]
    return "\n".join(lines) + "\n"


_PASSING = ("seeds", "rows")
"""What asks for more or fewer models, and changes none."""


def _identity(config: Config) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in _PASSING}
