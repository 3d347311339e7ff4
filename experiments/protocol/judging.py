"""From the scores of a cell to what its report says of them: metrics, intervals, gains, and each method alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.protocol.target_images import TargetImages
from metaforge.data.domains import TestSplit, clusters
from metaforge.evaluation.intervals import bootstrap, paired_difference, paired_p
from metaforge.evaluation.metrics import per_method
from metaforge.evaluation.multiple import holm
from metaforge.evaluation.protocols import Cell, Protocol
from metaforge.evaluation.video_level import video_scores

LEARNERS = ("maml", "daml", "erm")


def judged(
    protocol: Protocol, cell: Cell, target: TargetImages, scores: Mapping[str, np.ndarray],
    rules: Mapping[str, list[dict[str, Any]]], *, level: str,
) -> dict[str, Any]:  # fmt: skip
    """One cell of the table: every method's metrics with intervals, and the gains on the same draws.

    Args:
        protocol: the table.
        cell: of it.
        target: the cell's.
        scores: by "learner, state", shape `(seeds, draws, images)`.
        rules: by learner, what each seed's model adapts by; in "thresholds" what was fitted for its states.

    Other Arguments:
        level: "frame" or "video": what is one row of a metric.

    Returns:
        JSON-able.
    """
    test = target.test
    labels, of_whom = test.label, clusters(test)
    by_forgery = {name: {forgery: float(np.mean(value)) for forgery, value in
                         per_method(labels, values, test.method, "auc").items()}
                  for name, values in scores.items()}  # fmt: skip
    if level == "video":
        labels, of_whom, scores = by_video(test, of_whom, scores)
    metrics = list(dict.fromkeys([*protocol.metrics, "eer", "nll"]))
    found = bootstrap(labels, scores, of_whom, metric=metrics)
    pairs = [(f"{learner}, adapted", f"{learner}, not adapted") for learner in LEARNERS]
    pairs += [(f"{learner}, adapted", "erm, adapted") for learner in LEARNERS if learner != "erm"]
    gains = {
        f"{a} minus {b}": {
            "difference": paired_difference(labels, scores[a], scores[b], of_whom).as_json(),
            "p": paired_p(labels, scores[a], scores[b], of_whom),
        }
        for a, b in pairs
    }
    called, lacking = {}, {}
    for name, values in scores.items():
        learner, state = name.split(", ")
        of_seeds = [rule["thresholds"] for rule in rules[learner]]
        if why := [one["lacking"][state] for one in of_seeds if state not in one["fitted"]]:
            lacking[name] = why[0]
            continue
        called[name] = (values > np.array([one["fitted"][state] for one in of_seeds])[:, None, None]).astype(float)
    at_fitted = bootstrap(labels, called, of_whom, metric="accuracy") if called else {}
    return {
        "row": cell.row,
        "column": cell.column,
        "shots": cell.shots,
        "steps": cell.steps if any(one["steps"] for of_seeds in rules.values() for one in of_seeds) else 0,
        "table": {
            name: {m: interval.as_json() for m, interval in row.items()}
            | ({"accuracy_fitted": at_fitted[name].as_json()} if name in at_fitted else {})
            for name, row in found.items()
        },
        "without_threshold": lacking,
        "auc_by_method": by_forgery,
        "auc_gain": gains,
        "tested": {
            "images": len(test),
            "videos": len(set(test.video.tolist())),
            "clusters": len(set(of_whom.tolist())),
        },
        "support": {
            "from": target.origin,
            "images": {name: len(target.pool.rows(label=label)) for label, name in enumerate(("real", "fake"))},
        },
        "published": {
            f"{method}, {metric}": value
            for (method, row, column, metric), value in protocol.published.items()
            if (row, column) == (cell.row, cell.column)
        },
    }


def by_video(test: TestSplit, of_whom: np.ndarray, scores: Mapping[str, np.ndarray]):
    """Labels, clusters and scores with one row a video; videos are told apart by data set, method and name."""
    table = {"labels": test.label, "dataset": "", "method": test.method, "video": test.video}
    found = {name: video_scores(values, **table) for name, values in scores.items()}
    keys = next(iter(found.values())).keys
    person = dict(zip(zip(test.method.tolist(), test.video.tolist(), strict=True), of_whom.tolist(), strict=True))
    of_video = np.array([person[method, video] for _, method, video in keys.tolist()])
    return next(iter(found.values())).labels, of_video, {name: one.scores for name, one in found.items()}


def corrected(cells: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Holm's correction: one test a target and comparison; together they would find something by chance."""
    where = [f"{cell['row']} to {cell['column']}" for cell in cells]
    return {
        name: {
            place: decision._asdict()
            for place, decision in holm(
                {place: cell["auc_gain"][name]["p"] for place, cell in zip(where, cells, strict=True)}
            ).items()
        }
        for name in cells[0]["auc_gain"]
    }
