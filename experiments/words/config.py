"""The settings of `experiments.words`."""

import dataclasses

from metaforge.bounds import Bounds
from metaforge.data.specs import CollectedFaces
from metaforge.errors import InputError
from metaforge.settings import setting

TOWERS = ("tokens", "conv4")
"""What looks at images: a small transformer over frozen maps of EfficientNet-Lite0, or Conv4 on small images."""


@dataclasses.dataclass(frozen=True)
class Faces(CollectedFaces):
    """Real faces of several collections, and how many of them are forged."""

    most: int = setting(30, "People of a collection, at most; one photograph of each.", least=4, most=100_000)
    size: int = setting(160, "Side of the faces when they are forged, in pixels.", least=48, most=1024)


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained, and how often."""

    faces: Faces = Faces()
    tower: str = setting("tokens", "What looks at the images.", choices=TOWERS)
    side: int = setting(64, "conv4: side of the images that it sees, in pixels.", least=16, most=1024)
    width: int = setting(32, "Size of a token, or conv4's filters; a multiple of 4.", least=4, most=1024)
    folds: int = setting(0, "Folds, from the first; 0 for all.", most=1000)
    seeds: int = setting(2, "Models of each fold and way of training.", least=1, most=100)
    pairs: int = setting(16, "Pairs of a real image and its fake in a batch.", least=2, most=4096)
    steps: str = setting("150,300", "Steps of training that are tried.")
    rates: str = setting("1e-3,3e-3", "Adam's rates that are tried.")
    weights: str = setting("0.1,1", "Weights of the words' branches that are tried; that of the image is 1.")
    resamples: int = setting(1000, "Of people, for intervals.", least=10, most=100_000)
    seed: int = setting(0, "Of forgeries, folds and resamples.", most=2**32 - 1)

    def tried(self, name: str) -> tuple[float, ...]:
        """The numbers of a list.

        Raises:
            InputError: for what is no list of positive numbers.
        """
        given = getattr(self, name)
        try:
            found = tuple(sorted({float(part) for part in given.split(",")}))
        except ValueError:
            found = ()
        if not found or not all(map(Bounds(0, 1_000_000, above=0).holds, found)):
            raise InputError(f"--{name}={given}: give positive numbers, comma-separated.")
        if name == "steps" and any(value % CHUNK for value in found):
            raise InputError(f"--steps={given}: give multiples of {CHUNK}.")
        return found


CHUNK = 50
"""Steps of one program."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
