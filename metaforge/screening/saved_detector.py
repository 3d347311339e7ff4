"""A saved detector as something to adapt again: it has no optimizer, no log and no source images, but its rule."""

from pathlib import Path
from typing import Any

from metaforge import runs
from metaforge.errors import InputError
from metaforge.screening import from_run, load_detector
from metaforge.training import learner_choice, trainable
from metaforge.training.config import Config


def load(directory: str | Path, *, weights: str = "") -> from_run.Trained:
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
        config, rule = _as_config(about, weights or about.get("weights", {}).get("source", ""))
        config.check()
        trainable.check(config, detector.params)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(
            f"run: config.json in '{directory}' is damaged ({error}). Give the run, or adapt it."
        ) from None
    params, frozen = trainable.part(config, detector.params)
    kept = about.get("weights", {}).get("sha256", "")
    return from_run.Trained(config, params, rule, detector.context, frozen, kept, called="detector", before=about)


def _as_config(about: dict[str, Any], source: str) -> tuple[Config, dict[str, Any]]:
    """What a detector says of itself, in a run's words, and its rule."""
    names = ("width", "normalisation", "image_size", "backbone", "variant", "precision", "neck", "head")
    rule = {"optimizer": str(about["rule"]["optimizer"]), "rate": float(about["rule"]["rate"]),
            "steps": int(about["rule"]["steps"])}  # fmt: skip
    config = Config(
        # Whatever trained it, what is left is a model and the steps that it takes.
        learner="erm",
        weights=source,
        objective="fakeradar" if about.get("num_classes", 2) == 3 else "cross_entropy",
        adapts=about["rule"]["adapts"],
        trains=about["rule"]["trains"],
        finetune_optimizer=rule["optimizer"],
        **{name: type(getattr(Config(), name))(about[name]) for name in names if name in about},
    )
    return config, rule
