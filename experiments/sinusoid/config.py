"""The settings of `experiments.sinusoid`."""

import dataclasses

from metaforge.bounds import Bounds, check_bounds
from metaforge.errors import InputError
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """How to train and how to judge; the defaults are the paper's."""

    seeds: int = setting(3, "Trained models: initial parameters and streams of tasks.", least=1, most=10_000)
    iterations: int = setting(70_000, "Outer steps.", least=1)
    tasks: int = setting(25, "Tasks in a meta-batch.", least=1, most=1_000_000)
    shots: int = setting(10, "Support points of a task in training.", least=1, most=1_000_000)
    queries: int = setting(10, "Query points of a task in training.", least=1, most=1_000_000)
    inner_lr: float = setting(0.01, "MAML's inner rate, in training and at test (released code: 0.001).", above=0)
    outer_lr: float = setting(1e-3, "Adam's rate, for MAML and for pre-training.", above=0)
    order: str = setting("second", "Order of the outer gradient.", choices=("first", "second"))
    test_tasks: int = setting(600, "Test tasks.", least=1, most=1_000_000)
    validation_tasks: int = setting(2000, "Tasks on which rates are chosen.", least=1, most=1_000_000)
    rates: str = setting("0.001,0.002,0.005,0.0075,0.01,0.015,0.02,0.03", "Rates tried at test, comma-separated.")
    chunk: int = setting(1000, "Outer steps to one line of the log; a checkpoint is ten lines.", least=1)

    def check(self) -> None:
        """Raises `InputError` for what cannot work, naming the field."""
        check_bounds(self)
        if not all(Bounds(above=0).holds(rate) for rate in self.rate_grid()):
            raise InputError(f"--rates='{self.rates}': give numbers above 0.")

    def rate_grid(self) -> list[float]:
        """`rates` as numbers."""
        try:
            return [float(rate) for rate in self.rates.split(",")]
        except ValueError:
            raise InputError(f"--rates='{self.rates}': give numbers, such as 0.001,0.01.") from None


PRESETS = {"full": Config(), "quick": Config(seeds=2, iterations=5000, test_tasks=200, validation_tasks=500)}


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
