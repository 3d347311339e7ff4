"""A folder that says of itself that it holds face crops, and by which convention: no face is looked for in those."""

from pathlib import Path

from metaforge.data.crops import CROPS, Crop
from metaforge.errors import InputError
from metaforge.runs import read_json, write_json

NAME = "crops.json"
"""The file beside the crops; a folder of `metaforge prepare` has `provenance.json`, which says the same."""

PAIRS = "pairs.csv"
"""A table beside the crops of which fake was made from which real image."""


def mark(folder: Path, *, crop: str, size: int) -> None:
    """Writes that all pictures below a folder are crops of one convention and size.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     mark(Path(folder), crop="ffpp", size=160)
        ...     crop_of(Path(folder) / "real")
        'ffpp'
    """
    write_json(folder / NAME, {"crop": crop, "size": size})


def crop_of(path: Path) -> str:
    """The convention of the crops below a folder, or "" where nothing says that it holds crops.

    The folder itself is asked, and the two above it: `--target=OUT` and `--images=OUT/real` are both understood.

    Raises:
        InputError: when the file is damaged or names a convention that nobody knows.
    """
    for folder in [path, *path.resolve().parents][:3]:
        for name in (NAME, "provenance.json"):
            if (folder / name).is_file():
                crop = read_json(folder / name).get("crop", "")
                if name != NAME and crop not in CROPS:
                    continue  # some other program's
                if crop not in CROPS:
                    raise InputError(f"crops: '{folder / name}' says '{crop}'; known: {', '.join(CROPS)}.")
                return crop
    return ""


def crop_for(own: Crop, path: Path, *, crops: bool) -> tuple[Crop | None, str]:
    """By which convention faces are to be cut out of the pictures in a folder for a detector, and what is amiss.

    Args:
        own: the convention that the detector was trained on.
        path: a folder of pictures, or of crops.

    Other Arguments:
        crops: whether somebody says that they are crops.

    Returns:
        The convention, `None` where the pictures are crops already; and one line if they are of another convention
        than the detector's, "" otherwise.

    Example:
        >>> crop_for("ffpp", Path("nowhere"), crops=False), crop_for("ffpp", Path("nowhere"), crops=True)
        (('ffpp', ''), (None, ''))
    """
    said = crop_of(path)
    if said and said != own:
        cut = f"crops: those in '{path.as_posix()}' were cut by '{said}'"
        return None, f"{cut}, and the detector was trained on '{own}'. Its scores may be worth less."
    return (None if crops or said or own == "whole" else own), ""
