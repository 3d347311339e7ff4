"""The base of the TFDS builders in `datasets/`: prepared face crops to records that any reader of TFDS opens.

Needs the extra `tfds`; TensorFlow is not needed, as long as the file format is `array_record`. Nothing of metaforge
imports this module.
"""

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from metaforge.data import tables
from metaforge.data.manifest import FIELDS, NAME, SPLITS
from metaforge.errors import InputError


@dataclasses.dataclass
class PreparedConfig(tfds.core.BuilderConfig):
    """A prepared folder below the manual directory: one for each thing that changes bytes on the disk.

    Attributes:
        folder: its name.
        dataset: what its provenance must say that it was made from.
    """

    folder: str = ""
    dataset: str = ""


class PreparedBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Reads a folder that `metaforge prepare` wrote; a subclass names its configs, version and instructions.

    A record has `image` (uint8 RGB, PNG inside), `label` (real, fake) and the manifest's other columns. Its key is its
    path, so that records are the same bytes in the same order however often they are built.
    """

    builder_config: PreparedConfig  # type: ignore[assignment]
    VERSION = tfds.core.Version("1.0.0")
    CITATION, HOMEPAGE, ABOUT = "", "", ""

    def _info(self) -> tfds.core.DatasetInfo:
        text = {name: tfds.features.Text() for name in FIELDS if name not in ("label", "frame", "mask")}
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["real", "fake"]),
            "frame": tfds.features.Scalar(dtype=np.int32),
            **text,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.ABOUT,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage=self.HOMEPAGE,
            citation=self.CITATION,
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        root = Path(dl_manager.manual_dir) / self.builder_config.folder
        rows = read_rows(root)
        if {row["dataset"] for row in rows} != {self.builder_config.dataset}:
            names = ", ".join(sorted({row["dataset"] for row in rows}))
            raise InputError(f"{self.name}: '{root}' was prepared from {names}, not {self.builder_config.dataset}.")
        present = {row["split"] for row in rows}
        return {split: examples(root, rows, split) for split in SPLITS if split in present}

    def _generate_examples(self, *args):
        raise NotImplementedError("splits have generators of their own")


def read_rows(root: Path) -> list[dict[str, str]]:
    """The rows of a manifest, as text.

    Raises:
        InputError: when the folder has none, or it is damaged.
    """
    if not (root / NAME).exists():
        raise InputError(f"manual_dir: no {NAME} in '{root}'. Let metaforge prepare write it there.")
    found = []
    try:
        with open(root / NAME, newline="", encoding="utf-8-sig") as stream:
            for line, cells, problem, lacks in tables.lines(stream, known=FIELDS, needed=FIELDS):
                if problem or lacks:
                    raise ValueError(f"has {problem or 'too few values'} in line {line}")
                found.append(cells)
    except (ValueError, csv.Error) as error:
        raise InputError(f"manual_dir: '{root / NAME}' {error}. Prepare the data again.") from None
    return found


def examples(root: Path, rows: list[dict[str, str]], split: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a split, keyed by path."""
    for row in rows:
        if row["split"] == split:
            rest = {name: row[name] for name in FIELDS if name not in ("label", "frame", "mask")}
            yield (
                row["path"],
                {"image": root / row["path"], "label": int(row["label"]), "frame": int(row["frame"]), **rest},
            )
