"""WildDeepfake: face sequences from the internet."""

import tensorflow_datasets as tfds

from metaforge.data.builders import PreparedBuilder, PreparedConfig
from metaforge.data.catalogues import CATALOGUES

_ENTRY = CATALOGUES["wild_deepfake"]


class Builder(PreparedBuilder):
    """WildDeepfake: face sequences from the internet."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = _ENTRY.instructions
    BUILDER_CONFIGS = [  # noqa: RUF012
        PreparedConfig(name="default", folder="wild_deepfake", dataset="wild_deepfake", description="as handed out")
    ]
    ABOUT, CITATION, HOMEPAGE = "WildDeepfake: face sequences from the internet.", _ENTRY.citation, _ENTRY.homepage
