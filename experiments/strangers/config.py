"""The settings of `experiments.strangers`."""

import dataclasses

from metaforge.backbones.spec import BackboneSpec
from metaforge.bounds import Bounds
from metaforge.data.specs import CollectedFaces
from metaforge.errors import InputError
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Faces(CollectedFaces):
    """Real faces of several collections, and what is forged of them."""

    methods: str = setting("all", "Forgery methods, comma-separated; three or more.")
    acquisitions: str = setting("none", "Of none, jpeg, downscale, varied, wild: what happens to real and fake alike.")
    variants: int = setting(1, "Forged pairs of each face, method and acquisition.", least=1, most=100)


@dataclasses.dataclass(frozen=True)
class Config:
    """What is measured, and how often."""

    faces: Faces = Faces()
    model: BackboneSpec = BackboneSpec(
        image_size=160,
        backbone="efficientnet_lite0",
        weights="imagenet",
        normalisation="frozen",
        levels="2,4,6,8,10,12,14",
    )
    shots: str = setting("5,10,20,50", "Labelled images a class, comma-separated.")
    draws: int = setting(5, "Support sets of each number of shots.", least=1, most=1000)
    unlabelled: int = setting(
        30, "Real images of the target beside the support set, for rules that take them.", most=10_000
    )
    judged: int = setting(
        20, "People who are judged, at least; with fewer a number of shots is left out.", least=2, most=10_000
    )
    resamples: int = setting(1000, "Of people, for intervals.", least=10, most=1_000_000)
    seed: int = setting(0, "Of forgeries, support sets and resamples.", most=2**32 - 1)

    def numbers(self) -> tuple[int, ...]:
        """The shots, in order.

        Raises:
            InputError: for what is no list of whole numbers.
        """
        try:
            found = tuple(sorted({int(part) for part in self.shots.split(",")}))
        except ValueError:
            found = ()
        if not found or not all(map(Bounds(1, 10_000).holds, found)):
            raise InputError(f"--shots={self.shots}: give whole numbers from 1 up, such as 5,10,20.")
        return found


@dataclasses.dataclass(frozen=True)
class Options:
    """Of what, where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
    unknown: str = setting("", "Folder of images of a generator, all fake, to judge on beside; or none.", place="read")
    unknown_name: str = setting("", "What it is called in the report; default: the folder's name.")
