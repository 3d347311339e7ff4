"""What is minimised, as plain settings."""

import dataclasses

from metaforge.settings import setting

HARD_SAMPLES = ("focal", "hard_example_mining", "poly1", "smoothed_cross_entropy")
"""Of images alone, in place of cross-entropy."""

OBJECTIVES = ("cross_entropy", *HARD_SAMPLES, "fakeradar", "image_text")
"""The objectives that have a name."""

OPTIONS: dict[str, tuple[str, ...]] = {
    "focal": ("gamma", "alpha"),
    "hard_example_mining": ("share",),
    "poly1": ("epsilon",),
    "smoothed_cross_entropy": ("smoothing",),
    "image_text": ("alignment", "image", "multimodal"),
}
"""Settings that an objective alone has, and that are refused beside another."""


@dataclasses.dataclass(frozen=True)
class ObjectiveSpec:
    """The loss of the inner and the outer loop."""

    name: str = setting("cross_entropy", "What inner and outer loop minimise.", choices=OBJECTIVES)
    gamma: float = setting(
        2.0, "focal: how much less what is right counts; 0 gives cross-entropy (paper: 2).", most=100
    )
    alpha: float = setting(0.0, "focal: the weight of fakes, real ones having the rest to 1; 0 for none.", below=1)
    share: float = setting(0.5, "hard_example_mining: the hardest share of a batch that counts.", above=0, most=1)
    epsilon: float = setting(1.0, "poly1: what is added to the first coefficient (paper: 1, 2 or -1).", least=-1)
    smoothing: float = setting(0.1, "smoothed_cross_entropy: what is spread over all classes (paper: 0.1).", most=1)
    outlier_mode: str = setting("safe", "fakeradar: how its recipe is read.", choices=("safe", "literal"))
    outliers: int = setting(16, "fakeradar: outliers in every batch (paper: 16).", least=1, most=100_000)
    refresh_every: int = setting(50, "fakeradar: outer steps between refreshes of clusters and outliers.", least=1)
    alignment: float = setting(1.0, "image_text: weight of images and captions that find each other.")
    image: float = setting(1.0, "image_text: weight of the image alone.", above=0)
    multimodal: float = setting(1.0, "image_text: weight of image and caption together.")
