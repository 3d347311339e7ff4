"""Real faces, from photographs that ship with the package or from any folder, and their split by person."""

import functools
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metaforge.data.copies import groups
from metaforge.data.embedded_faces import EMBEDDED, LONDON, embedded_faces
from metaforge.data.folders import Skipped, left_out, list_images
from metaforge.data.formats import READ
from metaforge.data.found_faces import check_found
from metaforge.data.landmarks import MESH, NONE, landmark_files, landmarks_key, read_landmarks
from metaforge.data.photograph import looked_at
from metaforge.errors import InputError
from metaforge.forgeries.base import Face
from metaforge.progress import MANY, progress
from metaforge.workers import in_order


class FaceSet(NamedTuple):
    """Real faces, cropped and of one size.

    Attributes:
        faces: the faces; images uint8 RGB `(size, size, 3)`.
        skipped: files that were not read, and why.
    """

    faces: list[Face]
    skipped: list[Skipped]


def load_faces(
    source: str,
    *,
    size: int,
    identity: str = "",
    landmarks: str = "",
    around: bool = False,
    workers: int = 2,
    quiet: bool = True,
) -> FaceSet:
    """Loads real faces from an embedded set or from a folder of photographs.

    - Where landmarks are read from a file, a photograph is cropped to the square around them, with a margin; one that
      the file does not have, to its central square.
    - Where there is no file, the largest face of each photograph is found and cut out as `prepare` does by default, and
      its mesh are the landmarks. This needs the extra `faces`. A photograph without a face is left out, and said.
    - Without landmarks a photograph is cropped to its central square, so it should then be a face crop already.

    Args:
        source: "london" or "lfw" for an embedded set, or a folder, searched with its subfolders.
        size: the side of the cropped faces, in pixels.

    Other Arguments:
        identity: a regular expression whose first group finds the person in a file's path below the folder
            (`"^([^/]+)/"`: one subfolder a person). By default every file is a person of its own.
        landmarks: an `.npz` file of one array `(points, 2)` a photograph, x and y in its pixels, under the key
            `<folder>__<file stem>`; "mesh" for what the finder says; "none". By default any `landmarks*.npz` in the
            folder, or else "mesh".
        around: whether faces get what lies around them in the photograph (`metaforge.forgeries.framing`). Where there
            are no landmarks, they do not: a crop that was taken as it is has nothing around it.
        workers: threads that read photographs and find faces; of each at most two photographs wait.
        quiet: whether to show no progress; of fewer than 200 photographs none is shown.

    Returns:
        A `FaceSet`, in the order of the paths. Of photographs with equal pixels the first is taken, and people who
        share one are one person, so that nobody is in two splits.

    Raises:
        InputError: when the folder is missing or holds no readable image; the expression is none, has no group, does
            not match or finds one person in all photographs; several files of landmarks are in the folder, they are
            of other photographs, or no landmarks; faces cannot be found because the extra `faces` is not installed.

    Example:
        >>> faces, skipped = load_faces("london", size=32)
        >>> len(faces), faces[0].image.shape, faces[0].image.dtype
        (204, (32, 32, 3), dtype('uint8'))

    References:
        DeBruine and Jones, *Face Research Lab London Set*, 2017. Huang et al., *Labeled Faces in the Wild*, UMass
        Amherst technical report 07-49, 2007.
    """
    if source in EMBEDDED:
        # The embedded crops have meshes or none; a file would be of other photographs.
        for name, given in (("identity", identity), ("landmarks", "" if landmarks == NONE else landmarks)):
            if given:
                raise InputError(f"{name}: '{given}' is for a folder, not the embedded faces. Leave it out.")
        return FaceSet(embedded_faces(source, size=size, landmarks=landmarks != NONE, around=around), [])
    root = Path(source)
    paths = list_images(root, what="faces")
    if not paths:
        raise InputError(f"faces: no image in '{source}'. Give a folder that holds some ({', '.join(sorted(READ))}).")
    names = [path.relative_to(root).as_posix() for path in paths]
    person = _people(names, identity)
    points = read_landmarks(root, landmarks)
    find = landmarks_of(source, landmarks) == MESH
    if find:
        check_found()
    if points and not points.keys() & {landmarks_key(name) for name in names}:
        raise InputError(
            f"landmarks: none is of a photograph in '{source}'; the first is called '{next(iter(points))}', and "
            f"'{landmarks_key(names[0])}' would be of the first photograph. Give the file of these photographs."
        )
    faces, skipped = [], []
    shown: dict[str, list[str]] = {}
    look = functools.partial(looked_at, find=find, size=size, around=around, busy={})
    marks = (points.get(landmarks_key(name)) for name in names)
    seen = in_order(lambda given: look(*given), zip(paths, names, marks, strict=True), workers=workers)
    with progress("reading faces", len(paths), unit="file", quiet=quiet or len(paths) < MANY) as bar:
        for name, (key, face, why, fault) in zip(names, seen, strict=True):
            bar.update()
            same = shown.setdefault(key or name, []) if key is not None else []
            same.append(name)
            if len(same) > 1:
                face, why = None, f"the same picture as '{same[0]}'. Left out; one of them is enough."
            elif fault is not None:
                raise fault
            if face is None:
                skipped.append(Skipped(name, why))
            else:
                faces.append(face._replace(name=_text(name), identity=person[name]))
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
    used = {file.resolve() for file in landmark_files(root, landmarks)}
    skipped += [other for other in left_out(root, what="faces") if (root / other.path).resolve() not in used]
    return FaceSet(faces, skipped)


def landmarks_of(source: str, landmarks: str) -> str:
    """Where the landmarks of `load_faces` come from: the name of a file, "mesh" or "none".

    Args:
        source: as in `load_faces`.
        landmarks: as in `load_faces`.

    Example:
        >>> [landmarks_of(*of) for of in (("london", ""), ("lfw", ""), ("london", "none"))]
        ['mesh', 'none', 'none']
    """
    if source in EMBEDDED:
        return NONE if source != LONDON or landmarks == NONE else MESH
    files = landmark_files(Path(source), landmarks)
    return files[0].name if files else landmarks or MESH


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
