"""Videos set aside from a test split, to draw support sets from where a data set has nothing but a test split."""

import dataclasses

import numpy as np

from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

SHARE = 0.1
"""Of the people (videos, where people are unknown) of a test split: at least so many are set aside."""


def set_aside(records: Records, *, shots: int) -> Records:
    """A table whose training split is a part of what was its test split.

    People are drawn by a fixed seed before anything is scored: a tenth of them, and more until what shows nobody else
    has the labelled images that were asked for. Images that show somebody set aside beside somebody who is not are in
    neither part. What was the training split is left out.

    Args:
        records: a whole table, with its splits.

    Other Arguments:
        shots: labelled images a class that a support set takes, at least 1.

    Raises:
        InputError: when half of the people have too few images.

    Example:
        >>> images, videos = np.zeros((40, 8, 8, 3), np.uint8), [f"set/real/{n}" for n in range(40)]
        >>> table = Records.from_columns(image=images, label=[0, 1] * 20, video=videos, split=["test"] * 40)
        >>> parts = set_aside(table, shots=1)
        >>> len(parts.where(split="train")), len(parts.where(split="test"))
        (4, 36)
    """
    test = records.where(split="test")
    shown = _shown(test)
    names = np.unique(shown)
    order = np.random.default_rng(0).permutation(names)
    for count in range(max(1, int(np.ceil(SHARE * len(names)))), len(names) // 2 + 1):
        chosen = np.isin(shown, order[:count])
        inside, outside = chosen.all(axis=1), ~chosen.any(axis=1)
        few = [len(set(_names(test.take(inside & (test.label == label))))) for label in (REAL, FAKE)]
        if min(few) >= shots:
            rows = np.flatnonzero(records.split == "test")
            split = records.split.copy()
            split[rows] = ""
            split[rows[inside]] = "train"
            split[rows[outside]] = "test"
            split[records.split == "train"] = ""
            return dataclasses.replace(records, split=split).take(split != "")
    raise InputError(
        f"support: half of the {len(names)} people or videos of the test split do not give {shots} real and {shots} "
        "fake images. Lower `shots`, or give a folder with a train split as `support`."
    )


def _shown(records: Records) -> np.ndarray:
    """Who or what must not be torn apart, text `(records, 3)`: people; of nobody known, the original or the video."""
    original = records.originals()
    whose = np.where(original == "", records.video, original)
    identity = np.where(records.identity == "", whose, records.identity)
    donor = np.where(records.donor == "", identity, records.donor)
    return np.stack([identity, donor, np.where(original == "", identity, original)], axis=1)


def _names(records: Records) -> list:
    image = records.image
    return list(range(len(image))) if isinstance(image, np.ndarray) else image.paths.tolist()
