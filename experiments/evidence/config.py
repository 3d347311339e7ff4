"""The settings of `experiments.evidence`."""

import dataclasses

from experiments.strangers.config import Faces
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """What is measured."""

    faces: Faces = Faces(acquisitions="none,varied")
    image_size: int = setting(224, "Side of the crops that are forged, in pixels.", least=96, most=256)
    each: int = setting(30, "People of each collection, at most.", least=4, most=10_000)
    resamples: int = setting(1000, "Of people, for intervals.", least=10, most=1_000_000)
    seed: int = setting(0, "Of people, forgeries and resamples.", most=2**32 - 1)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
