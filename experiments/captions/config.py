"""The settings of `experiments.captions`."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """What is forged, and how it is judged."""

    size: int = setting(160, "Side of the faces in pixels.", least=48, most=1024)
    each: int = setting(4, "Forgeries of each photograph.", least=1, most=1000)
    people: int = setting(102, "People; half of them choose thresholds.", least=4, most=102)
    held_out: bool = setting(True, "Judge other strengths and edges than those that choose.")
    resamples: int = setting(1000, "Resamples of people for the intervals.", least=10, most=100_000)
    seed: int = setting(0, "Of the halves, and of all that is drawn.")


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
