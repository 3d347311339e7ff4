"""What is said of an image: a probability, how familiar it is, a decision, and the reason in one sentence."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation.calibration.bands import Bands, Decision
from metaforge.evaluation.calibration.judge import Judge, probability


class Verdict(NamedTuple):
    """What is said of an image, or of a person in a video.

    Attributes:
        p_fake: the probability of being fake if half of such images were; near 0.5 for what is unfamiliar.
        familiarity: the share of the source images that are at least as unfamiliar; `None` where that is not known.
        decision: "real", "cannot tell" or "fake".
        reason: why, in plain words.
        band: an interval for `p_fake` in a collection that is not known (`fit_spread`); `None` where none was fitted.
    """

    p_fake: float
    familiarity: float | None
    decision: Decision
    reason: str
    band: tuple[float, float] | None = None


def verdicts(logits: ArrayLike, distances: ArrayLike | None, judge: Judge) -> list[Verdict]:
    """The verdict on each image.

    Args:
        logits: the detector's, not calibrated, shape `(rows,)`.
        distances: how far each image lies from the source images, shape `(rows,)`; `None` for a detector without
            distances.
        judge: the detector's calibration.

    Returns:
        A verdict on each.

    Raises:
        InputError: if distances are missing, or are given to a judge that knows none.

    Example:
        >>> from metaforge.evaluation.calibration import Bands, Calibration, Familiarity
        >>> bands = Bands(0.2, 0.8, {"found": {"fpr": 0.05, "fnr": 0.1}})
        >>> judge = Judge(Calibration(), bands, Familiarity((0.0, 1.0)))
        >>> for found in verdicts([3.0, 0.0, -3.0, 3.0], [0.5, 0.5, 0.5, 0.998], judge):
        ...     print(f"{found.p_fake:.2f} {found.familiarity:.3f} {found.decision}: {found.reason}")
        0.95 0.500 fake: above the threshold 0.80, as 5 % of the real source photographs are
        0.50 0.500 cannot tell: between the thresholds 0.20 and 0.80
        0.05 0.500 real: below the threshold 0.20, as 10 % of the fake source photographs are
        0.50 0.002 cannot tell: unlike 99.8 % of the source photographs
    """
    plain, told, known = judge.weigh(logits, distances)
    if plain.ndim != 1:
        raise InputError(f"verdict: logits of shape {plain.shape}. Give one for each image, (rows,).")
    scores, decisions = probability(told), judge.bands.decide(probability(told))
    without_doubt = judge.bands.decide(probability(plain))
    shares = [None] * len(scores) if known is None else known.tolist()
    bands = judge.spread(scores) if judge.spread else [None] * len(scores)
    return [
        Verdict(score, share, decision, _reason(score, share, decision, decision != first, judge.bands), band)
        for score, share, decision, first, band in zip(
            scores.tolist(), shares, decisions, without_doubt, bands, strict=True
        )
    ]


def track_verdict(logits: ArrayLike, distances: ArrayLike | None, judge: Judge) -> Verdict:
    """One verdict on a person, from the frames that show them: of the mean logit and the median distance.

    Frames of a video are hardly less alike than one photograph and its copy. So they are not counted as so many pieces
    of evidence, whose logits would add up; their mean is less noisy and as sure as one image. A few frames in which the
    face is turned or blurred lie far out, and the median leaves them aside.

    Args:
        logits: of the frames, shape `(frames,)`, one or more.
        distances: of the frames, or `None`.
        judge: the detector's calibration.

    Returns:
        The verdict; of a single frame that of `verdicts`.

    Raises:
        InputError: without a frame, and as in `verdicts`.

    Example:
        >>> from metaforge.evaluation.calibration import Bands, Calibration
        >>> judge = Judge(Calibration(), Bands(0.5, 0.5, {}), None)
        >>> track_verdict([1.0, 3.0, -1.0], None, judge) == verdicts([1.0], None, judge)[0]
        True
    """
    logits = np.asarray(logits, np.float64)
    if logits.ndim != 1 or not logits.size:
        raise InputError(f"verdict: logits of shape {logits.shape}. Give those of one frame or more, (frames,).")
    middle = None if distances is None else [np.median(np.asarray(distances, np.float64))]
    return verdicts([logits.mean()], middle, judge)[0]


def uncalibrated_verdict(p_fake: float) -> Verdict:
    """What a detector that was not calibrated says: whether its score is above 0.5, and no more.

    Example:
        >>> uncalibrated_verdict(0.7).decision
        'fake'
    """
    if np.isnan(p_fake):
        return Verdict(p_fake, None, "cannot tell", _NO_NUMBER)
    above = p_fake > 0.5
    reason = f"{'above' if above else 'not above'} 0.5; this detector is not calibrated"
    return Verdict(p_fake, None, "fake" if above else "real", reason)


LOSSES = ("small", "cut off", "blurred")
"""Notes on a face of which pixels are missing, in the words of `metaforge.data.face_crops`."""

NO_FACE = "perhaps no face"
"""The note on what may be none, in its words."""

COMPRESSED = "over-compressed"
"""The flag of a picture whose finest detail, and with it perhaps the trace of a forgery, is compressed away."""


def doubted(verdict: Verdict, notes: Collection[str]) -> Verdict:
    """The verdict on a face about which something was noted: nobody is called a forger for a bad photograph.

    Pixels that are missing can look like a forgery. So what is called fake is left open if the face is small, cut off
    or blurred; what is called real stays so. Compression is the other way round: it smooths a forgery's traces away,
    so what is over-compressed is not called real, and what is called fake stays so. Of what is perhaps no face nothing
    is said. `p_fake` and `familiarity` stay as they are.

    Args:
        verdict: on the pixels alone.
        notes: on the face; what is not in `LOSSES`, `COMPRESSED` or `NO_FACE` changes nothing.

    Example:
        >>> found = Verdict(0.97, 0.4, "fake", "above the threshold 0.83")
        >>> doubted(found, ["blurred"]).reason
        'the face is blurred; what is lost can look like a forgery'
        >>> doubted(found, [NO_FACE]).decision, doubted(found, []) == found
        ('cannot tell', True)
    """
    lost = [note for note in LOSSES if note in notes]
    if NO_FACE in notes:
        return verdict._replace(decision="cannot tell", reason=NO_FACE)
    if lost and verdict.decision == "fake":
        named = " and ".join([", ".join(lost[:-1]), lost[-1]] if lost[1:] else lost)
        return verdict._replace(
            decision="cannot tell", reason=f"the face is {named}; what is lost can look like a forgery"
        )
    if COMPRESSED in notes and verdict.decision == "real":
        reason = "the picture is over-compressed; the trace of a forgery may be lost"
        return verdict._replace(decision="cannot tell", reason=reason)
    return verdict


_NO_NUMBER = "the detector gives no number"


def _reason(score: float, share: float | None, decision: Decision, doubted: bool, bands: Bands) -> str:
    """Why; `doubted` says that it would have been decided, were it familiar."""
    if np.isnan(score):
        return _NO_NUMBER
    found = bands.fitted_on.get("found", {})
    if doubted and share is not None:
        # No number of source photographs makes it certain that none is like it.
        far = f"{100 - 100 * share:.1f}" if share >= 0.0005 else "more than 99.9"
        return f"unlike {far} % of the source photographs"
    if decision == "cannot tell":
        return f"between the thresholds {_printed(bands.real_below)} and {_printed(bands.fake_above)}"
    side, threshold, rate, kind = (
        ("above", bands.fake_above, "fpr", "real") if decision == "fake" else ("below", bands.real_below, "fnr", "fake")
    )
    if name := bands.fitted_on.get("name"):
        allowed = bands.fitted_on["allowed"][rate]
        most = f"as at most {_percent(allowed)} % of the {kind} images of {name} are"
        return f"{side} the threshold {_printed(threshold)}, {most}"
    known = f", as {_percent(found[rate])} % of the {kind} source photographs are" if rate in found else ""
    return f"{side} the threshold {_printed(threshold)}{known}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}" if share < 0.1 else f"{100 * share:.0f}"


def _printed(threshold: float) -> str:
    """With two digits, or as many as tell it from 0 and 1."""
    for digits in range(2, 9):
        text = f"{threshold:.{digits}f}"
        if float(text) not in (0.0, 1.0):
            return text
    return f"{threshold:g}"
