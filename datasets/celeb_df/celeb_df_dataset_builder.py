"""Celeb-DF as face crops, versions 1 and 2."""

import tensorflow_datasets as tfds

from metaforge.data.builders import PreparedBuilder, PreparedConfig
from metaforge.data.catalogues import CATALOGUES

_ENTRY = CATALOGUES["celeb_df"]


class Builder(PreparedBuilder):
    """Celeb-DF as face crops, versions 1 and 2."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = _ENTRY.instructions
    BUILDER_CONFIGS = [  # noqa: RUF012
        PreparedConfig(name="v1", folder="celeb_df_v1", dataset="celeb_df", description="version 1"),
        PreparedConfig(name="v2", folder="celeb_df", dataset="celeb_df", description="version 2"),
    ]
    ABOUT, CITATION, HOMEPAGE = "Celeb-DF as face crops, versions 1 and 2.", _ENTRY.citation, _ENTRY.homepage
