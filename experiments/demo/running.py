"""The demo from end to end: models trained and adapted to what none has seen, and the report."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np

from experiments.demo import photographs
from experiments.demo.config import LEARNERS, Options
from metaforge.bounds import check_bounds
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.intervals import bootstrap, paired_difference
from metaforge.forgeries import FORGERIES
from metaforge.places import refuse_inside
from metaforge.progress import progress
from metaforge.provenance import provenance
from metaforge.runs import Run
from metaforge.screening import from_run
from metaforge.settings import change
from metaforge.training import build, checks, meta_train
from metaforge.training.config import DEMO, Config
from metaforge.whole import write_text
from paper_figures import loss_curves, validation_curves

HEADINGS = {"not adapted": "no adaptation"}
"""What the table calls a state, where it is not by its name."""


def run(options: Options, config: Config) -> dict[str, Any]:
    """Trains, adapts, measures, draws; returns the report."""
    config = change(config, {"run.baseline": False})
    check_bounds(options)
    config.check()
    targets = list(FORGERIES) if options.target == "all" else [options.target]
    if not {*targets} <= {*FORGERIES}:
        raise InputError(f"--target: unknown '{options.target}'; known: {', '.join(FORGERIES)}, all.")
    if (config.learner.name, config.run.seed, config.faces.holdout) != (
        DEMO.learner.name,
        DEMO.run.seed,
        DEMO.faces.holdout,
    ):
        raise InputError("--learner.name, seed and holdout are the demo's own to set. Use --target and --seeds.")
    if config.faces.prepared:
        raise InputError(
            "--faces.prepared: the demo forges its own domains. Give --faces.folder, or use train and adapt."
        )
    refuse_inside("workdir", options.workdir, config.faces.folder, of="faces.folder")  # for figures are images
    for target in targets:
        for learner in LEARNERS:
            checks.check_settings(change(config, {"faces.holdout": target, "learner.name": learner}))
        checks.check(change(config, {"faces.holdout": target}))
    workdir, reports = Path(options.workdir), {}
    asked = {"target": options.target, "seeds": options.seeds, "draws": options.draws}
    passing = ("demo.seeds", "demo.draws", *(f"config.{name}" for name in meta_train.IGNORED_FIELDS))
    whole = Run(workdir, {"demo": asked, "config": dataclasses.asdict(config)}, ignored_fields=passing)
    for target in targets:
        folder = workdir if len(targets) == 1 else workdir / target
        reports[target] = hold_out(target, folder, options, config)
        if len(targets) > 1:
            print(f"\nheld out: {target}\n\n{table(reports[target])}")
    print("scoring raw photographs", file=sys.stderr, flush=True)
    rows, why = photographs.screened(workdir)
    report = {
        "command": " ".join(
            [
                "python -m experiments.demo",
                *(f"--{n}={v}" for n, v in asked.items()),
                *flags_of(config, DEMO),
            ]
        ),
        "config": dataclasses.asdict(config),
        "data": f"forgery domains synthesised from real faces ({config.faces.folder})",
        "provenance": provenance(),
        "targets": reports,
        "photographs": {"faces": rows, "why_none": why},
    }
    whole.finish(report)
    write_text(workdir / "report.md", markdown(report))
    return report


def hold_out(target: str, folder: Path, options: Options, config: Config) -> dict[str, Any]:
    """Every learner and seed, trained without the target and then adapted to it."""
    config = change(config, {"faces.holdout": target})
    runs = {(learner, seed): folder / f"{learner}-seed{seed}" for seed in range(options.seeds) for learner in LEARNERS}
    for (learner, seed), workdir in runs.items():
        meta_train.run(change(config, {"learner.name": learner, "run.seed": seed}), workdir)
    # Support sets come from people whom nobody trained on, test images from people whom nobody has seen at all.
    pool = build.records(config, split="validation", held_out=True)
    test = build.test_split(config)
    scores: dict[str, list] = {}
    rules: dict[str, list] = {}
    with progress(f"adapting to {target}", len(runs), unit="model") as bar:
        for (learner, seed), workdir in runs.items():
            trained = from_run.load_run(workdir)
            states = from_run.scores_over_draws(
                trained,
                (np.asarray(pool.image), pool.label),
                test,
                shots=config.episodes.shots,
                draws=options.draws,
                seed=seed,
            )
            for state, values in states.items():
                scores.setdefault(f"{learner}, {state}", []).append(values)
            rules.setdefault(learner, []).append(trained.rule)
            bar.update()
    stacked = {name: np.stack(values) for name, values in scores.items()}
    found = bootstrap(test.label, stacked, test.identity, metric="auc")
    differences = {
        f"{ours} minus {theirs}": paired_difference(test.label, stacked[ours], stacked[theirs], test.identity).as_json()
        for ours, theirs in _PAIRS
    }
    for figure, name in ((loss_curves, "loss_curves"), (validation_curves, "validation_curves")):
        drawn = figure.Options(runs=",".join(map(str, runs.values())), out=f"{folder}/{name}.png")
        figure.draw(drawn, runs=list(runs.values()))
    return {
        "auc": {name: interval.as_json() for name, interval in found.items()},
        "differences": differences,
        "adaptation": rules,
        "test_images": len(test),
        "test_people": len(set(test.identity.tolist())),
        "shots": config.episodes.shots,
    }


_PAIRS = [(f"{learner}, adapted", f"{learner}, not adapted") for learner in LEARNERS]
_PAIRS += [("maml, adapted", "erm, adapted"), ("daml, adapted", "erm, adapted"), ("daml, adapted", "maml, adapted")]


def table(report: dict[str, Any]) -> str:
    """Learner x state: AUC with its interval."""
    states = list(dict.fromkeys(name.split(", ")[1] for name in report["auc"]))
    lines = ["| learner | " + " | ".join(HEADINGS.get(state) or state for state in states) + " | gain |"]
    lines += ["|---" * (len(states) + 2) + "|"]
    for learner in LEARNERS:
        each = [Interval.from_json(report["auc"][f"{learner}, {state}"]) for state in states]
        gain = Interval.from_json(report["differences"][f"{learner}, adapted minus {learner}, not adapted"])
        lines.append(f"| {learner.upper()} | " + " | ".join(f"{i:.3f}" for i in each) + f" | {gain:+.3f} |")
    return "\n".join(lines)


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    kind, where = report["config"]["model"]["normalisation"], report["provenance"]
    lines = [
        "# Adapting to a kind of forgery that was held out",
        "",
        f"`{report['command']}`, commit {where['commit']}, {where['date']}, jax {where['jax']} on {where['device']}.",
        f"Data: {report['data']}; these numbers say nothing about published deepfakes.",
    ]
    for target, one in report["targets"].items():
        lines += [
            "",
            f"## Held out: {target}",
            "",
            table(one),
            "",
            f"AUC, mean and 95 % interval over {len(one['adaptation']['erm'])} seeds, draws of the support set "
            + f"({one['shots']} images a class, from photographs not trained on) and the {one['test_people']} "
            + f"people behind {one['test_images']} test images. {_told(kind)} Gain is from the "
            + f"first to the last. Normalisation: {kind}. Rate and steps were chosen on source "
            + "validation, from one grid for all learners:",
            "",
        ]
        for learner, rules in one["adaptation"].items():
            chosen = "; ".join(f"{rule['steps']} x {rule['rate']:g}" for rule in rules)
            lines.append(f"- {learner}: steps x rate by seed {chosen}")
        lines += ["", "On the same seeds, draws and people:", ""]
        lines += [f"- {name}: {Interval.from_json(i):+.3f}" for name, i in one["differences"].items()]
    if seen := report.get("photographs"):
        lines += ["", "## Raw photographs, by the shipped detector", ""]
        lines += [photographs.table(seen["faces"]) if seen["faces"] else seen["why_none"]]
    return "\n".join(lines) + "\n"


def _told(normalisation: str) -> str:
    if from_run.STATISTICS in from_run.states(normalisation):
        return (
            "*No adaptation* is normalised by source images, *support statistics* by the support set without a step, "
            "*adapted* takes the steps."
        )
    return "*Adapted* takes the steps."
