"""The settings of `experiments.strangers.hard_samples`."""

import dataclasses
import itertools
from typing import NamedTuple

from metaforge.bounds import Bounds
from metaforge.errors import InputError
from metaforge.settings import setting

LOSSES = ("cross_entropy", "focal", "hard_example_mining", "poly1", "smoothed_cross_entropy")
"""In the order of the report; the first is what the others are held against."""
SCHEDULES = ("constant", "cosine")
"""How the rate goes; the first likewise."""


class Row(NamedTuple):
    """A row of the report."""

    loss: str
    schedule: str


class Recipe(NamedTuple):
    """What is tried for a row.

    Attributes:
        loss: its name in `metaforge.objectives`.
        option: gamma, share, epsilon or smoothing; 0 for cross-entropy, which has none.
        schedule: of `SCHEDULES`.
        rate: Adam's, at its height.
        steps: how many.
    """

    loss: str
    option: float
    schedule: str
    rate: float
    steps: int

    @property
    def row(self) -> Row:
        """The row that it is tried for."""
        return Row(self.loss, self.schedule)


ROWS = tuple(Row(*each) for each in itertools.product(LOSSES, SCHEDULES))
CONTROL = ROWS[0]


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained and judged. Lists are comma-separated."""

    unseen: str = setting(
        "poisson_swap,resample,smooth,swap", "Methods that nothing is trained on in one half of the folds."
    )
    hard: str = setting("splice,self_blend", "Methods that are hard everywhere.")
    gammas: str = setting("0.5,2,5", "focal: what is tried.")
    shares: str = setting("0.25,0.5", "hard_example_mining: what is tried.")
    epsilons: str = setting("1,2", "poly1: what is tried.")
    smoothings: str = setting("0.1,0.2", "smoothed_cross_entropy: what is tried.")
    rates: str = setting("0.0003,0.003", "Adam's rates that are tried.")
    steps: str = setting("100,300", "Lengths of training that are tried.")
    warmup: float = setting(0.1, "cosine: the share of the steps that warms up.", below=1)
    batch: int = setting(64, "Images of a step, real and fake alike.", least=2, most=100_000)
    neck: int = setting(32, "Numbers that the affine neck makes of a feature.", least=1, most=65_536)
    seeds: int = setting(3, "Trained heads of each row and fold.", least=1, most=1000)
    half: str = setting("", "Collections whose features are made again in bfloat16, or 'all'.")
    resamples: int = setting(4000, "Of people and seeds, for intervals.", least=10, most=1_000_000)
    seed: int = setting(0, "Of batches, parameters and resamples.", most=2**32 - 1)

    def recipes(self) -> tuple[Recipe, ...]:
        """All that is tried.

        Raises:
            InputError: for a list that is none, or numbers that a loss does not take.
        """
        bounds = {
            "gammas": Bounds(0, 100), "shares": Bounds(0, 1, above=0), "epsilons": Bounds(-1, 100),
            "smoothings": Bounds(0, 1), "rates": Bounds(0, 1000, above=0),
        }  # fmt: skip
        found = {name: self._numbers(name, one) for name, one in bounds.items()}
        steps = [int(one) for one in self._numbers("steps", Bounds(2, 1_000_000))]
        options = dict(zip(LOSSES, ([0.0], *(found[name] for name in [*bounds][:4])), strict=True))
        return tuple(
            Recipe(loss, option, schedule, rate, count)
            for loss, tried in options.items()
            for option, schedule, rate, count in itertools.product(tried, SCHEDULES, found["rates"], steps)
        )

    def _numbers(self, name: str, bounds: Bounds) -> list[float]:
        text = getattr(self, name)
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if not numbers or not all(map(bounds.holds, numbers)) or len({*numbers}) < len(numbers):
            raise InputError(f"--{name}={text}: give numbers that it can be, each once, such as {_usual(name)}.")
        return numbers


def _usual(name: str) -> str:
    return getattr(Config, name)


@dataclasses.dataclass(frozen=True)
class Options:
    """Of what, where to."""

    features: str = setting(..., "The directory of a finished study of strangers.", place="read")
    workdir: str = setting(..., "The run's directory.", place="folder")
