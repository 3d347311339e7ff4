"""Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn by 20 people (MIT licence)."""

import io
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import tensorflow_datasets as tfds

from metaforge.errors import InputError

HALVES = ("images_background", "images_evaluation")
DOWNLOAD = "https://github.com/brendenlake/omniglot/raw/master/python/"


class Builder(tfds.core.GeneratorBasedBuilder):
    """Omniglot in its two official halves: 30 alphabets to learn from, 20 to be tested on."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Download images_background.zip and images_evaluation.zip from github.com/brendenlake/omniglot, folder "
        "python/, and give the folder that holds them, packed. The config 'download' fetches them by itself."
    )
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="manual", description="from the two archives in a folder"),
        tfds.core.BuilderConfig(name="download", description="fetched from its repository"),
    ]

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(105, 105, 1), encoding_format="png"),
            "alphabet": tfds.features.Text(),
            "character": tfds.features.Text(),
            "drawer": tfds.features.Scalar(dtype=np.int32),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="1,623 characters of 50 alphabets, 20 drawings each, 105 x 105 pixels, ink 0 on 255.",
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/brendenlake/omniglot",
            license="MIT",
            citation=(Path(__file__).parent / "CITATIONS.bib").read_text(encoding="utf-8"),
        )

    def _split_generators(self, dl_manager):
        if self.builder_config.name == "manual":
            archives = [Path(dl_manager.manual_dir) / f"{half}.zip" for half in HALVES]
        else:
            archives = dl_manager.download([f"{DOWNLOAD}{half}.zip" for half in HALVES])
        return {half.removeprefix("images_"): self._generate_examples(Path(archive))
                for half, archive in zip(HALVES, archives, strict=True)}  # fmt: skip

    def _generate_examples(self, archive):
        if not archive.exists():
            raise InputError(f"omniglot: there is no '{archive}'. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}")
        with zipfile.ZipFile(archive) as packed:
            # Read in memory, never unpacked: a name that leads outside could only be a manipulated archive's.
            for name in sorted(packed.namelist()):
                parts = PurePosixPath(name).parts
                if ".." in parts or name.startswith("/"):
                    raise InputError(
                        f"omniglot: '{name}' in '{archive.name}' leads outside the archive. Download it again."
                    )
                if not name.endswith(".png") or len(parts) < 3 or parts[-1].startswith("."):
                    continue
                alphabet, character, file = parts[-3:]
                yield (
                    f"{alphabet}/{character}/{file}",
                    {
                        "image": io.BytesIO(_eight_bits(packed.read(name))),
                        "alphabet": alphabet,
                        "character": f"{alphabet}/{character}",
                        "drawer": int(PurePosixPath(file).stem.split("_")[1]),
                    },
                )


def _eight_bits(data):
    """The drawings are stored with one bit a pixel; readers of PNG differ in what they make of that."""
    from PIL import Image

    stream = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("L").save(stream, format="PNG")
    return stream.getvalue()
