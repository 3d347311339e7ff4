"""One picture under several names: copies, links and other spellings, which must not stand on two sides of a split.

A picture is one by its pixels where these are in memory. Of files that nobody has decoded yet, a table of a million
asks the file system which names lead to one file, which reads nothing; what a stranger listed is compared byte by byte
too, but only files of one size.
"""

import array
import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from metaforge.data.files import ImageFiles
from metaforge.data.folders import Skipped
from metaforge.data.images import read_image
from metaforge.errors import InputError
from metaforge.labels import REAL


class Once(NamedTuple):
    """Labelled pictures, each once.

    Attributes:
        rows: the row numbers of those that stay.
        groups: of all rows, the name of the group that each is in now.
        left: those that were left out, and why.
    """

    rows: np.ndarray
    groups: np.ndarray
    left: list[Skipped]


def groups(links: Iterable[Iterable[str]]) -> Callable[[str], str]:
    """Names that are linked, over however many steps, as one group each.

    Returns:
        A function from a name to its group's: the first in the alphabet.

    Example:
        >>> group = groups([("b", "a"), ("c", "b"), ("d",)])
        >>> group("c"), group("d")
        ('a', 'd')
    """
    parents: dict[str, str] = {}

    def group(name: str) -> str:
        while parents.get(name, name) != name:
            parents[name] = name = parents.get(parents[name], parents[name])
        return name

    for names in links:
        roots = sorted({group(name) for name in names})
        for root in roots:
            parents[root] = roots[0]
    return group


def picture_key(image: np.ndarray) -> str:
    """SHA-256 of a picture's pixels; "" where it is of one colour, for such a picture shows nobody.

    Example:
        >>> image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        >>> picture_key(image) == picture_key(image.copy()), picture_key(image * 0)
        (True, '')
    """
    if image.size == 0 or (image == image[:1, :1]).all():
        return ""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


def each_once(images: Iterable[np.ndarray], labels: np.ndarray, group: np.ndarray,
              names: Sequence[str]) -> Once:  # fmt: skip
    """Labelled pictures without their copies: of copies in one class the first stays, of a picture in both none.

    Groups that share a picture, be it left out, become one: they are never parted.

    Args:
        images: the pictures.
        labels: their labels.
        group: what each belongs to.
        names: what each is called.

    Example:
        >>> images = np.arange(36, dtype=np.uint8).reshape(3, 2, 2, 3)[[0, 1, 0, 2, 2]]
        >>> once = each_once(images, np.array([0, 0, 0, 0, 1]), np.array(list("abcde")), list("abcde"))
        >>> once.rows.tolist(), once.groups.tolist(), [skip.path for skip in once.left]
        ([0, 1], ['a', 'b', 'a', 'd', 'd'], ['c', 'd', 'e'])
    """
    at: dict[str, list[int]] = {}
    for row, image in enumerate(images):
        at.setdefault(picture_key(image) or f"row {row}", []).append(row)
    joined = groups([str(group[row]) for row in rows] for rows in at.values())
    left: dict[int, str] = {}
    for rows in at.values():
        firsts = {int(labels[row]): row for row in reversed(rows)}  # of each class
        for row in rows:
            others = [first for label, first in firsts.items() if label != labels[row]]
            if others:
                left[row] = f"the same picture as '{names[min(others)]}': real and fake. Left out; keep the right one."
            elif row != rows[0]:
                left[row] = f"the same picture as '{names[rows[0]]}'. Left out; one of them is enough."
    kept = np.array([row for row in range(len(names)) if row not in left], np.int64)
    together = np.array([joined(str(name)) for name in group])
    return Once(kept, together, [Skipped(names[row], left[row]) for row in sorted(left)])


def clashes(pictures: Iterable[tuple[str, int, str]]) -> dict[str, str]:
    """Which pictures of a table stand in several splits or in both classes.

    Args:
        pictures: of each row, a picture's SHA-256 in hexadecimal digits, its label and its split; a million take some
            ten megabytes.

    Returns:
        The first 16 digits of such a picture, and the split whose rows stay: the strictest, "" if it is real and fake.

    Example:
        >>> clashes([("a" * 16, 0, "train"), ("a" * 16, 0, "test"), ("b" * 16, 0, "test"), ("b" * 16, 1, "test")])
        {'aaaaaaaaaaaaaaaa': 'test', 'bbbbbbbbbbbbbbbb': ''}
    """
    strict = ("test", "validation", "train")
    keys, kinds = array.array("Q"), array.array("B")
    for digest, label, split in pictures:
        keys.append(int(digest[:16], 16))
        kinds.append(2 * strict.index(split) + (label != REAL))
    order = np.lexsort((np.asarray(kinds), np.asarray(keys)))
    key, kind = np.asarray(keys)[order], np.asarray(kinds)[order]
    again = (key[1:] == key[:-1]) & (kind[1:] != kind[:-1])
    found: dict[str, str] = {}
    for which in np.unique(key[1:][again]):
        of = kind[np.searchsorted(key, which) : np.searchsorted(key, which, side="right")]
        found[f"{int(which):016x}"] = strict[of[0] // 2] if len(set((of % 2).tolist())) == 1 else ""
    return found


def file_codes(files: ImageFiles) -> np.ndarray:
    """A number for each file, int64 `(files,)`: one for all names, links and spellings that lead to one file.

    Nothing is read but what the file system says of a name: a million take some seconds. Names of no file are told
    apart by what they say.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "a.png").touch()
        ...     Path(folder, "b.png").hardlink_to(Path(folder, "a.png"))
        ...     one, other, third = file_codes(ImageFiles(["a.png", "./b.png", "c.png"], root=folder, size=8))
        >>> print(one == other, one == third)
        True False
    """

    def code(name: str) -> int:
        try:
            status = os.stat(files.place(name))
            if status.st_ino:
                return hash((status.st_dev, status.st_ino))
        except (OSError, ValueError):
            pass
        return hash(unicodedata.normalize("NFC", os.path.normpath(name)))

    return np.fromiter(map(code, files.paths), np.int64, len(files))


def check_files(files: ImageFiles, label: np.ndarray, split: np.ndarray) -> None:
    """Holds that a file, however it is spelt, has one label and is in one split.

    A file may be there often, as a real image is in every method's domain, but always as the same.

    Raises:
        InputError: naming a file that has two, by both of its names.
    """
    _refuse_two(file_codes(files), files, label, split, "are one file")


def check_contents(files: ImageFiles, label: np.ndarray, split: np.ndarray) -> None:
    """Holds the same of files that are equal byte by byte, whose names say nothing of it.

    Only files are read that have the size of one in another split or class, and those that are equal are decoded:
    pictures of one colour show nobody. Files that cannot be read are passed over.

    Raises:
        InputError: naming two of them.
    """

    def size(name: str) -> int:
        try:
            return os.stat(files.place(name)).st_size
        except (OSError, ValueError):
            return -1

    sizes = np.fromiter(map(size, files.paths), np.int64, len(files))
    kinds = np.unique(split, return_inverse=True)[1].reshape(-1) * 2 + (label != 0)
    both = np.unique(np.stack([sizes, kinds], axis=1), axis=0)[:, 0]
    asked = np.flatnonzero(np.isin(sizes, both[1:][both[1:] == both[:-1]]) & (sizes > 0))
    once: dict[str, int] = {}
    for name in files.paths[asked].tolist():
        if name not in once:
            once[name] = _bytes_code(files.place(name))
    codes = np.array([once[name] for name in files.paths[asked].tolist()], np.int64)
    known = codes != 0
    asked, codes = asked[known], codes[known]
    _refuse_two(codes, files[asked], label[asked], split[asked], "hold one picture", shown=True)


def _bytes_code(path: str) -> int:
    try:
        with open(path, "rb") as stream:
            return int.from_bytes(hashlib.file_digest(stream, "sha256").digest()[:8], "big", signed=True)
    except OSError:
        return 0


def _refuse_two(codes: np.ndarray, files: ImageFiles, label: np.ndarray, split: np.ndarray, why: str, *,
                shown: bool = False) -> None:  # fmt: skip
    order = np.argsort(codes, kind="stable")
    again = np.flatnonzero(codes[order][1:] == codes[order][:-1])
    first: dict[int, int] = {}
    paths = files.paths
    for row in np.sort(order[np.union1d(again, again + 1)]).tolist():
        before = first.setdefault(int(codes[row]), row)
        if label[row] == label[before] and split[row] == split[before]:
            continue
        if shown and not _shows_something(files.place(str(paths[row]))):
            continue
        named = f"the file '{paths[row]}' is"
        if paths[row] != paths[before]:
            named = f"'{paths[before]}' and '{paths[row]}' {why}, which is"
        if label[row] != label[before]:
            raise InputError(f"records: {named} both real and fake. Keep one of its rows.")
        raise InputError(f"records: {named} in the splits '{split[before]}' and '{split[row]}'. Keep one row.")


def _shows_something(path: str) -> bool:
    try:
        return bool(picture_key(read_image(path)))
    except InputError:
        return False
