"""A saved detector as something to adapt again: it has no optimizer, no log and no source images, but its rule."""

import dataclasses
from pathlib import Path
from typing import Any

from metaforge import runs
from metaforge.errors import InputError
from metaforge.learners.spec import LearnerSpec
from metaforge.objectives.spec import ObjectiveSpec
from metaforge.screening import Detector, from_run, load_detector
from metaforge.training import learner_choice, trainable
from metaforge.training.config import AdaptSpec, Config


def load(directory: str | Path, *, weights: str = "") -> from_run.FinishedRun:
    """A finished training run, or a saved detector in the form of one.

    Args:
        directory: of either.

    Other Arguments:
        weights: where the file is on which a detector stands; where it was when it was saved if left out.

    Raises:
        InputError: when it is neither, or damaged; for a detector that adapts by what its learner knew, or that was
            saved without a rule.
    """
    found = runs.read_config(directory) or {}
    if "detector" not in found:
        if weights:
            raise InputError(f"--weights: '{directory}' is a training run, which knows its weights. Leave them out.")
        return from_run.load_run(directory)
    detector = load_detector(directory, weights=weights)
    about = detector.about
    if learner_choice.adapts_itself(about.get("learner")):
        raise InputError(
            f"run: the detector in '{directory}' has not kept how {about['learner']} adapts. Give its run."
        )
    if "rule" not in about:
        raise InputError(f"run: the detector in '{directory}' was saved without a rule to adapt it by. Give its run.")
    try:
        config, rule = _as_config(detector)
        config.check()
        trainable.check(config, detector.params)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(
            f"run: config.json in '{directory}' is damaged ({error}). Give the run, or adapt it."
        ) from None
    params, frozen = trainable.part(config, detector.params)
    kept = about.get("weights", {}).get("sha256", "")
    return from_run.FinishedRun(
        config, params, rule, detector.context, frozen, kept, called="detector", before=about, prior=detector.prior
    )


def _as_config(detector: Detector) -> tuple[Config, dict[str, Any]]:
    """A detector in a run's words, and its rule."""
    said = detector.about["rule"]
    rule = {"optimizer": str(said["optimizer"]), "rate": float(said["rate"]), "steps": int(said["steps"])}
    # Whatever trained it, what is left is a model and the steps that it takes.
    learner = LearnerSpec(name="erm", adaptable=said["adaptable"], trainable=said["trainable"])
    objective = ObjectiveSpec(name="fakeradar" if detector.spec.num_classes == 3 else "cross_entropy")
    model = dataclasses.replace(detector.spec, num_classes=2)
    closed = rule["optimizer"] == "discriminant"
    adapt = AdaptSpec(rule="discriminant") if closed else AdaptSpec(optimizer=rule["optimizer"])
    return Config(model=model, learner=learner, objective=objective, adapt=adapt), rule
