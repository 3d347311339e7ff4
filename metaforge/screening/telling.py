"""What `metaforge predict` would tell of test images: before adapting, and after each of several support sets."""

from typing import Any, NamedTuple

import numpy as np

from metaforge.data.domains import TestSplit
from metaforge.evaluation.calibration import Judge
from metaforge.evaluation.calibration.judge import probability
from metaforge.screening import closed_form, from_run
from metaforge.screening.finished_run import FinishedRun
from metaforge.training import meta_test


class Told(NamedTuple):
    """What is told of the same images after each of several draws.

    Attributes:
        ranked: by what a detector ranks them, before it doubts what is unfamiliar: logits, or the network's own
            probabilities. `(1, draws, images)`; a state without a draw has one.
        said: p(fake) as `predict` prints it: calibrated and with doubt where the detector has a judge, and else what
            the network gives. Of the same shape.
        threshold: above it the detector says "fake"; `None` for one that is not calibrated, and decides at 0.5.
    """

    ranked: np.ndarray
    said: np.ndarray
    threshold: float | None = None


def over_draws(
    trained: FinishedRun, support: tuple[Any, np.ndarray], test: TestSplit, *,
    rule: str, shots: int, draws: int, seed: int, rate: float = 0.0, steps: int = 0,
    pairs: np.ndarray | None = None, unlabelled: np.ndarray | None = None,
) -> dict[str, Told]:  # fmt: skip
    """What is told of the test images in each state that a model has (`from_run.states`).

    Args:
        trained: the run, or a saved detector.
        support: images and labels to draw from; they share nobody with the test images.
        test: what is judged.

    Other Arguments:
        rule: as of `closed_form.rule_of`.
        shots: support images per class.
        draws: how many support sets.
        seed: which.
        rate: as in `from_run.scores_over_draws`.
        steps: as there.
        pairs: as there.
        unlabelled: as there.
    """
    drawing: dict[str, Any] = {"shots": shots, "draws": draws, "seed": seed}
    if rule not in closed_form.RULES:
        # Where heads are not in closed form nothing is calibrated.
        given = {"rate": rate, "steps": steps, "rule": rule, "pairs": pairs}
        found = from_run.scores_over_draws(trained, support, test, **given, **drawing)
        return {state: Told(scores[None], scores[None]) for state, scores in found.items()}
    from_run.refuse_rule(trained.config, rate=rate, steps=steps, rule=rule)
    images, labels = support
    plain = from_run.detector(trained)
    judge, known = plain.judge, plain.prior is not None
    seen = test.score(lambda some: np.stack([part for part in plain.examine(some) if part is not None], axis=1))
    logits, distances = seen[:, 0], seen[:, 1] if known else None
    rows = [
        meta_test.support_rows(labels, shots=shots, seed=seed, draw=draw, pairs=pairs) for draw in range(draws)
    ]  # fmt: skip
    after = closed_form.logits_of(trained, rule, images, labels, rows, test, pairs=pairs, unlabelled=unlabelled)
    judges: list[Judge | None] = [None] * draws  # the whitened direction's logits have a scale of their own
    if judge is not None and rule == "discriminant":
        made, calibration = closed_form.embedder(trained), plain.about["calibration"]
        beside = [] if unlabelled is None else [made(unlabelled)]
        reals = [drawn[labels[drawn] == 0] for drawn in rows]
        every = np.unique(np.concatenate(reals))
        features = made(np.asarray(images[every]))
        judges = [
            Judge.from_json(
                closed_form.familiar(
                    trained, calibration, np.concatenate([features[np.searchsorted(every, drawn)], *beside])
                )
            )
            for drawn in reals
        ]
    told = np.stack([_said(each, distances, one) for each, one in zip(after, judges, strict=True)])
    return {
        from_run.UNADAPTED: Told(logits[None, None], _said(logits, distances, judge)[None, None], _threshold(judge)),
        from_run.ADAPTED: Told(after[None], told[None], _threshold(judges[0])),
    }


def _said(logits: np.ndarray, distances: np.ndarray | None, judge: Judge | None) -> np.ndarray:
    if judge is None:
        return probability(logits)
    return probability(judge.weigh(logits, None if judge.familiarity is None else distances)[1])


def _threshold(judge: Judge | None) -> float | None:
    return None if judge is None else judge.bands.fake_above
