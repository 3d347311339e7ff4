"""FaceForensics++ as face crops, at a compression of c0, c23 or c40."""

import tensorflow_datasets as tfds

from metaforge.data.builders import PreparedBuilder, PreparedConfig
from metaforge.data.catalogues import CATALOGUES

_ENTRY = CATALOGUES["faceforensics"]


class Builder(PreparedBuilder):
    """FaceForensics++ as face crops, at a compression of c0, c23 or c40."""

    pkg_dir_path = None  # the folder is no package: it must not shadow one of its name
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = _ENTRY.instructions
    BUILDER_CONFIGS = [  # noqa: RUF012
        PreparedConfig(
            name="c0", folder="faceforensics_c0", dataset="faceforensics", description="as uploaded, losslessly kept"
        ),
        PreparedConfig(
            name="c23",
            folder="faceforensics_c23",
            dataset="faceforensics",
            description="H.264 at CRF 23 (high quality)",
        ),
        PreparedConfig(
            name="c40", folder="faceforensics_c40", dataset="faceforensics", description="H.264 at CRF 40 (low quality)"
        ),
    ]
    ABOUT, CITATION, HOMEPAGE = (
        "FaceForensics++ as face crops, at a compression of c0, c23 or c40.",
        _ENTRY.citation,
        _ENTRY.homepage,
    )
