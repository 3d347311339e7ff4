"""Any folder of real and fake faces, or a CSV manifest."""

import tensorflow_datasets as tfds

from metaforge.data.builders import PreparedBuilder, PreparedConfig
from metaforge.data.catalogues import CATALOGUES

_ENTRY = CATALOGUES["face_folder"]


class Builder(PreparedBuilder):
    """Any folder of real and fake faces, or a CSV manifest."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = _ENTRY.instructions
    BUILDER_CONFIGS = [  # noqa: RUF012
        PreparedConfig(name="default", folder="face_folder", dataset="face_folder", description="your own")
    ]
    ABOUT, CITATION, HOMEPAGE = (
        "Any folder of real and fake faces, or a CSV manifest.",
        _ENTRY.citation,
        _ENTRY.homepage,
    )
