"""Explanations of files: as JSON, and as pictures with the map over them."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from metaforge.data.detection import check_finder
from metaforge.data.folders import list_images
from metaforge.data.formats import READ
from metaforge.data.images import read_image, reason_of
from metaforge.errors import InputError, printable
from metaforge.screening.detector import Detector
from metaforge.screening.explaining.explanation import Explanation, explain
from metaforge.screening.predicting import load

HOT = np.array([230.0, 90.0, 0.0])
"""The colour of evidence."""

_LONGEST = 255 - len(".png")  # bytes


def loaded(model: str, *, weights: str = "") -> Detector:
    """A detector that can explain.

    Raises:
        InputError: if it has no region head, or faces cannot be found here.
    """
    detector = load(model, weights=weights)
    if not isinstance(detector, Detector) or detector.regions is None:
        raise InputError(f"--model: the detector in '{model}' has no regions.npz, which says where. Make one that "
                         "has: python -m experiments.explaining.")  # fmt: skip
    check_finder()
    return detector


def explained(
    detector: Detector, path: Path, *, crops: bool = False
) -> Iterator[tuple[dict[str, Any], Image.Image | None]]:
    """A row of JSON for each image, and its picture with the map; a file that cannot be read says why.

    Args:
        detector: with a region head.
        path: an image, or a folder.

    Other Arguments:
        crops: whether the images are face crops already.

    Raises:
        InputError: for a folder without images, or a single file that cannot be read.
    """
    alone = path.is_file()
    files = [path] if alone else list_images(path)
    if not files:
        ends = ", ".join(sorted(READ))
        raise InputError(f"images: no image in '{printable(path.as_posix())}'. Give a folder that holds {ends} files.")
    for file in files:
        name = file.name if alone else file.relative_to(path).as_posix()
        try:
            picture = read_image(file)
        except InputError as error:
            if alone:
                raise
            yield {"version": 1, "file": name, "note": reason_of(error, file.as_posix())}, None
            continue
        found = explain(detector, picture, crop="whole" if crops else "")
        yield as_json(name, found), overlay(picture, found.map) if found.verdict else None


def as_json(name: str, found: Explanation) -> dict[str, Any]:
    """An explanation as an object of plain values.

    Example:
        >>> as_json("a.jpg", Explanation(None, {}, (), "No face.", np.zeros((2, 2)), ()))["sentence"]
        'No face.'
    """
    said = found.verdict
    return {
        "version": 1,
        "file": name,
        "p_fake": found.p_fake,
        "decision": said.decision if said else None,
        "reason": said.reason if said else None,
        "familiarity": said.familiarity if said else None,
        "box": list(found.box),
        "regions": {region: round(p, 4) for region, p in found.regions.items()},
        "named": list(found.named),
        "sentence": found.sentence,
        "limits": list(found.limits),
        "overlay": f"overlays/{_stem(name)}.png" if said else None,
    }


def _stem(name: str) -> str:
    """The name of an image, with a SHA-256 for what would be no name of its own.

    Such are the name of a file that with a suffix is longer than file systems take, and that of a folder that ends in
    .png: an image beside it may have the same one with the suffix.
    """
    *above, last = name.split("/")
    named = [_hashed(part) if part.lower().endswith(".png") else part for part in above]
    return "/".join([*named, _hashed(last) if len(os.fsencode(last)) > _LONGEST else last])


def _hashed(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()


def overlay(picture: np.ndarray, shown: np.ndarray) -> Image.Image:
    """A grey picture, the more coloured the higher the map.

    Example:
        >>> drawn = np.asarray(overlay(np.full((1, 2, 3), 100, np.uint8), np.array([[0.0, 1.0]])))
        >>> drawn[0].tolist()
        [[100, 100, 100], [197, 92, 25]]
    """
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    share = 0.75 * shown[..., None]
    return Image.fromarray(((1 - share) * grey + share * HOT).astype(np.uint8))
