"""The settings of `experiments.strangers.trained`."""

import dataclasses

from experiments.strangers import config as strangers
from experiments.strangers.config import Faces
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained, on what, and for how long."""

    faces: Faces = Faces()
    image_size: int = setting(64, "Side of the images in pixels.", least=16, most=1024)
    width: int = setting(16, "Filters of Conv4.", least=1, most=1024)
    collections: str = setting("", "Collections that are left out, one after the other; '' for all.")
    unseen: str = setting("poisson_swap,resample,smooth,swap", "Methods of one half, which are left out together.")
    halves: int = setting(2, "2 leaves the other methods out too, the other time.", least=1, most=2)
    budget: int = setting(1600, "Tasks that every training sees, whatever its batches.", least=16, most=10_000_000)
    tasks: int = setting(4, "Tasks of a meta-batch, where nothing else is said.", least=1, most=1000)
    buckets: str = setting("2,4,8", "Numbers of tasks of dynamic batches; the ends are trained with throughout too.")
    ways: str = setting("", "Ways to train, such as light,difficulty; '' for all.")
    shots: int = setting(3, "Support images a class and task.", least=1, most=1000)
    queries: int = setting(5, "Query images a class and task.", least=1, most=1000)
    lr: float = setting(1e-3, "Adam's rate.", above=0)
    every: int = setting(80, "Tasks between looks at source validation, and between choices of a batch.", least=1)
    seeds: int = setting(2, "Of parameters and episodes.", least=1, most=100)
    resamples: int = setting(1000, "Of people, for intervals.", least=10, most=100_000)
    seed: int = setting(0, "Of forgeries, of who validates, and of resamples.", most=2**32 - 1)

    def of_strangers(self) -> strangers.Config:
        """As `experiments.strangers` is told of faces and resamples."""
        return strangers.Config(faces=self.faces, resamples=self.resamples, seed=self.seed)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
