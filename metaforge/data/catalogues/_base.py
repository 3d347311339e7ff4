"""What a catalogue is made of: videos, findings, and the care that every data set gets before it is handed out."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from metaforge.data.images import FilePath
from metaforge.errors import InputError, printable
from metaforge.labels import FAKE, REAL

Split = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = ("test", "validation", "train")
"""The splits, the strictest first: what is in two of them belongs to the first."""

_NUMBERS = re.compile(r"([0-9]+)")


class Video(NamedTuple):
    """A row of a catalogue.

    Attributes:
        path: relative to the catalogue's root, with "/" between folders: a video file, a folder of frames (or one image
            file), or frames in an archive, `archive.tar.gz::folder/in/it`. It may begin with ".." where a data set has
            its real videos in another one.
        label: `REAL` (0) or `FAKE` (1).
        dataset: the catalogue's name.
        method: how it was forged; "real" if it was not.
        video: a name that no other video of this method has.
        identity: whose face region it is (of a swap: the person in the scene), such as "faceforensics/071"; "" if
            nobody knows. Data sets that show one person share the name, so that leaks between them are seen.
        donor: whose face was pasted, or who lent the expression; "" if nobody, or unknown.
        pair: of a fake, the `key` of the real video that it was made from, if that is in the catalogue; else "".
        compression: "c0", "c23", "c40", or "" if it is not part of the data set.
        split: "train", "validation" or "test".
        mask: path of a mask video, or "".
    """

    path: str
    label: int
    dataset: str
    method: str
    video: str
    identity: str = ""
    donor: str = ""
    pair: str = ""
    compression: str = ""
    split: Split = "train"
    mask: str = ""

    @property
    def key(self) -> str:
        """`dataset/method/video`: the name of a video in all of the project, never that of its folder alone.

        The compression is not in it, for c23 and c40 of one video are one video: they never stand in two splits.
        """
        return f"{self.dataset}/{self.method}/{self.video}"

    @property
    def people(self) -> frozenset[str]:
        """Who is in it, as far as is known: identity and donor."""
        return frozenset({self.identity, self.donor} - {""})


class Finding(NamedTuple):
    """Something about a folder that its user should know.

    Attributes:
        kind: "missing" (a list names it), "duplicate" (a video is there twice), "empty" (0 bytes), "unreadable" (not
            allowed, not a file, not what it should be), "unlisted" (there, but no list names it), "overlap" (in two
            splits) or "note".
        path: relative to the root; "" for all of it.
        message: one line: what, and what to do.
    """

    kind: Literal["missing", "duplicate", "empty", "unreadable", "unlisted", "overlap", "note"]
    path: str
    message: str


class Catalogue(NamedTuple):
    """A data set as it lies in a folder: `videos` that can be used, in a fixed order, and `findings` on the rest."""

    name: str
    root: str
    videos: list[Video]
    findings: list[Finding]


class Entry(NamedTuple):
    """A data set: `read` turns a folder and options into a `Catalogue`; the rest says where it comes from.

    `instructions` name whom to ask, how long it takes, and what to put where; `citation` is BibTeX.
    """

    read: Callable[..., Catalogue]
    instructions: str
    citation: str
    homepage: str


class Found(NamedTuple):
    """A video, and the bytes of its file, as a folder's listing gives them: -1 if it is no file that can be read."""

    video: Video
    bytes: int


def natural(text: str) -> tuple[list[int | str], str]:
    """A key that sorts numbers by value: "id2" before "id10".

    Example:
        >>> sorted(["id10", "id2", "ID1"], key=natural)
        ['ID1', 'id2', 'id10']
    """
    bits: list[int | str] = list(_NUMBERS.split(text.casefold()))
    bits[1::2] = map(int, bits[1::2])
    return bits, text


def shown(text: str) -> str:
    """What a stranger wrote, as it can stand in a line: printable and short."""
    return printable(text)[:100]


def catalogue(name: str, root: FilePath, found: Iterable[Found], findings: Sequence[Finding]) -> Catalogue:
    """Puts videos in order, and leaves out those that cannot be used, with a finding for each.

    Of two videos with one key, or of two names that lead to one file, that of the stricter split stays, so that a copy
    of a test video is never trained on; none stays of a file that is real and fake. A pair that is not in the catalogue
    becomes "".

    Raises:
        InputError: when no video is left, with the first finding.
    """
    findings = list(findings)
    kept: dict[str, Video] = {}
    allowed: dict[str, bool] = {}
    for video, size in _each_file_once(root, found, findings):
        # Of an archive's sequence, the archive is what can be closed to us.
        file = video.path.split("::")[0]
        if size >= 0 and file not in allowed:
            allowed[file] = os.access(os.path.join(root, file), os.R_OK)
        if size < 0 or not allowed[file]:
            findings.append(Finding("unreadable", video.path, "it cannot be read. Check its permissions and links."))
            continue
        if size == 0:
            findings.append(Finding("empty", video.path, "it has 0 bytes. Download it again."))
            continue
        other = kept.setdefault(video.key, video)
        if other is not video:
            kept[video.key], left = sorted((other, video), key=_order)
            text = f"it is left out: '{kept[video.key].path}' is {video.key} too. Keep one."
            findings.append(Finding("duplicate", left.path, text))
    reals = {key for key, video in kept.items() if video.label == REAL}
    videos = [video if video.pair in reals else video._replace(pair="") for video in kept.values()]
    if not videos:
        first = (
            f" The first of {len(findings)} findings: '{findings[0].path}': {findings[0].message}" if findings else ""
        )
        raise InputError(
            f"{name}: nothing usable in '{Path(root).as_posix()}'. Compare it with the data set's instructions.{first}"
        )
    videos.sort(key=lambda video: (video.label, natural(video.key)))
    return Catalogue(name, Path(root).as_posix(), videos, findings)


def _each_file_once(root: FilePath, found: Iterable[Found], findings: list[Finding]) -> list[Found]:
    """Links, hard ones too, make one file two videos; what the file system says of it costs no reading."""
    kept: dict[object, Found] = {}
    both: set[object] = set()
    for each in found:
        file, _, inside = each.video.path.partition("::")
        try:
            status = os.stat(os.path.join(root, file))
            place: object = (status.st_dev, status.st_ino, inside) if status.st_ino else each
        except OSError:
            place = each
        other = kept.setdefault(place, each)
        if other is each:
            continue
        kept[place], left = sorted((other, each), key=lambda one: _order(one.video))
        if other.video.label != each.video.label:
            both.add(place)
            text = f"'{other.video.path}' is the same file, and one is real and one fake: both left out. Keep one."
            findings.append(Finding("unreadable", each.video.path, text))
        else:
            text = f"it is left out: '{kept[place].video.path}' is the same file. Keep one."
            findings.append(Finding("duplicate", left.video.path, text))
    return [each for place, each in kept.items() if place not in both]


def _order(video: Video) -> tuple:
    return SPLITS.index(video.split), natural(video.path)


def report_missing(folder: str, expected: Sequence[str], there: Iterable[str], findings: list[Finding]) -> None:
    """A finding for each expected file that is not there; a single one if none is."""
    there = set(there)
    lacking = [name for name in expected if name not in there]
    if lacking and len(lacking) == len(expected):
        text = (
            f"none of its {len(expected)} videos is there. Download the folder, or leave it out of what is asked for."
        )
        findings.append(Finding("missing", folder, text))
        return
    for name in lacking:
        findings.append(Finding("missing", f"{folder}/{shown(name)}", "it is listed and not there. Download it again."))


def report_unlisted(folder: str, names: Sequence[str], findings: list[Finding], *, why: str = "no list names") -> None:
    """One finding for all files of a folder that have no place in the data set."""
    if names:
        some = f"{len(names)} file{'s' * (len(names) > 1)} that {why}, the first '{shown(names[0])}'"
        findings.append(Finding("unlisted", folder, f"{some}: left out. Compare the folder with the instructions."))


def report_counts(found: Sequence[Found], real: int, fake: int, findings: list[Finding]) -> None:
    """A note when the numbers of real and fake videos on the disk are not those that the owners publish."""
    fakes = sum(each.video.label == FAKE for each in found)
    if (len(found) - fakes, fakes) != (real, fake):
        text = f"{len(found) - fakes} real and {fakes} fake videos are here; the whole data set is {real} and {fake}."
        findings.append(Finding("note", "", f"{text} If you asked for all of it, the download is not complete."))
