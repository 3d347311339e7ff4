"""DF40: forty forgery methods, as face crops."""

import tensorflow_datasets as tfds

from metaforge.data.builders import PreparedBuilder, PreparedConfig
from metaforge.data.catalogues import CATALOGUES

_ENTRY = CATALOGUES["df40"]


class Builder(PreparedBuilder):
    """DF40: forty forgery methods, as face crops."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = _ENTRY.instructions
    BUILDER_CONFIGS = [  # noqa: RUF012
        PreparedConfig(name="default", folder="df40", dataset="df40", description="as handed out")
    ]
    ABOUT, CITATION, HOMEPAGE = "DF40: forty forgery methods, as face crops.", _ENTRY.citation, _ENTRY.homepage
