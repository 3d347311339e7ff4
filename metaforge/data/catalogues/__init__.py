"""From a folder that a user downloaded to a table of its videos, and a list of what is wrong with it.

Each data set of the field has its own layout, lists and traps; a catalogue knows them, and hands out one table for all:
labels with 1 for fake, names that no other video has, people, pairs, and splits that share neither videos nor people.
"""

import inspect
from typing import Any

from metaforge.data.catalogues._base import Catalogue, Entry, Finding, Split, Video
from metaforge.data.catalogues._celeb_df import celeb_df
from metaforge.data.catalogues._deeper_forensics import deeper_forensics
from metaforge.data.catalogues._df40 import df40
from metaforge.data.catalogues._dfdc import dfdc
from metaforge.data.catalogues._faceforensics import faceforensics
from metaforge.data.catalogues._folder import face_folder
from metaforge.data.catalogues._sources import SOURCES
from metaforge.data.catalogues._splits import check_splits
from metaforge.data.catalogues._wild_deepfake import read_member_frames, wild_deepfake
from metaforge.data.images import FilePath
from metaforge.errors import InputError

CATALOGUES: dict[str, Entry] = {
    read.__name__: Entry(read, *SOURCES[read.__name__])
    for read in (faceforensics, celeb_df, dfdc, wild_deepfake, df40, deeper_forensics, face_folder)
}
"""The data sets by name: how each is read, how it is obtained, and whom to cite."""


def read_catalogue(name: str, root: FilePath, **options: Any) -> Catalogue:
    """The videos of a data set as they lie in a folder. Nothing is written, and no video is opened.

    Files that are missing, there twice, empty, closed to us or in no list become findings and are left out.

    Args:
        name: one of `CATALOGUES`; `help(CATALOGUES[name].read)` tells of its rules.
        root: the folder, as the data set's instructions draw it.
        **options: of the data set, such as `compression`, `version` or `subset`.

    Returns:
        Videos sorted with the real ones first, in an order that depends on their names alone.

    Raises:
        InputError: when the name or an option is unknown, or nothing usable is there.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("real/anna.mp4", "fake/swap/anna.mp4"):
        ...         Path(folder, name).parent.mkdir(parents=True)
        ...         _ = Path(folder, name).write_bytes(b"x")
        ...     found = read_catalogue("face_folder", folder)
        >>> [(video.key, video.label) for video in found.videos]
        [('face_folder/real/anna', 0), ('face_folder/swap/anna', 1)]
    """
    if name not in CATALOGUES:
        raise InputError(f"catalogue: no data set '{name}'; there are: {', '.join(CATALOGUES)}.")
    known = list(inspect.signature(CATALOGUES[name].read).parameters)[1:]
    for option in options:
        if option not in known:
            raise InputError(f"{name}: no option '{option}'; there are: {', '.join(known) or 'none'}.")
    return CATALOGUES[name].read(root, **options)


__all__ = [
    "CATALOGUES",
    "Catalogue",
    "Entry",
    "Finding",
    "Split",
    "Video",
    "check_splits",
    "read_catalogue",
    "read_member_frames",
]
