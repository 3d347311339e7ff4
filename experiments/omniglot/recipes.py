"""How each learner was trained on Omniglot by those who published it, and what they reached."""

import dataclasses
from typing import Any

CELLS = ("5x1", "5x5", "20x1", "20x5")
"""Ways x shots."""
NAMES = {"maml": "MAML", "fomaml": "FOMAML", "anil": "ANIL", "reptile": "Reptile", "protonet": "ProtoNet"}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One learner on one kind of task.

    Attributes:
        iterations: outer steps.
        tasks: in a meta-batch.
        ways: characters in a training task.
        shots: support drawings of each in training.
        queries: query drawings of each in training.
        inner: the inner rule, "sgd", "adam" (whose beta1 is 0) or "" for none.
        inner_lr: its rate on the mean cross-entropy.
        steps: inner steps in training.
        test_steps: inner steps at test, each on the whole support set.
        batch: images in one of Reptile's inner steps in training.
        outer: the outer rule: "adam", "adam_halved" (every 2,000 steps) or "linear" (plain steps, shrinking to 0).
        outer_lr: its rate, at the beginning.
    """

    iterations: int
    tasks: int
    ways: int
    shots: int
    queries: int
    inner: str = "sgd"
    inner_lr: float = 0.0
    steps: int = 0
    test_steps: int = 0
    batch: int = 0
    outer: str = "adam"
    outer_lr: float = 1e-3


def ways_and_shots(cell: str) -> tuple[int, int]:
    """The numbers in "5x1"."""
    ways, shots = cell.split("x")
    return int(ways), int(shots)


def recipe(learner: str, cell: str) -> Recipe:
    """The published settings, as the released code has them.

    MAML's code divides a task's loss by the shots and sums it over classes, so its inner rate on the mean is `ways`
    times what it says: 0.4 is 2.0 at 5 ways, and 0.1 is 2.0 at 20. Reptile's are the command lines of its README,
    transductive at 5x1. ProtoNet trains on 60 ways; it stops by validation, here after 20,000 episodes, when its rate
    has been halved ten times.
    """
    ways, shots = ways_and_shots(cell)
    if learner == "reptile":
        inner_lr, batch, steps, tasks, drawings, test_steps, outer_lr = {
            "5x1": (1e-3, 25, 3, 10, 15, 5, 1.0),
            "5x5": (1.5e-3, 10, 5, 5, 10, 100, 0.7),
            "20x1": (4.6e-4, 15, 12, 3, 9, 97, 1.0),
            "20x5": (4.6e-4, 20, 12, 3, 12, 97, 1.0),
        }[cell]
        # It takes no query set: all drawings are pooled.
        where = {"iterations": 200_000 if ways == 20 else 100_000, "tasks": tasks, "ways": ways}
        inner = {"inner": "adam", "inner_lr": inner_lr, "batch": batch, "steps": steps, "test_steps": test_steps}
        return Recipe(**where, shots=drawings - 1, queries=1, **inner, outer="linear", outer_lr=outer_lr)
    if learner == "protonet":
        return Recipe(20_000, 1, 60, shots, 5, "", outer="adam_halved")
    steps, test_steps, tasks = (1, 3, 32) if ways == 5 else (5, 5, 16)
    return Recipe(60_000, tasks, ways, shots, shots, "sgd", {5: 0.4, 20: 0.1}[ways] * ways, steps, test_steps)


PUBLISHED: dict[str, dict[str, dict[str, str]]] = {
    "maml": {"episode": {"5x1": "98.7 ± 0.4", "5x5": "99.9 ± 0.1", "20x1": "95.8 ± 0.3", "20x5": "98.9 ± 0.2"}},
    "fomaml": {"episode": {"5x1": "98.3 ± 0.5", "5x5": "99.2 ± 0.2", "20x1": "89.4 ± 0.5", "20x5": "97.9 ± 0.1"}},
    "anil": {"episode": {"20x1": "96.2 ± 0.5", "20x5": "98.0 ± 0.3"}},
    "reptile": {
        "episode": {"5x1": "97.68 ± 0.04", "5x5": "99.48 ± 0.06", "20x1": "89.43 ± 0.14", "20x5": "97.12 ± 0.32"},
        "support": {"5x1": "95.39 ± 0.09", "5x5": "98.90 ± 0.10", "20x1": "88.14 ± 0.15", "20x5": "96.65 ± 0.33"},
    },
    "protonet": {"support": {"5x1": "98.8", "5x5": "99.7", "20x1": "96.0", "20x5": "98.9"}},
}
"""Accuracy in per cent, by learner, normalisation and task.

MAML: Finn et al. 2017, table 1. FOMAML (with transduction) and Reptile (with and without): Nichol et al. 2018, table 2;
± is a 95 % interval over episodes. ANIL: Raghu et al. 2020, ± is the standard deviation of three initialisations.
ProtoNet: Snell et al. 2017, whose statistics are running averages of training, so no query sees another.
"""


STATISTICS = {"episode": "batch statistics (transductive)", "support": "support statistics (inductive)"}


@dataclasses.dataclass(frozen=True)
class Kind:
    """What the programs of a model depend on: all but its seed.

    Attributes:
        learner: by name.
        cell: ways x shots at test.
        recipe: how it is trained.
        normalisation: whose statistics normalise an image.
        width: filters of Conv4.
        chunk: outer steps in one program.
        strategy: how tasks run.
        remat: what an exact gradient computes again.
    """

    learner: str
    cell: str
    recipe: Recipe
    normalisation: Any
    width: int
    chunk: int
    strategy: str = "auto"
    remat: str = "none"

    @property
    def trained(self) -> str:
        """The folder of its models, but for the seed. Reptile's minibatches lend their own statistics either way."""
        parts = [self.cell, self.learner] + ([self.normalisation] if self.learner != "reptile" else [])
        return "-".join(parts)

    @property
    def answers(self) -> str:
        """The file in there that says which queries a model classified as they should be: with it, it is done."""
        return f"test-{self.normalisation}.npy"
