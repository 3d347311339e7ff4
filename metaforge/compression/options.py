"""What `metaforge distill` and `metaforge prune` can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.backbones.spec import BackboneSpec
from metaforge.compression.spec import TeachingSpec
from metaforge.data.specs import FacesSpec
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class DistillOptions:
    """From which detectors, on which images, where to."""

    teachers: str = setting(..., "Saved detectors or training runs, comma-separated; several are one ensemble.")
    out: str = setting(..., "Folder for the student, a detector; must not exist yet.", place="folder")
    images: str = setting(
        "", "Folder of photographs, with real/ and fake/ or without; '' for the forgeries of --faces.", place="read"
    )
    crops: bool = setting(False, "Whether they are face crops already; otherwise faces are found.")
    test_share: float = setting(0.2, "Share of their people that the report is about.", above=0, below=1)


@dataclasses.dataclass(frozen=True)
class DistillConfig:
    """The student, how it is taught, and the images where no folder is given."""

    model: BackboneSpec = BackboneSpec(image_size=84)
    teaching: TeachingSpec = TeachingSpec()
    faces: FacesSpec = FacesSpec()


@dataclasses.dataclass(frozen=True)
class PruneOptions:
    """What is pruned, how much, and on which images it is tuned again."""

    model: str = setting(..., "A saved detector or a training run, on an efficientnet.", place="read")
    out: str = setting(..., "Folder for the smaller detector; must not exist yet.", place="folder")
    share: float = setting(0.5, "Share of the channels inside blocks that go.", least=0, below=1)
    images: str = setting("", "Folder of photographs to tune it on, without labels; '' for none.", place="read")
    crops: bool = setting(False, "Whether they are face crops already; otherwise faces are found.")
    within: str = setting("block", "Of which channels the weakest go.", choices=("block", "network"))
    head: str = setting(
        "taught", "After it: a head in closed form of the detector's own logits, or its head.",
        choices=("taught", "kept"),
    )  # fmt: skip
    multiple: int = setting(8, "Blocks keep a multiple of so many channels.", least=1, most=1024)
    test_share: float = setting(0.2, "Share of the images' people that the report is about.", above=0, below=1)
    weights: str = setting("", "Where the detector's file of weights is, if it has moved.", place="read")


@dataclasses.dataclass(frozen=True)
class PruneConfig:
    """How it is tuned."""

    teaching: TeachingSpec = TeachingSpec(steps=200, batch=16, rate=3e-4, logits=0.0, features=1.0)
