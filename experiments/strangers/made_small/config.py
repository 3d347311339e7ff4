"""The settings of `experiments.strangers.made_small`."""

import dataclasses

from experiments.strangers.config import Config as Study
from metaforge.errors import InputError
from metaforge.settings import setting

FIRST = ("poisson_swap", "resample", "smooth", "swap")
"""The methods of half 0; half 1 has the others."""
PLACES = "eig:0,ropensci:1,pif:0,18f:1"


@dataclasses.dataclass(frozen=True)
class Config:
    """What is made small, and how."""

    study: Study = Study()
    folds: str = setting(PLACES, "Left-out collections with the half of the methods left out beside.")
    shares: str = setting("0.25,0.5,0.7", "Of channels that go, comma-separated.")
    head_images: int = setting(
        1200, "Images of the source that a pruned network's head is made of, in pairs.", least=16
    )
    heads: str = setting(PLACES, "Folds in which what is pruned gets other heads too; '' for none.")
    tuned: str = setting(PLACES, "Folds in which what is pruned is tuned too; '' for none.")
    tuned_shares: str = setting("0.25,0.5,0.7", "Shares with which it is tuned too.")
    tuning_steps: int = setting(40, "Steps after pruning.", most=1_000_000)
    tuning_images: int = setting(320, "Images of the source that they see, real and forged.", least=16)
    tuning_rate: float = setting(5e-4, "Their highest rate.", above=0)
    conv4_steps: int = setting(200, "Steps of a Conv4 student.", least=1)
    conv4_width: int = setting(16, "Its filters.", least=1)
    b0_steps: int = setting(60, "Steps of a B0 student, from random weights at 96 pixels.", most=1_000_000)
    seeds: int = setting(2, "Conv4 students of each kind; 0 for none.", most=100)
    temperature: float = setting(2.0, "Of distillation.", above=0)
    rounds: int = setting(20, "Of latency; 0 for neither latency nor memory.", most=10_000)

    def places(self) -> tuple[tuple[str, int], ...]:
        """Collection and half of each fold.

        Raises:
            InputError: for what is no such list.
        """
        try:
            found = tuple((name, int(half)) for name, half in (part.split(":") for part in self.folds.split(",")))
        except ValueError:
            found = ()
        if not found or any(half not in (0, 1) for _, half in found):
            raise InputError(f"--folds={self.folds}: give collections with 0 or 1, such as eig:0,ropensci:1.")
        return found

    def parts(self) -> tuple[float, ...]:
        """The shares.

        Raises:
            InputError: for what are no shares.
        """
        try:
            found = tuple(float(part) for part in self.shares.split(","))
        except ValueError:
            found = ()
        if not found or not all(0 <= share < 1 for share in found):
            raise InputError(f"--shares={self.shares}: give numbers from 0 to below 1, such as 0.25,0.5.")
        return found


@dataclasses.dataclass(frozen=True)
class Options:
    """Where, and what stands beside."""

    workdir: str = setting(..., "The run's directory.", place="folder")
    clip: str = setting(
        "", "The directory of a study of strangers with CLIP's features of the same faces; '' for no ensemble.",
        place="read",
    )  # fmt: skip
