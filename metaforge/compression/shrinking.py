"""`metaforge prune`: channels out, then the network is tuned until it sees what it saw before."""

import dataclasses
from typing import Any

import jax
import numpy as np

from metaforge.backbones import choice
from metaforge.backbones.features import embed
from metaforge.backbones.levels import STANDARDISE
from metaforge.commands import flags_of
from metaforge.compression import agreeing, images, saving
from metaforge.compression.head import taught_head
from metaforge.compression.options import PruneConfig, PruneOptions
from metaforge.compression.pruning import prune
from metaforge.compression.teaching import Lessons, taught, weights_of
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Calibration, Judge
from metaforge.provenance import provenance
from metaforge.screening import Detector
from metaforge.screening.predicting import detector_in
from metaforge.settings import check_settings
from metaforge.training import source_prior
from metaforge.types import Params
from metaforge.whole import refuse_used

RULE = {"optimizer": "adam", "rate": 1e-3, "steps": 10, "adaptable": "^head/", "trainable": ""}
"""By what `metaforge adapt` moves a detector that has no rule of its own any more; chosen on nothing."""


def run(options: PruneOptions, config: PruneConfig, *, quiet: bool = False) -> dict[str, Any]:
    """Prunes, tunes, judges and saves; returns the report.

    A saved detector holds no labelled images, so its head cannot be fitted to labels again. "taught" makes one in
    closed form that says of the new features what the detector said, calibrated: the thresholds of verdicts stay, and
    the prior goes, which is of features that are no more. "kept" keeps head, prior, calibration and thresholds.

    Raises:
        InputError: for what cannot be pruned or read, before anything is written.
    """
    check_settings(config)
    _check(options, config)
    refuse_used(options.out)
    where = provenance()
    detector = detector_in(options.model, weights=options.weights)
    within: Any = options.within
    spec, params = prune(detector.spec, detector.params, options.share, within=within, multiple=options.multiple)
    choice.check(spec)
    if options.head == "taught" and detector.spec.head != "linear":
        raise InputError(f"--head=taught: it is linear, and the detector's is {detector.spec.head}. Take --head=kept.")
    changed = spec.hidden != ",".join(map(str, choice.plan(detector.spec).widths))
    faces = None
    if options.images:
        faces = images.of_folder(
            options.images, size=spec.image_size, crop=detector.crop, crops=options.crops, share=options.test_share,
            seed=config.teaching.seed, quiet=quiet,
        )  # fmt: skip
    elif config.teaching.steps and changed:
        raise InputError("--images: without images nothing is tuned. Name a folder, or give --teaching.steps=0.")
    how = dataclasses.asdict(options) | dataclasses.asdict(config)
    asked = how | {
        "sha256": faces.digest() if faces else "",
        "hidden": spec.hidden,
        "detector": saving.digest(detector),
    }
    with saving.unfinished(options.out, asked) as kept:
        if faces is not None and changed:
            params = tuned(detector, spec, params, faces.images[~faces.held], config, run=kept, quiet=quiet)
        smaller = detector._replace(spec=spec, params=params, about=_about(detector, options, config, spec.hidden))
        taught_anew = options.head == "taught" and faces is not None and changed
        if taught_anew:
            smaller = _with_taught_head(detector, smaller, faces.images[~faces.held])  # type: ignore[union-attr]
        held = _judged(detector, smaller, faces)
        report = {
            "command": " ".join(["metaforge prune", *flags_of(options, PruneOptions("", "")),
                                 *flags_of(config, PruneConfig())]),
            "config": how, "provenance": where, "hidden": spec.hidden,
            "before": saving.cost_of(detector), "after": saving.cost_of(smaller), "held_out": held,
            "head": "taught" if taught_anew else "kept",
            "calibration": "none" if not detector.judge else "kept" if not taught_anew else
                           "kept: the head learned calibrated logits, under the same thresholds",
        }  # fmt: skip
        saving.save(options.out, smaller, report)
    return report


def _check(options: PruneOptions, config: PruneConfig) -> None:
    """What would be said in the middle of the work, or do nothing."""
    if config.teaching.labels:
        raise InputError(f"--teaching.labels={config.teaching.labels:g}: prune learns from no labels. Leave it out.")
    if options.images and config.teaching.steps:
        weights_of(config.teaching, labels=False)
    images.check_given(options, PruneOptions("", ""))


def tuned(
    detector: Detector, spec: Any, params: Params, seen: np.ndarray, config: PruneConfig, *, run: Any = None,
    quiet: bool = True,
) -> Params:  # fmt: skip
    """Pruned parameters that make of images what the detector makes of them, as far as steps and statistics go.

    Args:
        detector: before it was pruned.
        spec: of the pruned network.
        params: its parameters; the head's move only with `config.teaching.logits`.
        seen: uint8 images; no labels.
        config: how.

    Other Arguments:
        run: where checkpoints go.
        quiet: whether to show no progress.
    """
    context = detector.context if spec.normalisation == "support" else None
    before, after = (choice.choose(one) for one in (detector.spec, spec))
    wanted = embed(before, detector.params, seen, context=context)
    params = jax.tree.map(np.asarray, params)
    if config.teaching.steps:
        logits = detector.examine(seen)[0].astype(np.float32) if config.teaching.logits else None
        lessons = Lessons(seen, logits=logits, features=wanted)
        params = taught(after, params, lessons, config.teaching, run=run, title="tuning", quiet=quiet)
    if STANDARDISE in params:
        params = matched(params, embed(after, params, seen), wanted)
    return params


def matched(params: Params, found: np.ndarray, wanted: np.ndarray) -> Params:
    r"""Levels whose every number has on images the mean and the deviation that another network's has.

    An affine map of each number, which goes into the statistics that standardise: with means $m$ of what is wanted and
    $m'$ of what is found, and deviations $s$ and $s'$, $\sigma \leftarrow \sigma s'/s$ and
    $\mu \leftarrow \mu + \sigma_{old} m' - \sigma_{new} m$. A number that is the same for all images, on either side,
    gets the mean alone.

    Example:
        >>> params = {"standardise": {"mean": np.zeros(1), "scale": np.ones(1)}}
        >>> new = matched(params, np.array([[1.0], [3.0]]), np.array([[10.0], [20.0]]))["standardise"]
        >>> print(((np.array([1.0, 3.0]) - new["mean"]) / new["scale"]).round(3))
        [10. 20.]
    """
    statistics = params[STANDARDISE]
    centre, scale = (np.asarray(statistics[name], np.float64) for name in ("mean", "scale"))
    theirs, ours = (each.astype(np.float64) for each in (wanted, found))
    spreads = ours.std(axis=0), theirs.std(axis=0)
    flat = np.minimum(*spreads) < 1e-6
    new = scale * np.where(flat, 1.0, spreads[0] / np.where(flat, 1.0, spreads[1]))
    moved = centre + scale * ours.mean(axis=0) - new * theirs.mean(axis=0)
    return {**params, STANDARDISE: {"mean": moved.astype(np.float32), "scale": new.astype(np.float32)}}


def _with_taught_head(before: Detector, after: Detector, seen: np.ndarray) -> Detector:
    """A pruned detector whose head says of its features what the unpruned one says, calibrated."""
    context = after.context if after.spec.normalisation == "support" else None
    features = embed(choice.choose(after.spec), after.params, seen, context=context)
    params = source_prior.with_head(after.params, taught_head(features, calibrated(before, seen)))
    about = dict(after.about)
    if before.judge is not None:
        about["calibration"] = Judge(Calibration(), before.judge.bands, None).as_json()
    if about.get("rule", {}).get("optimizer") == "discriminant":
        # It has no prior any more to adapt by.
        about["rule"] = dict(RULE)
    return after._replace(params=params, about=about, prior=None)


def _about(detector: Detector, options: PruneOptions, config: PruneConfig, hidden: str) -> dict[str, Any]:
    steps = config.teaching.steps if options.images else 0
    said = {"share": options.share, "within": options.within, "hidden": hidden, "tuned_steps": steps}
    # No file of weights is behind it any more.
    return {name: part for name, part in detector.about.items() if name != "weights"} | {"pruned": said}


def _judged(before: Detector, after: Detector, faces: images.Faces | None) -> dict[str, Any] | None:
    if faces is None:
        return None
    shown = faces.images[faces.held]
    teacher, student = (calibrated(each, shown) for each in (before, after))
    labels = None if faces.labels is None else faces.labels[faces.held]
    return agreeing.compared(teacher, student, faces.people[faces.held], labels)


def calibrated(detector: Detector, shown: np.ndarray) -> np.ndarray:
    """Logits of frequencies, where the detector knows how to make them; without doubt about what is unfamiliar."""
    logits, distances = detector.examine(shown)
    return logits if detector.judge is None else detector.judge.weigh(logits, distances)[0]
