"""How often a face that was only coded again is called forged, and which forgeries are lost by asking for more."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.captions.pairs import Known
from metaforge.captions.annotation import annotate
from metaforge.captions.thresholds import Thresholds
from metaforge.data.embedded_faces import LONDON, embedded_faces
from metaforge.forgeries.compression import h264, jpeg

CODED = ("JPEG 95", "JPEG 90", "JPEG 75", "JPEG 50", "H.264 CRF 23", "H.264 CRF 28")
"""How the copies are coded; beside them the photograph as it is."""
_NEVER = 1e-9  # times the rest of the face: a threshold that every mask exceeds


def copy_scores(pairs: Sequence[Known], *, size: int) -> dict[str, Any]:
    """Copies that are called forged and true forgeries that are called noise: shipped, and without `excess`.

    Args:
        pairs: the judged pairs; of their people every photograph is coded again.

    Other Arguments:
        size: side of the faces in pixels.
    """
    people = {pair.person for pair in pairs}
    faces = [face for face in embedded_faces(LONDON, size=size) if face.identity in people]
    asked = {
        "shipped": Thresholds(),
        "without": dataclasses.replace(Thresholds(), excess=_NEVER, excess_named=_NEVER),
    }
    table = {}
    for coding in CODED:
        kind, _, level = coding.rpartition(" ")
        code = jpeg if kind == "JPEG" else h264
        coded = [(np.asarray(face.image), code(np.asarray(face.image), int(level)), face.landmarks) for face in faces]
        table[coding] = {"copies": len(coded)} | {
            name: sum(annotate(*one, thresholds=limits).answer == "forged" for one in coded)
            for name, limits in asked.items()
        }
    lost = {
        name: sum(annotate(pair.real, pair.fake, pair.landmarks, thresholds=limits).answer == "noise" for pair in pairs)
        for name, limits in asked.items()
    }
    return {"coded": table, "forgeries": {"pairs": len(pairs), **lost}}
