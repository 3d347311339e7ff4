"""The settings of `experiments.demo`."""

import dataclasses

from metaforge.settings import setting

LEARNERS = ("maml", "daml", "erm")


@dataclasses.dataclass(frozen=True)
class Options:
    """What to hold out, how often to repeat."""

    workdir: str = setting("runs/demo", "Where runs, report and figures go.", place="folder")
    target: str = setting("swap", "The forgery method held out, or 'all' for each in turn.")
    seeds: int = setting(3, "Trained models of each learner.", least=1, most=10_000)
    draws: int = setting(10, "Support sets that each model is adapted on.", least=1, most=100_000)
