"""All features by name: what each measures, how sure a thing that is, and how it is said."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from metaforge.screening.evidence.channels import channels
from metaforge.screening.evidence.continuity import continuity
from metaforge.screening.evidence.contour import contour
from metaforge.screening.evidence.detail import detail
from metaforge.screening.evidence.lighting import colour, direction
from metaforge.screening.evidence.noise import noise
from metaforge.screening.evidence.resampling import resampling
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
        logarithm: whether that is the logarithm of what is said.
    """

    name: str
    tag: Tag
    measure: Callable[[View], np.ndarray] | None
    says: str
    logarithm: bool = True

    def told(self, values: np.ndarray) -> tuple[float, str]:
        """The first number as it is said, and the sentence with it."""
        value = float(np.exp(values[0]) if self.logarithm else values[0])
        return round(value, 4), self.says.format(value)


FEATURES: tuple[Feature, ...] = (
    Feature("light direction", "derived", direction,
            "light on the middle of the face and on its border differ by {:.2f} of its brightness", logarithm=False),
    Feature("light colour", "derived", colour,
            "the ratios of red and blue to green differ by {:.2f} (logarithm) between face and neck", logarithm=False),
    Feature("noise", "derived", noise, "noise inside the face is {:.2f} times that outside it"),
    Feature("texture continuity", "derived", continuity,
            "the power of fine texture inside the face is {:.2f} times that at its border"),
    Feature("contour", "derived", contour, "the largest step along the contour is {:.1f} times the usual one"),
    Feature("landmarks", "inferred", None,
            "landmarks lie {:.2f} times as far (squared) from the mean shape as those of real faces do"),
    Feature("symmetry", "inferred", symmetry,
            "landmarks and their mirror image differ by {:.3f} of the distance of the eyes"),
    Feature("skin texture", "derived", texture, "the power of fine texture of skin is {:.3f} times that of coarse"),
    Feature("detail", "derived", detail,
            "the finest detail, by the coarser, is {:.2f} times as strong inside the face as around it"),
    Feature("colour channels", "derived", channels,
            "fine red and green go together otherwise inside the face than around it, by {:+.2f} (Fisher's z)",
            logarithm=False),
    Feature("resampling", "derived", resampling,
            "the strongest rhythm of fine differences is {:.2f} times as strong inside the face as around it"),
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
