"""FakeRadar's ablation: tri-training on source domains, judged on a kind of forgery that nobody has seen.

    python -m experiments.fakeradar --workdir=runs/fakeradar --target=swap
    python -m experiments.fakeradar --workdir=runs/fakeradar --target=all

Trains every row of the table on the same images with several seeds, and prints AUC on the held-out method with a 95 %
interval and the paired difference to the binary classifier. Nothing is adapted, and nothing is chosen on the held-out
method. `--target=all` holds every method out in turn. Called again, it goes on.
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from experiments import _setup, _tri
from experiments._progress import progress
from experiments._tri_config import Config
from experiments.demo import provenance
from metaforge.commands import launch, setting, start
from metaforge.data.domains import TestSplit
from metaforge.errors import InputError
from metaforge.evaluation.intervals import Interval, Target, bootstrap, paired_difference
from metaforge.evaluation.joint import joint_bootstrap
from metaforge.forgeries import FORGERIES
from metaforge.runs import Run, write_json


@dataclasses.dataclass(frozen=True)
class Options:
    """What to hold out, and where to."""

    workdir: str = setting("runs/fakeradar", "Where runs, report and figures go.")
    target: str = setting("swap", "The forgery method held out, or 'all' for each in turn.")


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Trains, judges, and returns the report."""
    config.check()
    targets = list(FORGERIES) if options.target == "all" else [options.target]
    for target in targets:
        _setup.methods(config.images(holdout=target))
    rows = rows_of(config)
    workdir = Path(options.workdir)
    Run(workdir, {"target": options.target, **dataclasses.asdict(config)}, passing=("target", *_PASSING))
    scores, tests = {}, {}
    with progress("fakeradar", len(targets) * len(rows) * config.seeds, unit="model", quiet=quiet) as bar:
        for target in targets:
            tests[target], scores[target] = hold_out(target, workdir / target, rows, config, bar.update)
    report = {
        "command": " ".join(["python -m experiments.fakeradar", f"--target={options.target}", *_unusual(config)]),
        "config": dataclasses.asdict(config),
        "data": f"forgery domains synthesised from real faces ({config.faces})",
        "provenance": provenance(),
        "targets": {target: judge(tests[target], scores[target]) for target in targets},
    }
    if len(targets) > 1:
        report["mean"] = over_targets(tests, scores, rows)
    write_json(workdir / "report.json", report)
    (workdir / "report.md").write_text(markdown(report))
    return report


def rows_of(config: Config) -> list[str]:
    """The rows of the table that are asked for; the binary classifier is what all are compared with."""
    asked = list(_tri.ROWS) if config.rows == "all" else [name.strip() for name in config.rows.split(",")]
    for name in asked:
        if name not in _tri.ROWS:
            raise InputError(f"--config.rows: unknown '{name}'; known: {', '.join(_tri.ROWS)}, all.")
    return asked if "binary" in asked else [*asked, "binary"]


def hold_out(target: str, folder: Path, rows: list[str], config: Config, tick) -> tuple[TestSplit, dict]:
    """Every row and seed, trained without the target: the target's test images, and scores `(seeds, 1, images)`."""
    images = config.images(holdout=target)
    methods, _ = _setup.methods(images)
    source = _tri.data(config, _setup.records(images, split="train"), methods)
    validation = _tri.data(config, _setup.records(images, split="validation"), methods)
    test, scores, seen = _setup.test_split(images), {}, {}
    for row in rows:
        found = []
        for seed in range(config.seeds):
            cell = Run(folder / f"{row.replace(' ', '_')}-seed{seed}", {"row": row, "seed": seed, **_identity(config)})
            params = _tri.train(config, row, seed, source, validation, methods, cell)
            score = _tri.programs(config, row, 1 + len(methods)).score

            def scorer(images, params=params, score=score):
                # A frozen network says the same of an image whoever asks.
                name = hashlib.sha256(images).digest()
                if name not in seen:
                    seen[name] = _tri.features(config, images)
                return 1.0 / (1.0 + np.exp(-np.asarray(score(params, seen[name])[0], np.float64)))

            found.append(test.score(scorer)[None])
            tick()
        scores[row] = np.stack(found)
    return test, scores


def judge(test: TestSplit, scores: dict[str, np.ndarray]) -> dict[str, Any]:
    """AUC of every row with its interval, and its paired difference to the binary classifier."""
    differences = {
        row: paired_difference(test.label, values, scores["binary"], test.identity)._asdict()
        for row, values in scores.items() if row != "binary"
    }  # fmt: skip
    return {
        "auc": {row: found._asdict() for row, found in bootstrap(test.label, scores, test.identity).items()},
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
        return joint_bootstrap(targets)._asdict()

    return {
        "auc": {row: mean(row, None) for row in rows},
        "minus_binary": {row: mean(row, "binary") for row in rows if row != "binary"},
    }


def table(report: dict[str, Any]) -> str:
    """Row x {AUC, difference to the binary classifier}."""
    lines = ["| row | AUC | minus binary |", "|---|---|---|"]
    for row, found in report["auc"].items():
        difference = report["minus_binary"].get(row)
        last = f"{Interval(**difference):+.3f}" if difference else ""
        lines.append(f"| {row} | {Interval(**found):.3f} | {last} |")
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
    if "mean" in report:
        lines += ["", f"## Mean over the {len(report['targets'])} held-out methods", "", table(report["mean"])]
    for target, one in report["targets"].items():
        lines += ["", f"## Held out: {target}", "", table(one)]
        lines += ["", f"{one['test_images']} test images of {one['test_people']} photographs or people."]
    return "\n".join(lines) + "\n"


_PASSING = ("seeds", "rows")
"""What asks for more or fewer models, and changes none."""


def _identity(config: Config) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in _PASSING}


def _unusual(config: Config) -> list[str]:
    default = dataclasses.asdict(Config())
    return [f"--config.{n}={v}" for n, v in dataclasses.asdict(config).items() if v != default[n]]


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> None:
        run(options, config)
        print("\n" + (Path(options.workdir) / "report.md").read_text())
        print(f"Wrote {options.workdir}/report.json and report.md.")

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
