"""Opens a detector for verdicts: with its name and hash, by what it decides, and what it does not say."""

from pathlib import Path
from typing import TYPE_CHECKING

from metaforge.errors import printable
from metaforge.screening.engine import HALF, Engine
from metaforge.screening.verdicts.identity import model_sha256
from metaforge.screening.verdicts.making import Screener
from metaforge.screening.verdicts.provenance import read_trust
from metaforge.screening.verdicts.record import Model, Thresholds

if TYPE_CHECKING:
    from metaforge.screening.judging import Scorer


def screener(model: str, *, weights: str = "", engine: "Engine" = "auto", crops: bool = False, frames: int = 32,
             evidence: bool = False, trust: str = "") -> Screener:  # fmt: skip
    """What makes verdicts with a detector.

    Args:
        model: a saved detector, an exported ONNX file, or a finished training run.

    Other Arguments:
        weights: where a detector's weights are now.
        engine: what runs the network, as in `metaforge.screening.predicting.load`.
        crops: whether the pictures are face crops already.
        frames: of each video, spread evenly.
        evidence: whether features are measured beside the score.
        trust: a file in PEM with certificates of those whose C2PA signatures are trusted; nobody's if left out.

    Raises:
        InputError: if the model or the trust list cannot be read.

    Example:
        >>> screener("nowhere")
        Traceback (most recent call last):
        metaforge.errors.InputError: model: no config.json in 'nowhere'. Give the --out of metaforge adapt or ...
    """
    from metaforge.screening.predicting import load

    detector, path = load(model, weights=weights, engine=engine, crops=crops), Path(model)
    measure = None
    if evidence:
        from metaforge.screening.evidence.showing import evidence as shown

        measure = shown()
    judge = detector.judge
    fitted = judge.bands.fitted_on if judge else {}
    # Thresholds may have been fitted elsewhere since.
    fitted_on = ", ".join(map(printable, fitted.get("calibrated_on") or fitted.get("groups", {})))
    thresholds = _thresholds(detector)
    return Screener(
        detector=detector,
        model=Model(path.resolve().name or "model", model_sha256(path), fitted_on),
        thresholds=thresholds,
        limits=_limits(fitted_on, thresholds.fitted_on, calibrated=judge is not None)
        + (_OTHER_NUMBERS if judge and (fitted.get("engine") == HALF) != (engine == HALF) else ""),
        crops=crops,
        frames=frames,
        measure=measure,
        trust=read_trust(trust) if trust else "",
    )


def _thresholds(detector: "Scorer") -> Thresholds:
    judge = detector.judge
    if judge is None:
        return Thresholds(0.5, 0.5, None, None, "")
    bands = judge.bands
    allowed, groups = bands.fitted_on.get("allowed", {}), bands.fitted_on.get("groups", {})
    named = bands.fitted_on.get("name") or ", ".join(map(printable, groups))
    return Thresholds(bands.real_below, bands.fake_above, allowed.get("fpr"), allowed.get("fnr"), named)


_OTHER_NUMBERS = (
    " The thresholds were fitted to scores in another precision, so shares of mistakes may differ from those."
)


def _limits(fitted_on: str, decided_on: str, *, calibrated: bool) -> str:
    if not calibrated:
        return "The detector is not calibrated: a score above 0.5 says no more than that fakes were nearer to it."
    fitted_on = fitted_on or "images of which it is not said where they are from"
    where = fitted_on if decided_on in ("", fitted_on) else f"{fitted_on}, the thresholds on {decided_on}"
    return (f"No proof: the numbers were fitted on {where}, and other cameras, people and forgeries may make more "
            "mistakes.")  # fmt: skip
