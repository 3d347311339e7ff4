"""The Deepfake Detection Challenge's data as face crops: its training parts, preview and test."""

import tensorflow_datasets as tfds

from metaforge.data.builders import PreparedBuilder, PreparedConfig
from metaforge.data.catalogues import CATALOGUES

_ENTRY = CATALOGUES["dfdc"]


class Builder(PreparedBuilder):
    """The Deepfake Detection Challenge's data as face crops: its training parts, preview and test."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = _ENTRY.instructions
    BUILDER_CONFIGS = [  # noqa: RUF012
        PreparedConfig(name="train", folder="dfdc_train", dataset="dfdc", description="the 50 training parts"),
        PreparedConfig(name="preview", folder="dfdc_preview", dataset="dfdc", description="the preview"),
        PreparedConfig(name="test", folder="dfdc", dataset="dfdc", description="the labelled test videos"),
    ]
    ABOUT, CITATION, HOMEPAGE = (
        "The Deepfake Detection Challenge's data as face crops: its training parts, preview and test.",
        _ENTRY.citation,
        _ENTRY.homepage,
    )
