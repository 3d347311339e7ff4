"""The settings of `experiments.engines`."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """What is measured."""

    model: str = setting("", "A saved detector; '' for a network with random weights.", place="read")
    backbone: str = setting("efficientnet_lite0", "Of random weights: an efficientnet, or clip, which is ViT-B/16.")
    size: int = setting(224, "Side of the images, in pixels, with random weights.", least=32, most=1024)
    batches: str = setting("1,16", "Images at a time, comma-separated.")
    rounds: int = setting(30, "Rounds; each runs every program once.", least=1, most=100_000)
    forms: str = setting("", "Forms of smaller numbers by their names in the table, with semicolons; '' for all.")
    torch: bool = setting(True, "Whether to measure PyTorch too, if it is installed.")
    faces: int = setting(204, "Faces on which AUC is taken before and after, of a saved detector.", least=8, most=5000)
    known: int = setting(64, "Faces from which the ranges of 8-bit numbers are taken.", least=4, most=2000)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    out: str = setting("engines.json", "JSON file to write.", place="file")
