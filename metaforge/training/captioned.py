"""Captions of the images that a run trains on, as numbers of words beside the images."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from metaforge.backbones._reading import TEXTS
from metaforge.backbones.clip_model import WordTokenizer, words_of
from metaforge.captions import annotation_of, caption, exact
from metaforge.captions.records import read_records
from metaforge.data import prepared
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.forgeries.synthesis import Pair
from metaforge.training.config import Config

EXACT = "exact"
"""Captions that follow from what was forged."""

SPARE = 3
"""Ids that are no word: none, an unknown one and the end."""


def of_pair(pair: Pair) -> str:
    """What is true of a forgery that was made here.

    Example:
        >>> from metaforge.forgeries import Face
        >>> from metaforge.forgeries.synthesis import forge_pairs
        >>> face = Face(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8), None, "a.png", "a")
        >>> of_pair(next(forge_pairs([face], methods=["smooth"], variants=1, seed=0)))[:19]
        'a part of the image'
    """
    made = pair.forged
    return caption(exact(made.real, made.fake, made.mask, pair.landmarks))


def teller(people: str) -> Callable[[Pair], str]:
    """What is said of the forgeries of a split: nothing where nobody learns from them.

    Example:
        >>> teller("train") is of_pair
        True
    """
    return of_pair if people == "train" else lambda pair: ""


def beside(config: Config, records: Records) -> dict[str, np.ndarray] | None:
    """What a run sees beside its training images: "tokens", or nothing where it reads no captions.

    The vocabulary is that of these captions, the most frequent words first. An image without a caption has a row of
    zeros.

    Raises:
        InputError: for a file of captions that names none of the images, or where no image has a caption.
    """
    if not config.faces.captions:
        return None
    said = [text or None for text in captions(config, records).tolist()]
    known = [text for text in said if text]
    if not known:
        raise InputError(f"--faces.captions={config.faces.captions}: no training image has a caption. Leave it out.")
    sizes = TEXTS[config.model.text]
    tokenizer = WordTokenizer(words_of(known, most=sizes.vocabulary - SPARE))
    return {"tokens": tokenizer(said, context=sizes.context, truncate=True)}


def weights(config: Config) -> dict[str, float]:
    """What each branch of `metaforge.objectives.image_text` counts.

    Example:
        >>> weights(Config())
        {'alignment': 1.0, 'image': 1.0, 'multimodal': 1.0}
    """
    return {name: getattr(config.objective, name) for name in ("alignment", "image", "multimodal")}


def told(records: Records) -> tuple[np.ndarray, ...]:
    """A table's captions, if it has some: what a run remembers its images by."""
    return () if records.caption is None else (records.caption,)


def fingerprint(config: Config) -> str:
    """SHA-256 of a run's file of captions, in hexadecimal; "" without one. Exact ones are known by their images.

    Raises:
        InputError: when it cannot be read.

    Example:
        >>> fingerprint(Config())
        ''
    """
    file = config.faces.captions
    if file in ("", EXACT):
        return ""
    try:
        with open(file, "rb") as found:
            return hashlib.file_digest(found, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"--faces.captions: cannot read '{file}' ({error.strerror}).") from None


def captions(config: Config, records: Records) -> np.ndarray:
    """What is said of every image, "" where nothing is."""
    if records.caption is not None:
        return records.caption
    found = {record["fake"]: said(record) for record in read_records(config.faces.captions)}
    paths = prepared.paths(records).tolist()
    if not {*paths} & {*found}:
        raise InputError(
            f"--faces.captions: '{config.faces.captions}' names none of the images, such as '{paths[0]}'. Its paths "
            "have to be those of the manifest."
        )
    return np.array([found.get(path, "") for path in paths], np.dtypes.StringDType())


def said(record: Mapping[str, Any]) -> str:
    """The caption of an annotation's record.

    Example:
        >>> given = {"answer": "forged", "reason": "", "coverage": {"mouth": 0.9}, "types": ["colour"]}
        >>> said(given | {"regions": ["mouth"], "cues": {}, "shift": [0, 0], "noise": 1.0, "derivation": []})
        'the mouth; the colour differs'
    """
    return caption(annotation_of(record))
