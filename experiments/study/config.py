"""The settings of `experiments.study`."""

import dataclasses

from experiments.study.methods import STUDIES
from metaforge.settings import change, setting
from metaforge.training.config import FINE_TUNED, Config

STUDY = change(
    Config(),
    {"run.baseline": False, "model.width": 16, "run.iterations": 300, "run.log_every": 20, "run.checkpoint_every": 300},
)
"""How every model of a study is trained unless flags say otherwise."""

PRESETS = {
    "default": STUDY,
    # Learners are compared, which needs a network of which some part moves, and steps.
    "fine_tuned": change(
        FINE_TUNED,
        {
            "learner.name": STUDY.learner.name,
            "learner.adaptable": "",
            "faces.variants": 4,
            "run.iterations": 300,
            "run.log_every": 20,
            "run.checkpoint_every": 300,
        },
    ),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What to compare, where, how often."""

    study: str = setting("leave_one_out", "The question.", choices=tuple(STUDIES))
    workdir: str = setting("runs/study", "Where models, results, report and tables go.", place="folder")
    methods: str = setting("all", "The study's methods, or a comma-separated choice.")
    target: str = setting("all", "Forgery methods to hold out, each in turn.")
    seeds: int = setting(3, "Trained models of each learner and held-out method.", least=1, most=10_000)
    shots: str = setting("", "Labelled images a class, comma-separated; the study's own if left out.")
    steps: str = setting("", "Steps of adaptation, comma-separated, from 0 up; the study's own if left out.")
    episodes: int = setting(
        200, "Test episodes of every seed: 200 with 3 seeds are 600 for every mean.", least=1, most=10_000_000
    )
    tuning: int = setting(
        20, "Source-validation episodes on which rates and steps are chosen.", least=1, most=10_000_000
    )
    agreement: int = setting(0, "Outer steps between looks at how far domains' gradients agree (seed 0); 0: never.")
    resamples: int = setting(
        1000,
        "Of the bootstrap; p is 2 / (resamples + 1) at least, so give 5000 for many methods.",
        least=1,
        most=10_000_000,
    )
    workers: int = setting(0, "Processes; 0 for one a core on a CPU, and one on an accelerator.", most=10_000)
