"""The table: accuracy of every model with its intervals, beside what was published where that can be compared."""

from typing import Any

import numpy as np

from experiments.omniglot.data import FULL
from experiments.omniglot.recipes import NAMES, PUBLISHED, STATISTICS
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.intervals import bootstrap, paired_difference


def rows(answers: dict[tuple[str, str, str], np.ndarray], groups: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """What the models of every cell, learner and normalisation are worth.

    Args:
        answers: by (cell, learner, normalisation), which queries were classified as they should be, bool
            `(seeds, episodes, queries)`.
        groups: by cell, the group of characters of each episode.

    Returns:
        JSON-able rows: the mean accuracy and its interval over seeds and whole groups of characters; `published_way`,
        1.96 standard deviations over the root of the number of episodes, the mean over seeds; each seed's mean; the
        difference to MAML on the same resamples.
    """
    found = []
    for (cell, learner, normalisation), correct in answers.items():
        flat, labels, clusters = _flat(correct, groups[cell])
        interval = bootstrap(labels, flat, clusters, metric="accuracy")
        by_episode = correct.mean(axis=2)
        naive = float(np.mean(1.96 * by_episode.std(axis=1) / np.sqrt(by_episode.shape[1])))
        row = {"task": cell, "learner": learner, "normalisation": normalisation}
        row |= {
            "accuracy": interval.as_json(),
            "published_way": naive,
            "seeds": correct.mean(axis=(1, 2)).tolist(),
            "episodes": correct.shape[1],
        }
        baseline = answers.get((cell, "maml", normalisation))
        row["minus_maml"] = None
        if learner != "maml" and baseline is not None:
            other = _flat(baseline, groups[cell])[0]
            row["minus_maml"] = paired_difference(labels, flat, other, clusters, metric="accuracy").as_json()
        found.append(row)
    return found


def _flat(correct: np.ndarray, groups: np.ndarray):
    """A right answer as a sure hit of a positive, so that `accuracy` counts it; and the group of every query."""
    scores = correct.reshape(len(correct), 1, -1).astype(float)
    return scores, np.ones(scores.shape[-1], int), np.repeat(groups, correct.shape[2])


def incomparable(config: dict[str, Any], data: dict[str, Any]) -> str:
    """Why published numbers cannot stand beside those of a run; "" if they can."""
    if (data["characters"], data["drawings"]) != FULL:
        return f"not comparable: {data['characters']} characters"
    if config["split"] != "characters":
        return "not comparable: official halves"
    if not config["turns"]:
        return "not comparable: no turns"
    return "not comparable: validation characters" if config["judged_on"] != "test" else ""


def departures(config: dict[str, Any]) -> str:
    """In what the training of a run is less than the published one, or otherwise; "" if in nothing."""
    found = [f"{config['width']} filters instead of 64"] if config["width"] != 64 else []
    found += [f"at most {config['iterations']:,} outer steps"] if config["iterations"] else []
    found += [f"at most {config['tasks']} tasks in a meta-batch"] if config["tasks"] else []
    if config["protonet_ways"] != 60 and "protonet" in config["learners"]:
        found.append(f"ProtoNet trained on {config['protonet_ways']} ways instead of 60")
    found += [f"an inner rate of {config['inner_lr']:g}"] if config["inner_lr"] else []
    return ", ".join(found)


def table(report: dict[str, Any]) -> str:
    """The report as Markdown: both normalisations side by side, then how it was made."""
    config, reason = report["config"], incomparable(report["config"], report["data"])
    kinds = [kind for kind in STATISTICS if kind in config["normalisations"].split(",")]
    names = ["task", "learner"]
    for kind in kinds:
        published = "published, trained in full" if departures(config) else "published"
        names += [f"{STATISTICS[kind]} [95 %]", "± over episodes", published]
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    by_model: dict[tuple[str, str], dict[str, Any]] = {}
    for row in report["rows"]:
        by_model.setdefault((row["task"], row["learner"]), {})[row["normalisation"]] = row
    for (cell, learner), row in by_model.items():
        ways, shots = cell.split("x")
        cells = [f"{ways}-way {shots}-shot", NAMES[learner]]
        for kind in kinds:
            if kind not in row:
                cells += ["-", "-", "-"]
                continue
            known = PUBLISHED[learner].get(kind, {}).get(cell, "-")
            cells += [
                _percent(row[kind].get("accuracy")),
                f"{row[kind]['published_way']:.1%}",
                known if known == "-" else reason or known,
            ]
        lines.append("| " + " | ".join(cells).replace("%", "") + " |")
    return "\n".join([*lines, "", *_differences(report, kinds), _made(report)])


def _percent(found: dict[str, float] | None, spec: str = ".1%") -> str:
    return format(Interval.from_json(found), spec)


def _differences(report: dict[str, Any], kinds: list[str]) -> list[str]:
    lines = []
    for cell in dict.fromkeys(row["task"] for row in report["rows"]):
        for kind in kinds:
            parts = [
                f"{NAMES[row['learner']]} {_percent(row['minus_maml'], '+.1%')}".replace("%", "")
                for row in report["rows"]
                if (row["task"], row["normalisation"]) == (cell, kind) and row["minus_maml"]
            ]
            if parts:
                lines.append(f"Minus MAML, {cell.replace('x', '-way ')}-shot, {STATISTICS[kind]}: {'; '.join(parts)}.")
    return [*lines, ""] if lines else []


def _made(report: dict[str, Any]) -> str:
    config, data = report["config"], report["data"]
    episodes = {row["task"]: row["episodes"] for row in report["rows"]}
    judged = " and ".join(str(count) for count in dict.fromkeys(episodes.values()))
    counts = ", ".join(f"{count:,} {name}" for name, count in data["split"].items())
    less = departures(config)
    seeds = f"{config['seeds']} seed{'s' if config['seeds'] > 1 else ''}"
    text = (
        f"Accuracy in per cent, {seeds}, the same {judged} {config['judged_on']} episodes for all. "
        f"{data['characters']:,} characters: {counts}. Intervals resample seeds and whole groups of characters that "
        "were tested together; ± over episodes is 1.96 standard deviations over the root of their number, as published."
    )
    return text + (f" Trained otherwise than published: {less}." if less else " Trained as long as published.")
