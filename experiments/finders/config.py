"""The settings of `experiments.finders`."""

import dataclasses

from metaforge.data.detection.finding import FINDERS
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """What is measured, on how many people."""

    finders: str = setting(",".join(FINDERS), "The finders, comma-separated.")
    people: int = setting(60, "People of the landmarked set; half of them choose thresholds.", least=4, most=10_000)
    each: int = setting(20, "Photographs of each collection of --others.", least=2, most=10_000)
    empty: int = setting(120, "Pictures without a face.", least=20, most=100_000)
    false_boxes: float = setting(0.02, "False boxes a picture that every finder is allowed.", above=0, most=10)
    rounds: int = setting(10, "Rounds of the comparison of rates.", least=2, most=1000)
    seed: int = setting(0, "Of places, backgrounds and the halves.")

    def names(self) -> list[str]:
        """`finders` as a list; the first one is what the others are compared with."""
        return [name.strip() for name in self.finders.split(",")]


@dataclasses.dataclass(frozen=True)
class Options:
    """Of what, where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
    faces: str = setting(
        ..., "Folder of the London or Canada set, its photographs in folders, with landmarks_xy_resized.npz: an array "
        "FOLDER__STEM of 189 points a photograph.", place="read",
    )  # fmt: skip
    others: str = setting(
        "", "Folder of crops around one face each, with manifest.csv (file, collection, person, face: its width); "
        "faces there are judged by centre and width.", place="read",
    )  # fmt: skip
