"""The settings of `experiments.protocol`."""

import dataclasses
from typing import get_args

from metaforge.evaluation.protocols import PROTOCOLS, Selection
from metaforge.settings import setting

ASIDE = "aside"
"""In the place of a folder: support sets come from videos of the target's own test split, which then are not judged."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Which table, of what, where to."""

    protocol: str = setting("", "Which table.", choices=("", *PROTOCOLS))
    data_dir: str = setting("", "The folder with a prepared data set in each subfolder.", place="read")
    workdir: str = setting("", "Where runs, scores and the report go.", place="folder")
    seeds: int = setting(3, "Trained models of each learner.", least=1, most=10_000)
    draws: int = setting(10, "Support sets to adapt each of them on.", least=1, most=100_000)
    shots: int = setting(0, "Labelled images a class; 0 for the protocol's.", most=1_000_000)
    support: str = setting(
        "", "TARGET=FOLDER,...: folders whose train splits give the labelled images of targets that have none; or "
        f"TARGET={ASIDE}: videos of its test split, which then are not judged.",
    )  # fmt: skip
    selection: str = setting("source_validation", "What adaptation is chosen on.", choices=get_args(Selection))
    level: str = setting("", "One row of a metric; empty: the protocol's.", choices=("", "frame", "video"))
    list: bool = setting(False, "Only list the protocols, with the folders that they need.")
