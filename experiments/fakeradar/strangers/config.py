"""The settings of `experiments.fakeradar.strangers`."""

import dataclasses
from typing import NamedTuple

import numpy as np

from experiments.fakeradar.config import Recipe
from experiments.strangers import config as of_strangers
from experiments.strangers.config import Faces
from metaforge.backbones.spec import BackboneSpec
from metaforge.bounds import Bounds
from metaforge.errors import InputError
from metaforge.settings import setting

UNSEEN = "poisson_swap,resample,smooth,swap"
"""Every second method of the alphabet, as in the ablation on images; fixed before any result."""


class Training(NamedTuple):
    """How long, and how fast."""

    steps: int
    rate: float


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained and judged. Lists are comma-separated."""

    faces: Faces = Faces()
    model: BackboneSpec = of_strangers.Config().model
    columns: str = setting("", "Numbers of a feature that are seen, as ranges such as 0:768,3840:5376; default: all.")
    unseen: str = setting(UNSEEN, "Forgery methods that nothing is trained on.")
    recipe: Recipe = Recipe()
    rows: str = setting("all", "Rows of the table, or 'all'.")
    seeds: int = setting(3, "Trained models of each variant.", least=1, most=10_000)
    steps: str = setting("500,2000", "Lengths of training that are tried.")
    epochs: int = setting(
        10, "Equal parts of a training; outliers are refreshed between (paper: 60).", least=2, most=10_000
    )
    rates: str = setting("0.001,0.0001", "Adam's rates that are tried (paper: 1e-4); each falls as a cosine.")
    frozen: bool = setting(True, "Whether to look for outliers' places in the frozen features themselves too.")
    adapt: bool = setting(True, "Whether to adapt to the left-out collection too.")
    shots: str = setting("5,10,20", "Labelled images a class to adapt to.")
    draws: int = setting(5, "Support sets of each number of shots.", least=1, most=1000)
    judged: int = setting(
        20, "People who are judged, at least; with fewer a number of shots is left out.", least=2, most=10_000
    )
    resamples: int = setting(1000, "Of people and seeds, for intervals.", least=10, most=1_000_000)
    seed: int = setting(0, "Of forgeries, parts, support sets and resamples.", most=2**32 - 1)

    def of_strangers(self) -> of_strangers.Config:
        """The settings by which `experiments.strangers` makes the same features, support sets and resamples."""
        return of_strangers.Config(
            faces=self.faces, model=self.model, shots=self.shots, draws=self.draws, unlabelled=0, judged=self.judged,
            resamples=self.resamples, seed=self.seed,
        )  # fmt: skip

    def trainings(self) -> list[Training]:
        """What is tried.

        Raises:
            InputError: for what are no numbers, or numbers out of range.
        """
        wanted = f"whole numbers from {self.epochs} up, one step an epoch at least, such as 500,2000"
        lengths = _numbers("steps", self.steps, int, Bounds(self.epochs, 10**7), wanted)
        rates = _numbers("rates", self.rates, float, Bounds(1e-8, 10), "numbers from 1e-8 to 10, such as 0.001,0.0001")
        return [Training(length, rate) for length in lengths for rate in rates]

    def seen(self, size: int) -> np.ndarray:
        """Which of `size` columns are seen.

        Raises:
            InputError: for what are no ranges of them.
        """
        if not self.columns:
            return np.arange(size)
        found = []
        for part in self.columns.split(","):
            try:
                first, last = map(int, part.split(":"))
            except ValueError:
                first, last = 0, 0
            if not 0 <= first < last <= size:
                raise InputError(
                    f"--columns={self.columns}: '{part}' is no range of {size} columns. Give such as 0:{size}."
                )
            found.append(np.arange(first, last))
        return np.unique(np.concatenate(found))


def _numbers(name: str, given: str, kind, bounds: Bounds, wanted: str) -> list:
    try:
        found = [kind(part) for part in given.split(",")]
    except ValueError:
        found = []
    if not found or not all(map(bounds.holds, found)):
        raise InputError(f"--{name}={given}: give {wanted}.")
    return list(dict.fromkeys(found))


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to, and whose features."""

    workdir: str = setting(..., "The run's directory.", place="folder")
    features: str = setting(
        "", "Run directory of experiments.strangers whose features are taken, with its faces and model.", place="read"
    )
