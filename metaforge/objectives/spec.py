"""What is minimised, as plain settings."""

import dataclasses

from metaforge.settings import setting

OBJECTIVES = ("cross_entropy", "fakeradar", "image_text")
"""The objectives that have a name."""


@dataclasses.dataclass(frozen=True)
class ObjectiveSpec:
    """The loss of the inner and the outer loop."""

    name: str = setting("cross_entropy", "What inner and outer loop minimise.", choices=OBJECTIVES)
    outlier_mode: str = setting("safe", "fakeradar: how its recipe is read.", choices=("safe", "literal"))
    outliers: int = setting(16, "fakeradar: outliers in every batch (paper: 16).", least=1, most=100_000)
    refresh_every: int = setting(50, "fakeradar: outer steps between refreshes of clusters and outliers.", least=1)
    alignment: float = setting(1.0, "image_text: weight of images and captions that find each other.")
    image: float = setting(1.0, "image_text: weight of the image alone.", above=0)
    multimodal: float = setting(1.0, "image_text: weight of image and caption together.")
