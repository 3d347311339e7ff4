"""Thresholds of a detector for a domain of one's own: fitted to labelled images of it, and named in verdicts."""

from pathlib import Path
from typing import Any

import numpy as np

from metaforge.data.crop_folder import crop_for
from metaforge.errors import InputError, printable
from metaforge.evaluation.calibration import band_rates, fit_conformal, verdicts
from metaforge.screening import Detector
from metaforge.screening.engine import HALF, Engine
from metaforge.screening.predicting import run_by
from metaforge.screening.target_images import CLASSES, read_target


def refitted(
    detector: Detector, target: str, *, name: str, fpr: float, fnr: float, crops: bool = False, engine: Engine = "auto"
) -> tuple[Detector, dict[str, Any]]:
    """The detector with thresholds for a domain, and what they are worth there.

    Args:
        detector: calibrated.
        target: a folder with real/ and fake/ of the domain.

    Other Arguments:
        name: what verdicts call it.
        fpr: the share of its real images that may be called fake.
        fnr: the share of its fakes that may be called real.
        crops: whether its images are face crops already.
        engine: what scores them; a threshold belongs to the arithmetic that it was fitted in.

    Returns:
        The detector; and the numbers `real`, `fake` and `skipped` of images, and `undecided`, the share of each class
        of which nothing is said, on the images that the thresholds were fitted on.

    Raises:
        InputError: for a detector that is not calibrated, a target that cannot be read or lacks a class, or a name that
            says nothing; as `run_by` for the engine.
    """
    if detector.judge is None:
        raise InputError("--model: the detector is not calibrated, so its scores mean nothing to thresholds. Train one "
                         "with --preset=strong.")  # fmt: skip
    called = printable(name.strip())
    if not 1 <= len(called) <= 100:
        raise InputError(
            f"--name: has {len(called)} letters. Say in 1 to 100 what the images are, such as 'our studio'."
        )
    root = Path(target)
    if missing := [kind for kind in CLASSES if not (root / kind).is_dir()]:
        raise InputError(f"--target: '{target}' has no folder '{missing[0]}'. It needs real/ and fake/ with "
                         "images in both.")  # fmt: skip
    crop, _ = crop_for(detector.crop, root, crops=crops)
    images, labels, _, skipped, _, _ = read_target(
        target, size=detector.image_size, crop=crop, quiet=False
    )  # fmt: skip
    said = verdicts(*run_by(detector, engine, called="model").examine(np.asarray(images)), detector.judge)
    shown = np.array([each.p_fake for each in said])
    bands = fit_conformal(shown, labels, name=called, fpr=fpr, fnr=fnr)
    # Scores stay calibrated on what they were, and verdicts go on saying so.
    before = detector.judge.bands.fitted_on
    if engine == HALF:
        bands.fitted_on["engine"] = HALF
    bands.fitted_on["calibrated_on"] = before.get("calibrated_on") or [*before.get("groups", {})]
    about = detector.about | {"calibration": detector.judge._replace(bands=bands).as_json()}
    undecided = {kind: band_rates(shown[labels == each], labels[labels == each], bands).undecided
                 for each, kind in enumerate(CLASSES)}  # fmt: skip
    counts = {kind: int((labels == each).sum()) for each, kind in enumerate(CLASSES)}
    return detector._replace(about=about), counts | {"skipped": len(skipped), "undecided": undecided}


def described(detector: Detector, found: dict[str, Any]) -> str:
    """The thresholds in words, with the share of "cannot tell" beside every share of mistakes."""
    judge = detector.judge
    assert judge is not None
    bands, told = judge.bands, judge.bands.fitted_on
    rows = [
        f"Thresholds for {told['name']}, from {found['real']} real and {found['fake']} fake images:",
        f"  fake above {bands.fake_above:.4f}, real below {bands.real_below:.4f}",
    ]
    if found["skipped"]:
        rows[0] += f" ({found['skipped']} files left out)"
    ends = (("real", "fpr", "fake", bands.fake_above < 1), ("fake", "fnr", "real", bands.real_below > 0))
    for kind, rate, called, any_is in ends:
        allowed = told["allowed"][rate]
        if not any_is:
            # k = ceil((n + 1)(1 - a)) is within n from here on.
            least = int(np.ceil(1 / allowed - 1e-9)) - 1
            few = f"{found[kind]} {kind} images are too few for {100 * allowed:g} %, which takes {least}"
            rows.append(f"  no image is called {called}: {few}")
            continue
        low, high = told["likely"][rate]
        rows.append(
            f"  {kind} images called {called}: {100 * allowed:g} % at most on average, with these images likely "
            f"{100 * low:.1f} to {100 * high:.1f} %; cannot tell: {100 * found['undecided'][kind]:.0f} %"
        )
    rows.append(
        "This holds for images like these. Photographs of other cameras and forgeries of other kinds may differ."
    )
    return "\n".join(rows)
