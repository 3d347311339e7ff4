"""The settings of `experiments.explaining`."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """Of whom, and how it is judged."""

    model: str = setting("docs/strong/detector", "A saved detector on levels of an EfficientNet-Lite.", place="read")
    faces: str = setting("", "Folder of photographs; its subfolders are the collections.", place="read")
    people: str = setting(
        "", "A CSV with the columns file (below the folder) and person; '' for one each.", place="read"
    )
    judged: str = setting("bundestag", "The collection that is judged and nothing else.")
    fitted: float = setting(0.6, "Share of the other people who are fitted to.", least=0.1, most=0.8)
    calibrated: float = setting(0.2, "Share who calibrate; the rest is judged too.", least=0.05, most=0.5)
    methods: int = setting(2, "Forgeries of the whole face of each photograph, beside one of each change of a part.",
                           least=1, most=8)  # fmt: skip
    most: int = setting(0, "Photographs of each collection at most; 0 for all.", most=100_000)
    shown: int = setting(200, "Judged images whose maps are scored.", least=1, most=10_000)
    resamples: int = setting(1000, "Resamples of people for the intervals.", least=10, most=100_000)
    seed: int = setting(0, "Of all that is drawn.", most=2**32 - 1)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
