"""The settings of `experiments.words.episodes`."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """How DAML trains and adapts."""

    folds: int = setting(0, "Folds of the study, from the first; 0 for all.", most=1000)
    steps: int = setting(200, "Outer steps.", least=1, most=1_000_000)
    tasks: int = setting(4, "Tasks in a meta-batch.", least=1, most=1000)
    shots: int = setting(5, "Pairs of a support set.", least=1, most=1000)
    queries: int = setting(5, "Pairs of a query set.", least=1, most=1000)
    inner_lr: float = setting(0.05, "Rate of the inner step, in training and at test.", above=0)
    outer_lr: float = setting(3e-3, "Adam's rate.", above=0)
    adapt_steps: int = setting(5, "Steps at test.", least=1, most=1000)
    draws: int = setting(3, "Support sets of each left-out collection and method.", least=1, most=1000)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where."""

    workdir: str = setting(..., "The directory of a finished study of words.", place="folder")
