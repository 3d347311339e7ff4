"""The settings of `experiments.strangers.meta_learned`."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """How the learners train."""

    steps: int = setting(500, "Outer steps.", least=1, most=1_000_000)
    tasks: int = setting(4, "Tasks in a meta-batch.", least=2, most=1000)
    shots: int = setting(10, "Support images a class in training; every second task has matched pairs.", least=1)
    queries: int = setting(20, "Query images a class in training.", least=1)
    neck: int = setting(64, "Numbers that the affine neck makes of the levels.", least=1, most=65_536)
    inner_lr: float = setting(0.1, "Inner rate in training; a tenth of it where all parameters move.", above=0)
    inner_steps: int = setting(5, "Inner steps in training.", least=1, most=1000)
    outer_lr: float = setting(1e-3, "Adam's rate.", above=0)
    seed: int = setting(0, "Of parameters and episodes.", most=2**32 - 1)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where."""

    workdir: str = setting(..., "The directory of a finished study of strangers.", place="folder")
