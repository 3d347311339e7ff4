"""The settings of `experiments.finders`."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """What is measured, on how many people."""

    people: int = setting(80, "People of the landmarked set; half of them choose thresholds.", least=4, most=10_000)
    each: int = setting(30, "Photographs of each collection of --others.", least=2, most=10_000)
    empty: int = setting(300, "Pictures without a face.", least=20, most=100_000)
    false_boxes: float = setting(0.01, "False boxes a picture that are allowed.", above=0, most=10)
    rounds: int = setting(10, "Rounds in which the rate is measured.", least=2, most=1000)
    seed: int = setting(0, "Of places, backgrounds and the halves.")


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
