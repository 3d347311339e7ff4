"""What the scores of test films are worth, and the report for people."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.fakeradar.clips.films import Films
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.intervals import bootstrap, paired_difference
from metaforge.evaluation.joint import joint_bootstrap
from metaforge.evaluation.targets import Target


def judge(films: Films, scores: dict[str, np.ndarray], methods: Sequence[str]) -> dict[str, Any]:
    """The AUC of films of each method, forged and real, and the mean over the methods, with intervals over people.

    Args:
        films: the test films.
        scores: log-odds by row, shape `(seeds, 1, films)`.
        methods: which.
    """
    found: dict[str, Any] = {"methods": {}}
    targets: dict[str, dict] = {row: {} for row in scores}
    for name in methods:
        of = films.method == name
        label, people = films.label[of], films.identity[of]
        some = {row: values[..., of] for row, values in scores.items()}
        one: dict[str, Any] = {
            "auc": {row: one.as_json() for row, one in bootstrap(label, some, people).items()},
            "films": int(of.sum()),
            "people": len(set(people.tolist())),
        }
        if "full" in some:
            one["full_minus_binary"] = paired_difference(label, some["full"], some["binary"], people).as_json()
        found["methods"][name] = one
        for row, values in some.items():
            targets[row][name] = Target(label, values, people)
    found["auc"] = {row: joint_bootstrap(them).as_json() for row, them in targets.items()}
    if "full" in scores:
        both = {name: one._replace(baseline=targets["binary"][name].scores) for name, one in targets["full"].items()}
        found["full_minus_binary"] = joint_bootstrap(both).as_json()
    return found


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    config, where, films = report["config"], report["provenance"], report["films"]
    rows = list(report["unseen"]["auc"])
    many = {name: "s" * (config[name] > 1) for name in ("clips", "seeds")}
    seen = (
        f"{report['steps']} steps of {config['batch']} clips of {config['frames']} frames of {config['image_size']} "
        f"pixels; {films['train']['films']} films of {films['train']['people']} people to train on, "
        f"{films['test']['films']} of {films['test']['people']} others to test on."
    )
    judged = (
        f"AUC of films, by the mean log-odds of {config['clips']} clip{many['clips']} of each; mean and 95 % interval "
        f"over {config['seeds']} seed{many['seeds']} and the people in the test films. Nothing was chosen on unseen "
        "methods."
    )
    lines = [
        "# FakeRadar on clips of films",
        "",
        f"`{report['command']}`, commit {where['commit']}, {where['date']}, jax {where['jax']} on {where['device']}.",
        f"Data: {report['data']}; these numbers say nothing about published deepfakes.",
        seen,
        judged,
        "",
        f"| methods | {' | '.join(rows)} | full minus binary |",
        "|---" * (2 + len(rows)) + "|",
    ]
    for part in ("unseen", "seen"):
        found = report[part]
        lines.append(_line(f"**{part}, mean**", found, rows))
        lines += [_line(name, one, rows) for name, one in found["methods"].items()]
    seconds = "; ".join(f"{row} {value:.1f}" for row, value in report["seconds_a_step"].items())
    lines += ["", f"Seconds a step: {seconds}. Trained numbers: "
              + "; ".join(f"{row} {count:,}" for row, count in report["trained"].items()) + "."]  # fmt: skip
    return "\n".join(lines) + "\n"


def _line(name: str, found: dict[str, Any], rows: Sequence[str]) -> str:
    difference = found.get("full_minus_binary")
    last = f"{Interval.from_json(difference):+.3f}" if difference else ""
    return f"| {name} | " + " | ".join(f"{Interval.from_json(found['auc'][row]):.3f}" for row in rows) + f" | {last} |"
