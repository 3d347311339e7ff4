"""What is said of one image, as a sentence: whether, by the detector; where, by the region head; and how surely."""

from collections.abc import Sequence

from metaforge.captions.words import listed, places
from metaforge.evaluation.calibration import Verdict

LEVELS = {0.9: "very likely", 0.66: "likely", 0.33: "perhaps", 0.0: "less likely"}
"""Probabilities in words: from which on one says so."""

NO_FACE = "No face was found, so nothing is said of it."
NO_MESH = "No face was found in the crop, so it is not said where."


def sentence(verdict: Verdict, named: Sequence[str] | None, probabilities: dict[str, float]) -> str:
    """What was found in one image; equal findings give equal words.

    Args:
        verdict: of the detector.
        named: regions; `None` if none was looked for. None are said of an image that is called real.
        probabilities: of regions, if it is forged.

    Example:
        >>> fake = Verdict(0.94, 0.5, "fake", "above the threshold 0.80")
        >>> sentence(fake, ["mouth", "left_eye", "right_eye"], {"mouth": 0.95, "left_eye": 0.7, "right_eye": 0.8})
        'Forged, says the detector (0.94). Where: very likely the mouth; likely the eyes.'
        >>> sentence(fake._replace(decision="cannot tell", reason="between the thresholds"), [], {})
        'Cannot tell whether it is forged (0.94): between the thresholds. No region stands out.'
        >>> sentence(fake, None, {})
        'Forged, says the detector (0.94).'
        >>> sentence(fake._replace(p_fake=0.1, decision="real"), ["mouth"], {"mouth": 0.9})
        'Real, says the detector (0.10): no forgery is looked for.'
    """
    number = f"({verdict.p_fake:.2f})"
    if verdict.decision == "real":
        return f"Real, says the detector {number}: no forgery is looked for."
    if verdict.decision == "fake":
        said, begins = f"Forged, says the detector {number}.", "Where"
    else:
        said, begins = f"Cannot tell whether it is forged {number}: {verdict.reason}.", "If it is, then here"
    return said if named is None else f"{said} {_where(named, probabilities, begins)}"


def surely(probability: float) -> str:
    """A probability in words.

    Example:
        >>> surely(0.7)
        'likely'
    """
    return next(word for least, word in LEVELS.items() if probability >= least)


def _where(named: Sequence[str], probabilities: dict[str, float], begins: str) -> str:
    if not named:
        return "No region stands out."
    said = []
    for word in LEVELS.values():
        if mine := [name for name in named if surely(probabilities[name]) == word]:
            said.append(f"{word} {listed(places(mine))}")
    return f"{begins}: {'; '.join(said)}."
