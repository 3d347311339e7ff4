"""What the study of many files can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Where files come from and results go to."""

    faces: str = setting(..., "A folder of photographs, which is repeated by links.", place="read")
    model: str = setting(..., "A saved detector, for the part with a real one.", place="read")
    workdir: str = setting(..., "Folder for links and results; links that are there are used again.", place="folder")
    out: str = setting(..., "The JSON report to write.", place="file")


@dataclasses.dataclass(frozen=True)
class Config:
    """How many."""

    sizes: str = setting("10000,100000,1000000", "Files of each screen without a network; none if empty.")
    killed: int = setting(1_000_000, "Which of them is killed.", least=1)
    kills: int = setting(5, "Times that it is killed.", most=100)
    real: int = setting(2000, "Files of the screens with a network; 0 makes none.")
    workers: str = setting("1,2,4", "Threads of the screens with a network.")
    ray: bool = setting(False, "Whether Ray Data is tried, too (the extra `ray`).")
    seed: int = setting(0, "Draws the moments of the kills.")
