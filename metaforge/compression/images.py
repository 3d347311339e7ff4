"""The images that a student learns from, and those that it is judged on."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metaforge.backbones.spec import BackboneSpec
from metaforge.data.crop_folder import crop_for
from metaforge.data.crops import Crop
from metaforge.data.folders import read_folder
from metaforge.data.images import square
from metaforge.data.specs import FacesSpec
from metaforge.errors import InputError
from metaforge.screening.target_images import CLASSES, read_target
from metaforge.training import build
from metaforge.training.config import Config


class Faces(NamedTuple):
    """Face crops.

    Attributes:
        images: uint8 `(images, size, size, 3)`.
        people: a name for each; photographs in one subfolder, or a fake and its real one, share it.
        labels: 0 for real and 1 for fake; `None` where nobody says.
        held: whether each is judged on and not learned from; nobody is in both.
    """

    images: np.ndarray
    people: np.ndarray
    labels: np.ndarray | None
    held: np.ndarray

    def at(self, size: int) -> np.ndarray:
        """The images with so many pixels a side."""
        if self.images.shape[1] == size:
            return self.images
        return np.stack([square(image, size=size) for image in self.images])

    def digest(self) -> str:
        """By which images are known again: a SHA-256 of them and of who is judged on."""
        found = hashlib.sha256(np.ascontiguousarray(self.images).tobytes())
        found.update(self.held.tobytes())
        return found.hexdigest()


def check_given(options: Any, usual: Any) -> None:
    """Holds that what is said of a folder of images is not said without one.

    Args:
        options: of a command, with `images`, `crops` and `test_share`.
        usual: those that nobody changed.

    Raises:
        InputError: when it is.
    """
    for name in ("crops", "test_share"):
        value = getattr(options, name)
        if not options.images and value != getattr(usual, name):
            said = f"{value}".lower()
            raise InputError(f"--{name}={said}: it is of the folder --images. Name one, or leave it out.")


def of_folder(folder: str, *, size: int, crop: Crop, crops: bool, share: float, seed: int, quiet: bool = True) -> Faces:
    """Photographs or crops below a folder; its real/ and fake/ are labels, if it has both.

    Raises:
        InputError: when there is nothing to read, or no two people.
    """
    asked, _ = crop_for(crop, Path(folder), crops=crops)
    if all(Path(folder, name).is_dir() for name in CLASSES):
        images, labels, people, *_ = read_target(folder, size=size, crop=asked, quiet=quiet)
    else:
        found = read_folder(folder, size=size, crop=asked, quiet=quiet)
        images, labels = found.images, None
        people = np.array([name.split("/")[0] if "/" in name else name.rsplit(".", 1)[0] for name in found.names])
    return Faces(np.asarray(images), people, labels, _held(people, share=share, seed=seed))


def of_forgeries(faces: FacesSpec, *, size: int, quiet: bool = True) -> Faces:
    """Forgeries as `metaforge train` makes them: it learns from those of training, and is judged on validation."""
    config = Config(model=BackboneSpec(image_size=size), faces=faces)
    parts = [build.records(config, split=split, quiet=quiet) for split in ("train", "validation")]
    return Faces(
        np.concatenate([np.asarray(part.image) for part in parts]),
        np.concatenate([np.array(part.identity.tolist()) for part in parts]),
        np.concatenate([np.minimum(np.asarray(part.label), 1) for part in parts]),
        np.repeat([False, True], [len(part) for part in parts]),
    )


def _held(people: np.ndarray, *, share: float, seed: int) -> np.ndarray:
    names = np.unique(people)
    if len(names) < 2:
        raise InputError(
            "images: there is one person, as all photographs of one subfolder are. Give two or more: some are learned "
            "from, others judged on."
        )
    count = min(max(1, round(share * len(names))), len(names) - 1)
    return np.isin(people, np.random.default_rng(seed).permutation(names)[:count])
