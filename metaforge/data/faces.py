"""Real faces, from the photographs that ship with scikit-image or from any folder, and their split by person."""

import re
import unicodedata
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metaforge.data.copies import groups, picture_key
from metaforge.data.folders import Skipped, left_out, list_images
from metaforge.data.formats import READ
from metaforge.data.images import read_image, square
from metaforge.errors import InputError
from metaforge.forgeries.base import Face

EMBEDDED = "lfw"
"""The source that needs no data: 100 faces of Labeled Faces in the Wild, 25 x 25 pixels, grey, in scikit-image."""


class FaceSet(NamedTuple):
    """Real faces, cropped and of one size.

    Attributes:
        faces: the faces; images uint8 RGB `(size, size, 3)`.
        skipped: files that were not read, and why.
    """

    faces: list[Face]
    skipped: list[Skipped]


def load_faces(source: str, *, size: int, identity: str = "", landmarks: str = "") -> FaceSet:
    """Loads real faces from the embedded set or from a folder of photographs.

    Where a photograph has landmarks it is cropped to the square around them, with a margin; otherwise to its central
    square, so photographs should then be face crops already.

    Args:
        source: "lfw" for the embedded set, or a folder, searched with its subfolders.
        size: the side of the cropped faces, in pixels.

    Other Arguments:
        identity: a regular expression whose first group finds the person in a file's path below the folder
            (`"^([^/]+)/"`: one subfolder a person). By default every file is a person of its own.
        landmarks: an `.npz` file of one array `(points, 2)` a photograph, x and y in its pixels, under the key
            `<folder>__<file stem>`. By default any `landmarks*.npz` in the folder.

    Returns:
        A `FaceSet`, in the order of the paths. Of photographs with equal pixels the first is taken, and people who
        share one are one person, so that nobody is in two splits.

    Raises:
        InputError: when the folder is missing or holds no readable image; the expression is none, has no group, does
            not match or finds one person in all photographs; several files of landmarks are in the folder, they are
            of other photographs, or no landmarks.

    Example:
        >>> faces, skipped = load_faces("lfw", size=32)
        >>> len(faces), faces[0].image.shape, faces[0].image.dtype
        (100, (32, 32, 3), dtype('uint8'))

    References:
        Huang et al., *Labeled Faces in the Wild*, UMass Amherst technical report 07-49, 2007.
    """
    if source == EMBEDDED:
        for name, given in (("identity", identity), ("landmarks", landmarks)):
            if given:
                raise InputError(f"{name}: '{given}' is for a folder, not the embedded faces. Leave it out.")
        return FaceSet(_embedded(size), [])
    root = Path(source)
    paths = list_images(root, what="faces")
    if not paths:
        raise InputError(f"faces: no image in '{source}'. Give a folder that holds some ({', '.join(sorted(READ))}).")
    names = [path.relative_to(root).as_posix() for path in paths]
    person = _people(names, identity)
    points = _read_landmarks(root, landmarks)
    if points and not points.keys() & {_landmarks_key(name) for name in names}:
        raise InputError(
            f"landmarks: none is of a photograph in '{source}'; the first is called '{next(iter(points))}', and "
            f"'{_landmarks_key(names[0])}' would be of the first photograph. Give the file of these photographs."
        )
    faces, skipped = [], []
    shown: dict[str, list[str]] = {}
    for path, name in zip(paths, names, strict=True):
        try:
            image = read_image(path)
        except InputError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        same = shown.setdefault(picture_key(image) or name, [])
        same.append(name)
        if len(same) > 1:
            skipped.append(Skipped(name, f"the same picture as '{same[0]}'. Left out; one of them is enough."))
            continue
        marks = points.get(_landmarks_key(name))
        if marks is not None:
            _check_landmarks(marks, name)
            image, marks = _crop_to_landmarks(image, marks, size=size)
        else:
            image = square(image, size=size)
        faces.append(Face(image, marks, _text(name), person[name]))
    if not faces:
        raise InputError(
            f"faces: none of the {len(skipped)} images in '{source}' can be read; the first: {skipped[0].reason} "
            "Give a folder of intact photographs."
        )
    # Whoever shares a photograph cannot be told apart.
    one = groups([person[name] for name in same] for same in shown.values())
    faces = [face._replace(identity=one(face.identity)) for face in faces]
    if identity and len(faces) > 1 and len({face.identity for face in faces}) == 1:
        raise InputError(
            f"identity: '{identity}' finds one person, '{faces[0].identity}', in all {len(faces)} photographs, which "
            "then cannot be split by person. Give one whose brackets tell people apart."
        )
    used = {file.resolve() for file in _landmark_files(root, landmarks)}
    skipped += [other for other in left_out(root, what="faces") if (root / other.path).resolve() not in used]
    return FaceSet(faces, skipped)


def split_people(
    faces: list[Face], *, fractions: dict[str, float] | None = None, seed: int = 0
) -> dict[str, list[Face]]:
    """Splits faces so that no person stands in two splits.

    Args:
        faces: the faces.

    Other Arguments:
        fractions: how much of the people each split gets, summing to 1; by default train 0.6, validation 0.15 and
            test 0.25.
        seed: which split; the same seed gives the same split of the same people, whatever the order of the faces.

    Returns:
        Split name to faces.

    Raises:
        InputError: when there are fewer people than are needed for two in every split.

    Example:
        >>> faces, _ = load_faces("lfw", size=16)
        >>> {split: len(members) for split, members in split_people(faces).items()}
        {'train': 60, 'validation': 15, 'test': 25}
    """
    fractions = fractions or {"train": 0.6, "validation": 0.15, "test": 0.25}
    people = sorted({face.identity for face in faces})
    if len(people) < 2 * len(fractions):
        raise InputError(
            f"faces: {len(people)} people are too few for the splits {', '.join(fractions)}, which need two each. "
            "Give more photographs, or check `identity`."
        )
    order = np.random.default_rng(seed).permutation(len(people))
    # At least two people a split: a face swap needs a donor.
    sizes = np.maximum(2, np.floor(np.array(list(fractions.values())) * len(people)).astype(int))
    sizes[0] = len(people) - sizes[1:].sum()
    bounds = np.cumsum([0, *sizes])
    home = {people[row]: name for name, low, high in zip(fractions, bounds, bounds[1:], strict=False)
            for row in order[low:high]}  # fmt: skip
    return {name: [face for face in faces if home[face.identity] == name] for name in fractions}


def _embedded(size: int) -> list[Face]:
    from skimage.data import lfw_subset  # ships inside the wheel: no network

    grey = np.round(lfw_subset()[:100] * 255).astype(np.uint8)
    return [
        Face(square(np.repeat(image[..., None], 3, axis=-1), size=size), None, f"lfw_{i:03d}", f"lfw_{i:03d}")
        for i, image in enumerate(grey)
    ]


def _text(name: str) -> str:
    """A name as tables hold it: of bytes that are no letters, their numbers."""
    return name.encode(errors="backslashreplace").decode()


def _people(names: list[str], pattern: str) -> dict[str, str]:
    """Who is in each photograph, before any of them is read."""
    if not pattern:
        return {name: _text(name) for name in names}
    try:
        search = re.compile(pattern)
    except re.error as error:
        raise InputError(f"identity: '{pattern}' is not a regular expression ({error}).") from None
    if not search.groups:
        raise InputError(f"identity: '{pattern}' finds no group, for it has none. Put brackets around the person.")
    people = {}
    for name in names:
        found = search.search(name)
        if found is None or not (found.group(1) or "").strip():
            raise InputError(
                f"identity: '{pattern}' finds no group in '{name}'. It needs one pair of brackets that matches."
            )
        # Two ways to write a letter are one name.
        people[name] = _text(unicodedata.normalize("NFC", found.group(1).strip()))
    return people


def _landmarks_key(name: str) -> str:
    return name.rsplit(".", 1)[0].replace("/", "__")


def _landmark_files(root: Path, given: str) -> list[Path]:
    return [Path(given)] if given else sorted(root.glob("landmarks*.npz"))


def _read_landmarks(root: Path, given: str) -> dict[str, np.ndarray]:
    files = _landmark_files(root, given)
    if not files:
        return {}
    if len(files) > 1:
        raise InputError(
            f"landmarks: '{files[0].name}' and '{files[1].name}' are both in '{root}'. Say which by `landmarks`."
        )
    try:
        archive = np.load(files[0], allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise TypeError("a single array")
        with archive:
            return {key: np.asarray(archive[key], np.float32) for key in archive.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"landmarks: cannot read '{files[0]}' ({error}). Give an .npz of plain arrays.") from None


def _check_landmarks(marks: np.ndarray, name: str) -> None:
    good = marks.ndim == 2 and marks.shape[1:] == (2,) and len(marks) >= 3 and bool(np.isfinite(marks).all())
    if not good or float(np.ptp(marks, axis=0).min()) < 1:
        raise InputError(
            f"landmarks: those of '{name}' are not three or more points (x, y) that enclose something. "
            "Correct them, or leave this photograph out of the file."
        )


def _crop_to_landmarks(image: np.ndarray, marks: np.ndarray, *, size: int, margin: float = 0.15):
    """The square around the landmarks, with a margin on each side, and the landmarks in its pixels."""
    extent = np.array(image.shape[1::-1])
    low, high = marks.min(axis=0), marks.max(axis=0)
    # No larger than the photograph and inside it: pixels that it does not have would have to be invented.
    side = min(round(float((high - low).max()) * (1 + 2 * margin)), int(extent.min()))
    corner = np.clip(np.round((low + high) / 2 - side / 2).astype(int), 0, extent - side)
    crop = image[corner[1] : corner[1] + side, corner[0] : corner[0] + side]
    return square(crop, size=size), ((marks - corner) * (size / side)).astype(np.float32)
