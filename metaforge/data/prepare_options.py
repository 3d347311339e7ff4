"""What `metaforge prepare` can be told; nothing heavy is imported to say so."""

import dataclasses
import os
from typing import Any

from metaforge.data.catalogues import CATALOGUES
from metaforge.data.crops import CROPS
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What to do."""

    dataset: str = setting(..., "Which data set.", choices=tuple(CATALOGUES))
    source: str = setting("", "The folder as its owners hand it out.", place="read")
    out: str = setting("", "The folder to write.", place="folder")
    check: bool = setting(False, "Only look, and say what is wrong.")
    instructions: bool = setting(False, "Only say how to get the data set, and what goes where.")
    workers: int = setting(os.cpu_count() or 1, "Processes; each holds a few frames at a time.", least=1, most=10_000)


@dataclasses.dataclass(frozen=True)
class Config:
    """What changes the crops. An empty setting is the data set's default."""

    frames: int = setting(32, "Frames of each video, spread evenly over all of it.", least=1, most=1_000_000)
    crop: str = setting("ffpp", "How a face is cut out; whole: not at all.", choices=CROPS)
    size: int = setting(256, "Side of the crops, in pixels.", least=1, most=8192)
    methods: str = setting("", "Forgery methods, comma-separated; all if empty.")
    compression: str = setting("", "faceforensics: c0, c23 or c40.")
    version: str = setting("", "celeb_df: v1 or v2.")
    subset: str = setting("", "dfdc: train, preview or test.")
    disjoint: str = setting("", "celeb_df: identity or video.")
    ff_root: str = setting("", "deeper_forensics: the FaceForensics++ folder, which has its real videos.", place="read")

    def options(self) -> dict[str, Any]:
        """What the catalogue is asked for."""
        names = ("compression", "version", "subset", "disjoint", "ff_root")
        return {name: getattr(self, name) for name in names if getattr(self, name)}
