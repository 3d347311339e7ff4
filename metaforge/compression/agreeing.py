"""What a teacher and its student say of the same people."""

from typing import Any

import numpy as np

from metaforge.evaluation import people as of_people
from metaforge.evaluation.calibration.judge import probability

RESAMPLES = 1000
"""Of people, for intervals."""


def compared(
    teacher: np.ndarray, student: np.ndarray, people: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, Any]:
    """JSON-able: how often both are on the same side, how far apart they are, and with labels the AUC of both.

    Args:
        teacher: calibrated logits, `(images,)`.
        student: likewise.
        people: who is on each image; intervals of 95 % resample them.
        labels: 0 for real and 1 for fake, if they are known.

    Example:
        >>> said = np.array([-1.0, 2.0, 3.0, -2.0])
        >>> found = compared(said, said, np.array(["a", "a", "b", "b"]))
        >>> found["agreement"]["value"], found["kl"]["value"]
        (1.0, 0.0)
    """
    weights = of_people.People(people, resamples=RESAMPLES, seed=[0]).weights(people)
    mean = lambda values: of_people.interval(of_people.mean(values.astype(np.float64), weights))
    found: dict[str, Any] = {
        "images": len(people),
        "people": len(np.unique(people)),
        "agreement": mean((teacher > 0) == (student > 0)),
        "kl": mean(divergence(teacher, student)),
    }
    if labels is not None and len(np.unique(labels)) == 2:
        both = [of_people.auc(labels, logits, weights) for logits in (teacher, student)]
        found |= {"auc_teacher": of_people.interval(both[0]), "auc_student": of_people.interval(both[1])}
        found["auc_gained"] = of_people.interval(both[1] - both[0])
    return found


def divergence(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    r"""$\mathrm{KL}(p \,\|\, q)$ of two probabilities of being fake, from their logits, in nats.

    Example:
        >>> print(divergence(np.array([0.0]), np.array([np.log(3.0)])).round(4))
        [0.1438]
    """
    fake = probability(teacher)
    # log p - log q of both sides, from logits, so that nothing is lost near 0 and 1.
    sides = [(fake, 1.0), (1 - fake, -1.0)]
    log = lambda logits, sign: -np.logaddexp(0.0, -sign * np.asarray(logits, np.float64))
    return np.maximum(sum(share * (log(teacher, sign) - log(student, sign)) for share, sign in sides), 0.0)


def markdown(report: dict[str, Any]) -> str:
    """The table of a report, for a terminal."""
    before, after, held = report["before"], report["after"], report["held_out"]
    rows = [("", "before", "after")]
    rows += [
        (name, f"{before[key] / unit:.2f}", f"{after[key] / unit:.2f}")
        for name, key, unit in (
            ("parameters, million", "parameters", 1e6),
            ("multiply-adds, million", "multiply_adds", 1e6),
            ("ONNX, MB", "onnx_bytes", 1e6),
        )
        if key in before and key in after
    ]
    show = lambda one: f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"
    if held and "auc_teacher" in held:
        rows.append(("AUC", show(held["auc_teacher"]), show(held["auc_student"])))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|---|---|---|")
    if held:
        who = f"{held['images']} images of {held['people']} people that were not learned from"
        lines += ["", f"On {who}: same side {show(held['agreement'])}, KL {show(held['kl'])} nats."]
    return "\n".join(lines)
