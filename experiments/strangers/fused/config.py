"""The settings of `experiments.strangers.fused`."""

import dataclasses

from experiments.strangers import config as of_strangers
from experiments.strangers.config import Faces
from metaforge.backbones.spec import BackboneSpec
from metaforge.bounds import Bounds
from metaforge.errors import InputError
from metaforge.settings import setting

UNSEEN = "poisson_swap,resample,smooth,swap"
"""Every second method of the alphabet; fixed before any result."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained and judged. Lists are comma-separated."""

    faces: Faces = Faces()
    model: BackboneSpec = of_strangers.Config().model
    fusion: str = setting("4,10,14", "Blocks that are fused: the last of each size of map but for the very last.")
    fusion_width: int = setting(64, "Channels to which they are projected.", least=1, most=65_536)
    grid: int = setting(10, "Positions a side to which larger maps are averaged, to train faster.", least=1, most=1000)
    unseen: str = setting(UNSEEN, "One half of the forgery methods; each half is left out in turn.")
    alternating: bool = setting(
        False, "Whether each collection is left out with one of the halves alone, in turn, and not with both."
    )
    seeds: int = setting(2, "Trained models of each row.", least=1, most=10_000)
    steps: int = setting(400, "Of training; it may be stopped halfway.", least=2, most=1_000_000)
    rates: str = setting("0.003,0.001", "Adam's rates that are tried; each falls as a cosine.")
    batch: int = setting(32, "Images in a step.", least=2, most=100_000)
    resamples: int = setting(1000, "Of people and seeds, for intervals.", least=10, most=1_000_000)
    seed: int = setting(0, "Of forgeries, training and resamples.", most=2**32 - 1)

    def of_strangers(self) -> of_strangers.Config:
        """The settings by which `experiments.strangers` forges the same images and draws the same resamples."""
        return of_strangers.Config(faces=self.faces, model=self.model, resamples=self.resamples, seed=self.seed)

    def speeds(self) -> list[float]:
        """The rates.

        Raises:
            InputError: for what are no numbers, or numbers out of range.
        """
        try:
            found = [float(part) for part in self.rates.split(",")]
        except ValueError:
            found = []
        if not found or not all(map(Bounds(1e-8, 10).holds, found)):
            raise InputError(f"--rates={self.rates}: give numbers from 1e-8 to 10, such as 0.001.")
        return list(dict.fromkeys(found))


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
