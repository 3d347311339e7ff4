"""The settings of `experiments.omniglot`: what to train, how long, and how to judge it."""

import dataclasses

from experiments.omniglot.recipes import CELLS, NAMES, STATISTICS, Kind, Recipe, recipe
from metaforge.bounds import check_bounds
from metaforge.errors import InputError
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train and how to judge; 0 means as published. Lists are comma-separated."""

    tests: str = setting(",".join(CELLS), "Ways x shots.")
    learners: str = setting(",".join(NAMES), "What learns.")
    normalisations: str = setting("episode,support", "Whose statistics: episode (transductive), support (inductive).")
    seeds: int = setting(
        3, "Trained models of each kind: initial parameters and streams of tasks.", least=1, most=10_000
    )
    iterations: int = setting(0, "Outer steps at most.")
    width: int = setting(64, "Filters in every convolution.", least=1, most=65_536)
    tasks: int = setting(0, "Tasks in a meta-batch at most.", most=10_000)
    inner_lr: float = setting(0.0, "Inner rate of MAML, FOMAML and ANIL, of the mean loss.")
    protonet_ways: int = setting(60, "Ways of ProtoNet's training tasks.", least=2, most=10_000)
    split: str = setting("characters", "How characters are split.", choices=("characters", "halves"))
    turns: bool = setting(True, "Whether characters come in four quarter turns.")
    judged_on: str = setting(
        "test", "Whose characters to judge on; validation to choose by.", choices=("test", "validation")
    )
    test_episodes: int = setting(600, "Test episodes at least.", least=2, most=10_000_000)
    chunk: int = setting(50, "Outer steps in one program and one line of the log.", least=1, most=100_000)
    strategy: str = setting("auto", "How tasks run.", choices=("auto", "vmap", "scan", "unroll"))
    remat: str = setting("none", "What MAML computes again to save memory.", choices=("none", "steps", "sqrt"))

    def check(self) -> None:
        """Raises `InputError` for what cannot work, naming the field."""
        check_bounds(self)
        for name, known in (("tests", CELLS), ("learners", tuple(NAMES)), ("normalisations", tuple(STATISTICS))):
            for part in self.parts(name) or [""]:
                if part not in known:
                    raise InputError(f"--{name}='{getattr(self, name)}': '{part}' is none of {', '.join(known)}.")

    def parts(self, name: str) -> list[str]:
        """The parts of a comma-separated field, each once."""
        return list(dict.fromkeys(part for part in getattr(self, name).split(",") if part))

    def recipe(self, learner: str, cell: str) -> Recipe:
        """The published settings, within what this configuration allows."""
        found = recipe(learner, cell)
        if learner == "protonet":
            found = dataclasses.replace(found, ways=self.protonet_ways)
        if found.inner == "sgd" and self.inner_lr:
            found = dataclasses.replace(found, inner_lr=self.inner_lr)
        least = lambda ours, published: min(ours or published, published)
        return dataclasses.replace(
            found, iterations=least(self.iterations, found.iterations), tasks=least(self.tasks, found.tasks)
        )

    def kinds(self) -> list[Kind]:
        """Every kind of model that is asked for."""
        return [
            Kind(
                learner,
                cell,
                self.recipe(learner, cell),
                normalisation,
                self.width,
                self.chunk,
                self.strategy,
                self.remat,
            )
            for cell in self.parts("tests")
            for learner in self.parts("learners")
            for normalisation in self.parts("normalisations")
        ]


QUICK = Config(tests="5x1", seeds=1, iterations=3000, width=32, tasks=4, protonet_ways=20, inner_lr=0.4)
"""Minutes on two cores. At the published inner rate, 2.0 of the mean loss, so short a training leaves FOMAML at 35 % of
its training tasks, at this one at 72 % (docs/results.md)."""

PRESETS = {"full": Config(), "quick": QUICK}


@dataclasses.dataclass(frozen=True)
class Options:
    """Where from and where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
    data: str = setting(
        ..., "Archives, or folders of them or of alphabet/character/drawings, comma-separated.", place="read"
    )
    max_minutes: float = setting(0.0, "Stop after so many minutes, to go on when called again; 0 for never.")
