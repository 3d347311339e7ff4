"""The ways of training that are compared, and whose caption an image has in each."""

from typing import NamedTuple

import numpy as np

IMAGE, JOINT, TOLD = "image alone", "joint", "joint, reals told"

OF_REAL = "nothing is changed"
"""What a real image is told, where it is: then captions give the class away, as FFTG's do."""


class Way(NamedTuple):
    """A way of training.

    Attributes:
        name: in reports.
        alignment: whether images and captions find each other.
        multimodal: whether image and caption are classified together.
        shuffled: "" for each image's own caption, "within" for another's of its class, "all" for anybody's.
        told: whether real images have a caption too.
    """

    name: str
    alignment: bool
    multimodal: bool
    shuffled: str = ""
    told: bool = False


WAYS = (
    Way(IMAGE, False, False),
    Way(JOINT, True, True),
    Way("contrast alone", True, False),
    Way("joint, shuffled among fakes", True, True, "within"),
    Way("joint, shuffled among all", True, True, "all"),
    Way(TOLD, True, True, told=True),
    Way("joint, reals told, shuffled among fakes", True, True, "within", told=True),
)
"""In the order of the report; the first is what the others are compared with."""


def captions_of(way: Way, captions: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> list[str | None]:
    """What each image of a source is said to show; `None` for nothing.

    Args:
        way: of training.
        captions: the true ones, "" of real images.
        label: of each image, 0 or 1.
        rng: shuffles.
    """
    said = np.where((label == 0) & way.told, OF_REAL, captions)
    order = np.arange(len(label))
    if way.shuffled == "within":
        for one in (0, 1):
            mine = np.flatnonzero(label == one)
            order[mine] = rng.permutation(mine)
    elif way.shuffled == "all":
        order = rng.permutation(order)
    return [text or None for text in said[order].tolist()]
