"""All features by name: what each measures, how sure a thing that is, and how it is said."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from metaforge.screening.evidence.continuity import continuity
from metaforge.screening.evidence.contour import contour
from metaforge.screening.evidence.lighting import colour, direction
from metaforge.screening.evidence.noise import noise
from metaforge.screening.evidence.shape import Prior, plausibility
from metaforge.screening.evidence.symmetry import symmetry
from metaforge.screening.evidence.texture import texture
from metaforge.screening.evidence.view import View
from metaforge.screening.verdicts.record import Tag


class Feature(NamedTuple):
    """A feature of a face.

    Attributes:
        name: what it is called.
        tag: "derived" (computed from pixels) or "inferred" (by a model that was learned).
        measure: a view to a few numbers; what could not be measured is not a number. `None` for the shape, which needs
            a prior.
        says: what the first number means, with a place for it.
    """

    name: str
    tag: Tag
    measure: Callable[[View], np.ndarray] | None
    says: str


FEATURES: tuple[Feature, ...] = (
    Feature("light direction", "derived", direction,
            "the light on the middle of the face and on its border differ by {:.2f} of its brightness"),
    Feature("light colour", "derived", colour,
            "the colour of the face differs from that of the neck by {:.2f} (logarithm of ratios of channels)"),
    Feature("noise", "derived", noise, "the logarithm of noise inside the face by noise outside is {:+.2f}"),
    Feature("texture continuity", "derived", continuity,
            "the logarithm of fine texture inside the border of the face by that outside is {:+.2f}"),
    Feature("contour", "derived", contour, "the logarithm of the largest step along the contour is {:+.2f}"),
    Feature("landmarks", "inferred", None, "the logarithm of the landmarks' distance from learned shapes is {:+.2f}"),
    Feature("symmetry", "inferred", symmetry, "the logarithm of the mesh's asymmetry by the eyes' distance is {:+.2f}"),
    Feature("skin texture", "derived", texture, "the logarithm of fine by coarse contrast of skin is {:+.2f}"),
)  # fmt: skip
"""In the order in which they are told."""

BY_NAME = {feature.name: feature for feature in FEATURES}


def measured(feature: Feature, view: View, prior: Prior | None) -> np.ndarray:
    """The numbers of one feature of a face.

    Args:
        feature: one of `FEATURES`.
        view: the face.
        prior: of shapes, for the one that needs it.
    """
    if feature.measure is not None:
        return feature.measure(view)
    assert prior is not None
    return plausibility(prior, view)
