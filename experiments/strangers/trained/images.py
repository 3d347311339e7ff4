"""Forged pairs of every collection as images: as they were made, and as strangers' photographs are treated."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.strangers.faces import collections, methods
from experiments.strangers.trained.config import Config
from metaforge.data.faces import split_people
from metaforge.data.records import Records, concatenate
from metaforge.forgeries.base import Face
from metaforge.forgeries.synthesis import synthesise
from metaforge.progress import progress
from metaforge.settings import change
from metaforge.whole import write_arrays

COLUMNS = ("label", "method", "identity", "donor", "pair")
PLAIN, TREATED = "none", "wild"
"""What training sees, and what is judged on besides."""


def tables(config: Config, folder: Path, *, quiet: bool) -> dict[str, dict[str, Records]]:
    """Images by collection and treatment, each in a file of its own; those whose file is there are read.

    A collection is forged in two halves of its people, as `experiments.strangers.features` does it.
    """
    asked = change(config.of_strangers(), {"model.image_size": config.image_size, "faces.acquisitions": TREATED})
    folder.mkdir(parents=True, exist_ok=True)
    paths, names = sorted(folder.glob("images-*.npz")), folder / "collections.txt"
    if not names.exists():
        found, _ = collections(asked, quiet=quiet)
        total = sum(len(mine) for mine in found.values()) * len(methods(asked)) * 2 * config.faces.variants
        with progress("forging", total, unit="pair", quiet=quiet) as bar:
            for number, mine in enumerate(found.values()):
                for kind in (PLAIN, TREATED):
                    path = folder / f"images-{number}-{kind}.npz"
                    if not path.exists():
                        write_arrays(path, compressed=False, **_forged(config, mine, methods(asked), kind, bar.update))
        names.write_text("\n".join(found), encoding="utf-8")
        paths = sorted(folder.glob("images-*.npz"))
    read = names.read_text(encoding="utf-8").split("\n")
    made: dict[str, dict[str, Records]] = {name: {} for name in read}
    for path in paths:
        _, number, kind = path.stem.split("-")
        name = read[int(number)]
        with np.load(path, allow_pickle=False) as file:
            columns = {column: file[column].tolist() for column in COLUMNS}
            columns["pair"] = [f"{name}/{pair}" for pair in columns["pair"]]
            domains = [f"{name}/{method}" for method in columns["method"]]
            made[name][kind] = Records.from_columns(image=file["image"], domain=domains, **columns)
    return made


def texts(column: np.ndarray) -> np.ndarray:
    """A column of names in NumPy's plain form, which can be searched.

    Example:
        >>> texts(np.array(["a", "bc"], np.dtypes.StringDType())).dtype
        dtype('<U2')
    """
    return np.array(column.tolist())


def _forged(config: Config, faces: Sequence[Face], kinds: Sequence[str], treatment: str, update) -> dict:
    halves = split_people(list(faces), fractions={"first": 0.5, "second": 0.5}, seed=config.seed)
    parts = [
        synthesise(
            halves[half], methods=kinds, variants=config.faces.variants, seed=config.seed, split="test",
            acquisitions=(treatment,), fit_faces=halves[other], progress=update,
        )
        for half, other in (("first", "second"), ("second", "first"))
    ]  # fmt: skip
    whole = concatenate(parts)
    columns = {column: np.array(np.asarray(getattr(whole, column)).tolist()) for column in COLUMNS}
    return {"image": np.asarray(whole.image), **columns}
