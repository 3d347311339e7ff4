"""What adapting to a target domain is worth: the same support sets and test images for every method."""

import hashlib
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

import metaforge as mf
from metaforge.backbones import without_words
from metaforge.data.domains import TestSplit
from metaforge.data.files import ImageFiles
from metaforge.errors import InputError
from metaforge.screening import Detector, closed_form, score
from metaforge.screening.finished_run import FinishedRun, load_run
from metaforge.training import (
    build,
    learner_choice,
    meta_test,
    source_prior,
    trainable,
)
from metaforge.training.config import Config

DEALT = 256
"""Images that normalise each other where scores depend on the batch: at most so many, dealt at random by a fixed seed.
One batch of a whole test split would take all of its activations at once."""


__all__ = ["FinishedRun", "detector", "load_run", "refuse_rule", "scores", "scores_over_draws", "states"]

UNADAPTED, STATISTICS, ADAPTED = "not adapted", "support statistics", "adapted"


def states(normalisation: str) -> tuple[str, ...]:
    """The states in which a model of a normalisation is judged, from the one that knows least of the target.

    "not adapted" uses nothing of the target. "support statistics" is normalised by the support set and takes no step,
    so that what normalisation does is told apart from what learning does: where the images at hand normalise
    themselves, or none normalises another, it would be "not adapted" under a second name, and is none. "adapted" is
    normalised as the model is, and takes the steps.
    """
    return (UNADAPTED, STATISTICS, ADAPTED) if normalisation == "support" else (UNADAPTED, ADAPTED)


def states_of(trained: FinishedRun) -> tuple[str, ...]:
    """The states of a run. Under its own head in closed form its source goes on normalising, which leaves out one."""
    if trained.prior is not None:
        return (UNADAPTED, ADAPTED)
    return states(trained.config.model.normalisation)


def detector(trained: FinishedRun, *, support: np.ndarray | None = None, labels: np.ndarray | None = None,
             rate: float = 0.0, steps: int = 0, rule: str = "", pairs: np.ndarray | None = None,
             unlabelled: np.ndarray | None = None) -> Detector:  # fmt: skip
    """The run's detector: adapted on a support set, or, with none, as it was trained.

    Args:
        trained: the run.

    Other Arguments:
        support: uint8 images `(examples, size, size, 3)`.
        labels: their labels, `(examples,)`.
        rate: the rate of adaptation, 0 for the run's own choice at so many steps.
        steps: its steps, 0 for the run's own choice.
        rule: "steps" or one of `closed_form.RULES`; the run's own if left out.
        pairs: of a head in closed form: which support images belong together (`closed_form.pairs_of`).
        unlabelled: of a head in closed form: real images of the target beside the support set.
    """
    config, params, context = trained.config, trained.params, trained.context
    about: dict[str, Any] = {"learner": config.learner.name, "adaptation": "none", "crop": trained.crop}
    about |= {name: trained.before[name] for name in ("learner", "adaptation", "seen") if name in trained.before}
    if trained.weights:
        about["weights"] = {"sha256": trained.weights, "trainable": config.learner.trainable}
    itself = learner_choice.adapts_itself(config.learner.name)
    if not itself and trained.rule:
        patterns = {"adaptable": learner_choice.moving(config), "trainable": config.learner.trainable}
        about["rule"] = {name: trained.rule[name] for name in ("optimizer", "rate", "steps")} | patterns
    rule = closed_form.rule_of(trained, rule)
    refuse_rule(config, rate=rate, steps=steps, rule=rule)
    if support is not None:
        closed_form.refuse_again(trained, rule)
    # Of a detector that was adapted before, the head is the one that it was saved with.
    first = None if trained.called else closed_form.source_head(trained)
    # The whitened direction has a scale of its own, to which nothing was fitted.
    if trained.prior is not None and "calibration" in trained.before and (support is None or rule != "whitened"):
        about["calibration"] = trained.before["calibration"]
    whole = lambda moved: trainable.whole(moved, trained.frozen)
    if support is None or rule in closed_form.RULES:
        params = whole(build.learner(config).model(params))
    if support is None:
        params = params if first is None else source_prior.with_head(params, first)
    elif rule in closed_form.RULES:
        # Source images go on normalising: the prior is of embeddings that they normalise.
        made, support = closed_form.embedder(trained), np.asarray(support)
        beside = None if unlabelled is None else made(unlabelled)
        seen = made(support)
        found = closed_form.head(trained, rule, seen, np.asarray(labels), pairs=pairs, unlabelled=beside)
        params = source_prior.with_head(params, found)
        if "calibration" in about:
            reals = [seen[np.asarray(labels) == mf.REAL], *([] if beside is None else [beside])]
            about["calibration"] = closed_form.familiar(trained, about["calibration"], np.concatenate(reals))
        more = "" if unlabelled is None else f" and {len(unlabelled)} without labels"
        about["adaptation"] = f"{rule} of {len(support)} images{more}"
        # What it has learned from without labels is not tested on either.
        learned = [*digests(support), *digests(() if unlabelled is None else unlabelled)]
        about["seen"] = sorted({*about.get("seen", ()), *learned})
    else:
        rate, steps = rate or meta_test.rate_at(trained.rule, steps)[0], steps or trained.rule["steps"]
        batch = mf.Batch(jnp.asarray(support), jnp.asarray(labels, jnp.int32))
        params = meta_test.start(config, params)
        key = meta_test.rule_key(config)
        params = whole(meta_test.adapt_params(params, batch, rate, steps, config=key, frozen=trained.frozen))
        context = np.asarray(support)
        taken = f"{steps} steps of {config.adapt.optimizer} at {rate:g}"
        taken = f"by {config.learner.name} itself" if itself else taken
        about["adaptation"] = taken if about["adaptation"] == "none" else f"{about['adaptation']}, then {taken}"
        # So that whoever adapts it again does not test it on what it has learned from.
        about["seen"] = sorted({*about.get("seen", ()), *digests(context)})
    # Weights of which nothing was kept are no longer behind it. But the statistics of a frozen normalisation began as
    # those of a file, and without its name they would be taken for random ones.
    named = trained.weights or config.model.normalisation == "frozen"
    spec = config.network if named else config.network.unread()
    # What reads captions has said what it had to.
    return Detector(without_words(params), context, spec.alone(), about, trained.prior)


def refuse_rule(config: Config, *, rate: float, steps: int, rule: str = "steps") -> None:
    """Holds a rate and a number of steps that somebody asked for, 0 for none, against the learner and the rule.

    Raises:
        InputError: for a learner that adapts by itself, or a rule in closed form.
    """
    if rule in closed_form.RULES and (rate or steps):
        raise InputError(f"--rate, --steps: the rule '{rule}' takes no steps. Leave them out.")
    if learner_choice.adapts_itself(config.learner.name) and (rate or steps):
        raise InputError(f"--rate, --steps: {config.learner.name} adapts as it has learned to. Leave them out.")


def digests(images: Iterable[np.ndarray]) -> list[str]:
    """What a detector remembers each of its support images by: 64 bits of the SHA-256 of its pixels."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16] for image in images]


def scores(trained: FinishedRun, detector: Detector, test: TestSplit) -> np.ndarray:
    """A detector's scores of a test set, by the run's own normalisation; transductive ones by `DEALT`."""
    context = None if trained.transductive else detector.context
    scorer = lambda images: score(build.model(trained.config).apply, detector.params, images, context=context)
    return test.score(scorer, batch=DEALT, deal=0) if trained.transductive else test.score(scorer)


def scores_over_draws(
    trained: FinishedRun,
    support: tuple[np.ndarray | ImageFiles, np.ndarray],
    test: TestSplit,
    *,
    shots: int,
    draws: int,
    seed: int,
    rate: float = 0.0,
    steps: int = 0,
    rule: str = "",
    pairs: np.ndarray | None = None,
    unlabelled: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Scores of the test images in the states that a model has (`states`), over repeated draws of the support set.

    Args:
        trained: the run.
        support: images and labels to draw from; they share nobody with the test images.
        test: what is judged.

    Other Arguments:
        shots: support images per class.
        draws: how many support sets.
        seed: which support sets.
        rate: the rate of adaptation, 0 for the run's own choice at so many steps.
        steps: its steps, 0 for the run's own choice.
        rule: as in `detector`.
        pairs: numbers that a fake and its real image share; whole pairs are drawn then.
        unlabelled: as in `detector`.

    Returns:
        State to float64 scores `(draws, images)`; of "not adapted" there is one draw.
    """
    images, labels = support  # files are read when a support set has been drawn
    plain = detector(trained)
    unadapted = scores(trained, plain, test)
    found: dict[str, list] = {state: [] for state in states(trained.config.model.normalisation)}
    found[UNADAPTED].append(unadapted)
    drawn_rows = [
        meta_test.support_rows(labels, shots=shots, seed=seed, draw=draw, pairs=pairs) for draw in range(draws)
    ]
    rule = closed_form.rule_of(trained, rule)
    if rule in closed_form.RULES:
        refuse_rule(trained.config, rate=rate, steps=steps, rule=rule)
        adapted = closed_form.scores_of(
            trained, rule, images, labels, drawn_rows, test, pairs=pairs, unlabelled=unlabelled
        )
        return {UNADAPTED: unadapted[None], ADAPTED: adapted}
    for rows in drawn_rows:
        drawn = np.asarray(images[rows])
        adapted = detector(trained, support=drawn, labels=labels[rows], rate=rate, steps=steps, rule=rule)
        if STATISTICS in found:
            found[STATISTICS].append(scores(trained, plain._replace(context=drawn), test))
        found[ADAPTED].append(scores(trained, adapted, test))
    return {state: np.stack(values) for state, values in found.items()}
