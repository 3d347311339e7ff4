"""Single images whose forgery is known: one part of a face by one change, or the face by a method, coded as JPEG."""

import csv
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from experiments.explaining.config import Config
from metaforge.data.detection import find_face
from metaforge.data.faces import load_faces
from metaforge.errors import InputError
from metaforge.forgeries.base import Face, Forged
from metaforge.forgeries.compression import jpeg
from metaforge.forgeries.parts import PARTS, STRENGTHS, forge_part
from metaforge.forgeries.synthesis import FORGERIES, augment, donor_of, make
from metaforge.screening.explaining.seeing import region_weights

FORGED = 0.25
"""The share of a region that is forged if the region is, as for pairs."""

QUALITY = 50, 95
"""Between which qualities of JPEG every image is coded, the real ones too."""

FAMILIES = {
    "colour": ("part: colour",),
    "sharpness": ("part: blur", "smooth", "resample", "reconstruction"),
    "noise": ("part: texture",),
    "geometry": ("part: structure", "warp"),
    "another face": ("part: splice", "splice", "swap", "poisson_swap"),
    "self-blending": ("self_blend",),
}
"""Methods that leave like traces, which are left out together. "part: " is a change of one part of a face."""

FIT, CALIBRATE, PEOPLE, COLLECTION = "fit", "calibrate", "other people", "another collection"
"""What people serve for; the last two are judged."""


class Case(NamedTuple):
    """An image, and what is true of it.

    Attributes:
        image: uint8 RGB, coded.
        weights: where each region is, by landmarks that were found in this image; `None` if no face was found.
        mask: where at least half as much is forged as where most is.
        true: which regions are forged.
        method: a name of `FAMILIES`, or "" for a real image.
        part: of `PARTS`, or "" for the whole face.
        collection: of the photograph.
        person: on it.
        name: of the photograph.
        role: what the person serves for.
        quality: of JPEG.
    """

    image: UInt8[np.ndarray, "size size 3"]
    weights: UInt8[np.ndarray, "regions size size"] | None
    mask: Bool[np.ndarray, "size size"]
    true: Bool[np.ndarray, " regions"]
    method: str
    part: str
    collection: str
    person: str
    name: str
    role: str
    quality: int


def family_of(method: str) -> str:
    """The family of a method, "" for a real image.

    Example:
        >>> family_of("part: blur"), family_of("")
        ('sharpness', '')
    """
    return next((name for name, methods in FAMILIES.items() if method in methods), "")


def collections(config: Config, *, size: int, quiet: bool = True) -> dict[str, list[Face]]:
    """One photograph of each person, by collection.

    Raises:
        InputError: without a folder, without the judged collection or another one, or for a table that misses a file.
    """
    if not config.faces:
        raise InputError("--faces is missing: name a folder whose subfolders are collections.")
    found: dict[str, list[Face]] = defaultdict(list)
    table = _table(config.people) if config.people else None
    seen = set()
    for face in load_faces(config.faces, size=size, landmarks="mesh", quiet=quiet).faces:
        if table is not None and face.name not in table:
            raise InputError(f"--people: '{config.people}' says nobody for '{face.name}'. Add the row.")
        person = face.name if table is None else table[face.name]
        collection, _, rest = face.name.partition("/")
        if rest and person not in seen and (not config.most or len(found[collection]) < config.most):
            seen.add(person)
            found[collection].append(face._replace(identity=person))
    if config.judged not in found or len(found) < 2:
        raise InputError(
            f"--judged={config.judged}: the collections in '{config.faces}' are {', '.join(sorted(found)) or 'none'}. "
            "Name one of two or more."
        )
    return dict(sorted(found.items()))


def roles(config: Config, faces: dict[str, list[Face]]) -> dict[str, str]:
    """What each person serves for."""
    found = {}
    for collection, mine in faces.items():
        people = np.random.default_rng(config.seed).permutation(sorted({face.identity for face in mine}))
        first, second = (round(len(people) * share) for share in (config.fitted, config.fitted + config.calibrated))
        for place, person in enumerate(people):
            others = FIT if place < first else CALIBRATE if place < second else PEOPLE
            found[str(person)] = COLLECTION if collection == config.judged else others
    return found


def cases(config: Config, faces: dict[str, list[Face]]) -> Iterator[Case]:
    """A real image, one of each change of a part, and some of the whole face, of every photograph.

    Donors serve for the same as the person. Photographs come in a drawn order.
    """
    serves = roles(config, faces)
    fitted = [face for mine in faces.values() for face in mine if serves[face.identity] == FIT]
    methods = {name: make(name, fitted) for name in FORGERIES}
    every = [(collection, face) for collection, mine in faces.items() for face in mine]
    for turn, number in enumerate(np.random.default_rng([config.seed, 1]).permutation(len(every))):
        collection, face = every[number]
        role = serves[face.identity]
        donors = [other for other in faces[collection] if serves[other.identity] == role]
        rng = np.random.default_rng([config.seed, 2, zlib.crc32(face.name.encode())])
        shown = augment(rng, face)
        assert shown.landmarks is not None
        inside = region_weights(shown.landmarks, len(shown.image)).astype(bool)
        for method, part, forged in _forged(rng, shown, donors, methods, turn, config.methods):
            quality = int(rng.integers(QUALITY[0], QUALITY[1] + 1))
            image = jpeg(shown.image if forged is None else forged.fake, quality)
            mask = np.zeros(image.shape[:2], bool) if forged is None else forged.mask >= 0.5 * forged.mask.max()
            true = (inside & mask).sum((1, 2)) / np.maximum(inside.sum((1, 2)), 1) >= FORGED
            yield Case(image, weights_in(image), mask, true, method, part, collection, face.identity, face.name, role,
                       quality)  # fmt: skip


def weights_in(image: np.ndarray) -> np.ndarray | None:
    """Where the regions of the face in an image are, by its own mesh."""
    found = find_face(image)
    if found is None or found.mesh is None:
        return None
    try:
        return region_weights(found.mesh, len(image))
    except InputError:
        return None


def _forged(
    rng: np.random.Generator, face: Face, donors: list[Face], methods: dict, turn: int, count: int
) -> Iterator[tuple[str, str, Forged | None]]:
    """Method, part and forgery; a face without a donor is not spliced."""
    yield "", "", None
    others = any(donor.identity != face.identity for donor in donors)
    for change in STRENGTHS:
        part = list(PARTS)[int(rng.integers(len(PARTS)))]
        if change != "splice" or others:
            donor = donor_of(rng, face, donors) if others else None
            yield f"part: {change}", part, forge_part(rng, face, part, change, donor=donor)
    for step in range(count):
        forgery = list(methods.values())[(turn * count + step) % len(methods)]
        if not forgery.needs_donor or others:
            donor = donor_of(rng, face, donors) if forgery.needs_donor else None
            yield forgery.name, "", forgery.forge(rng, face, donor)


def _table(path: str) -> dict[str, str]:
    if not Path(path).is_file():
        raise InputError(f"--people: no file '{path}'.")
    with open(path, newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    if not rows or not {"file", "person"} <= set(rows[0]):
        raise InputError(f"--people: '{path}' needs rows, and the columns file and person.")
    return {row["file"]: row["person"] for row in rows}
