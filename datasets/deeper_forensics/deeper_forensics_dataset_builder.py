"""DeeperForensics-1.0 as face crops, beside FaceForensics++'s real videos."""

import tensorflow_datasets as tfds

from metaforge.data.builders import PreparedBuilder, PreparedConfig
from metaforge.data.catalogues import CATALOGUES

_ENTRY = CATALOGUES["deeper_forensics"]


class Builder(PreparedBuilder):
    """DeeperForensics-1.0 as face crops, beside FaceForensics++'s real videos."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = _ENTRY.instructions
    BUILDER_CONFIGS = [  # noqa: RUF012
        PreparedConfig(
            name="default", folder="deeper_forensics", dataset="deeper_forensics", description="as handed out"
        )
    ]
    ABOUT, CITATION, HOMEPAGE = (
        "DeeperForensics-1.0 as face crops, beside FaceForensics++'s real videos.",
        _ENTRY.citation,
        _ENTRY.homepage,
    )
