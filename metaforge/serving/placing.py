"""Where the images of an adaptation are put: names of ours, that keep of the senders' what the measurement needs."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from metaforge.data.formats import what_it_is
from metaforge.serving.receiving import Received

CLASSES = ("real", "fake", "unlabelled")
"""The fields that images come in, and the folders that they are put in."""

NAMES = "names.json"
"""Beside the images: what their sender calls them."""

_BEGINNINGS = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tif", b"MM\0*": ".tif",
}  # fmt: skip


def ending_of(head: bytes) -> str:
    r"""The ending of an image that begins so, by its content alone; "" for what is read as no image.

    Example:
        >>> ending_of(b"\x89PNG\r\n"), ending_of(b"<svg>"), ending_of(b"P6 2 1 255 ")
        ('.png', '', '.ppm')
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if head[4:8] == b"ftyp":
        return ".avif" if head[8:12] in (b"avif", b"avis") else ""
    if re.match(rb"P[1-6Ff]\s", head):
        return ".ppm"
    return next((ending for mark, ending in _BEGINNINGS.items() if head.startswith(mark)), "")


def why_not(head: bytes) -> str:
    """What a file is that is no image, and what to do, in words.

    Example:
        >>> why_not(b"<svg>")
        'it is a drawing (SVG). Save it as JPEG or PNG.'
    """
    what, do = what_it_is(head)
    if what == "a video":
        return "it is a video. Send single frames of it, as JPEG or PNG."
    return f"it is {what}. {do}" if what else "it is no image of a known kind. Send JPEG or PNG."


def places(names: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, list[str]]:
    """Paths of ours for images that came under names of strangers.

    To the measurement a name says two things: a real and a fake image of one name are a pair, and what is in one folder
    (`clip7/003.png`) is never parted between what is adapted on and what is tested. Both are kept: a pair gets the same
    number, a folder another number. All else about a name is forgotten, so none is ever a path.

    Args:
        names: of every class, the sender's name and the ending of each image.

    Returns:
        Of every class, a path below its folder for each image.

    Example:
        >>> places({"real": [("a.png", ".png"), ("../x", ".jpg")], "fake": [("c/1.gif", ".gif"), ("a.jpg", ".jpg")]})
        {'real': ['0001.png', '0002.jpg'], 'fake': ['g001/0003.gif', '0001.jpg']}
    """
    stems = {kind: [_stem(name) for name, _ in found] for kind, found in names.items()}
    counts = {kind: Counter(found) for kind, found in stems.items()}
    # A name that many have ("image.jpg", "blob") makes no pair.
    paired = {stem for stem, many in counts.get("real", {}).items() if many == counts.get("fake", {}).get(stem) == 1}
    folders: dict[str, str] = {}
    pairs: dict[str, int] = {}
    number, made = 0, {}
    for kind, found in names.items():
        made[kind] = []
        for stem, (_, ending) in zip(stems[kind], found, strict=True):
            if kind == "fake" and stem in paired:
                own = pairs[stem]
            else:
                own = number = number + 1
                if stem in paired:
                    pairs[stem] = own
            folder, inside, _ = stem.partition("/")
            group = f"{folders.setdefault(folder, f'g{len(folders) + 1:03}')}/" if inside else ""
            made[kind].append(f"{group}{own:04}{ending}")
    return made


def arrange(folder: Path, files: Sequence[Received]) -> dict[str, int]:
    """Moves images to their places in FOLDER/target, and writes beside them what their sender calls them.

    Returns:
        How many there are of every class.
    """
    of = {field: [each for each in files if each.field == field] for field in CLASSES}
    found = places({field: [(each.name, ending_of(each.head)) for each in some] for field, some in of.items()})
    called = {}
    for field, some in of.items():
        for each, place in zip(some, found[field], strict=True):
            to = folder / "target" / field / place
            to.parent.mkdir(parents=True, exist_ok=True)
            each.path.rename(to)
            called[f"{field}/{place}"] = f"{field}/{each.name}"
    (folder / "target" / NAMES).write_text(json.dumps(called), encoding="utf-8")
    return {field: len(some) for field, some in of.items()}


def _stem(name: str) -> str:
    """A name without its ending; a folder is kept if it is plainly one, and not the place of somebody's files."""
    if name.startswith(("/", "~")) or "\\" in name or ":" in name or ".." in name.split("/"):
        name = re.split(r"[/\\:]", name)[-1]
    return str(PurePosixPath(name).with_suffix("")) if name.strip("./ ") else ""
