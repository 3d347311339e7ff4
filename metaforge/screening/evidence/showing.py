"""Evidence on a face for its verdict: the features that told fakes on collections left out, and no others."""

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metaforge.data.detection import Detection, check_finder, find_face
from metaforge.data.face_crops import FaceCrop
from metaforge.screening.evidence.calibrating import Scoring
from metaforge.screening.evidence.features import BY_NAME, Feature, measured
from metaforge.screening.evidence.shape import Prior
from metaforge.screening.evidence.view import view_of
from metaforge.screening.verdicts.record import Evidence


class Shown(NamedTuple):
    """A feature that may be shown, with what gives it a score, and its own AUC on collections left out."""

    feature: Feature
    scoring: Scoring
    auc: float


class Showing(NamedTuple):
    """What measures evidence on faces.

    Attributes:
        shown: the features.
        prior: of shapes, if one of them needs it.
        fitted_on: the collections that scores were calibrated on.
    """

    shown: tuple[Shown, ...]
    prior: Prior | None
    fitted_on: str

    def __call__(self, picture: np.ndarray, face: FaceCrop) -> tuple[Evidence, ...]:
        """The evidence on a face; none where it cannot be measured, as on one that is too small.

        Args:
            picture: uint8 RGB in [0, 255].
            face: one in it; if nobody looked where it is, it is looked for.
        """
        found: Detection | None = face.face if face.face is not None else find_face(picture)
        view = None if found is None else view_of(picture, found)
        if view is None:
            return ()
        said = []
        for feature, scoring, auc in self.shown:
            values = measured(feature, view, self.prior)
            if np.isfinite(values).all():
                score = round(float(scoring(values[None])[0]), 4)
                value, words = feature.told(values)
                said.append(Evidence(feature.name, value, score, auc, feature.tag, words))
        return tuple(said)


def read_showing(found: dict[str, Any]) -> Showing:
    """What `python -m experiments.evidence` writes into calibration.json.

    Example:
        >>> read_showing({"fitted_on": "", "features": {}, "prior": None}).shown
        ()
    """
    shown = tuple(
        Shown(BY_NAME[name], Scoring.from_json(each["scoring"]), float(each["auc"]))
        for name, each in found["features"].items()
    )
    prior = None if found["prior"] is None else Prior.from_json(found["prior"])
    return Showing(shown, prior, found["fitted_on"])


@functools.cache
def evidence() -> Showing:
    """What measures the evidence that ships.

    Raises:
        InputError: if faces cannot be found here.
    """
    check_finder()
    path = Path(__file__).parent / "calibration.json"
    return read_showing(json.loads(path.read_text(encoding="utf-8")))
