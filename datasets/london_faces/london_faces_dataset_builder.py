"""Face Research Lab London Set: 102 people, photographed neutral and smiling; real faces to forge from (CC BY 4.0)."""

import csv
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from metaforge.errors import InputError

EXPRESSIONS = ("neutral", "smiling")
DOWNLOAD = "https://figshare.com/ndownloader/articles/5047666/versions/5"


class Builder(tfds.core.GeneratorBasedBuilder):
    """Face Research Lab London Set: real portraits of 102 people who agreed to be shown, neutral and smiling."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Download neutral_front.zip, smiling_front.zip and london_faces_info.csv from "
        "doi.org/10.6084/m9.figshare.5047666 (free, CC BY 4.0), unpack them, and give the folder that holds "
        "neutral_front/, smiling_front/ and the CSV file. The config 'download' fetches the whole set by itself."
    )
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="manual", description="from a folder"),
        tfds.core.BuilderConfig(name="download", description="fetched from figshare"),
    ]

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "identity": tfds.features.Text(),
            "expression": tfds.features.ClassLabel(names=EXPRESSIONS),
            "age": tfds.features.Scalar(dtype=np.int32),
            "gender": tfds.features.Text(),
            "ethnicity": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Real portraits of 102 people who agreed to be shown, neutral and smiling, 1350 pixels.",
            features=tfds.features.FeaturesDict(features),
            homepage="https://doi.org/10.6084/m9.figshare.5047666",
            license="CC BY 4.0",
            citation=(Path(__file__).parent / "CITATIONS.bib").read_text(encoding="utf-8"),
        )

    def _split_generators(self, dl_manager):
        if self.builder_config.name == "manual":
            return {"faces": self._generate_examples(Path(dl_manager.manual_dir))}
        whole = Path(dl_manager.download_and_extract(DOWNLOAD))
        parts = dl_manager.extract([str(whole / f"{expression}_front.zip") for expression in EXPRESSIONS])
        return {"faces": self._generate_examples(whole, *map(Path, parts))}

    def _generate_examples(self, root, *extracted):
        known = self._people(root)
        for place, expression in enumerate(EXPRESSIONS):
            folder = (extracted[place] if extracted else root) / f"{expression}_front"
            files = sorted(folder.glob("*.jpg"))
            if not files:
                raise InputError(f"london_faces: no photograph in '{folder}'. Unpack {expression}_front.zip there.")
            for file in files:
                # The set writes 001_03.jpg: the person, and the camera.
                identity = file.stem.split("_")[0]
                about = known.get(identity.lstrip("X"), {})
                yield (
                    f"{expression}/{file.name}",
                    {
                        "image": file,
                        "identity": identity,
                        "expression": expression,
                        "age": int(age) if (age := about.get("face_age", "")).isdecimal() else -1,  # some are "NA"
                        "gender": about.get("face_gender", ""),
                        "ethnicity": about.get("face_eth", ""),
                    },
                )

    def _people(self, root):
        """Age, gender and ethnicity by person, where the list is there."""
        path = root / "london_faces_info.csv"
        if not path.exists():
            return {}
        with open(path, newline="", encoding="utf-8-sig") as stream:
            return {row["face_id"].lstrip("X"): row for row in csv.DictReader(stream)}
