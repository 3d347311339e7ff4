"""FakeShield's shape: a JSON array of an image, a question and a description; of the mask we are not sure.

    [{"image": "...", "query": "...", "outputs": "...", "mask": "..."}, ...]

`image`, `query` and `outputs` are what the public loader reads, where `image` is the name of a file alone. It takes
masks from a folder beside that of the images, by the order of names. So `mask` is a field of ours, with a path, left
out where there is none.

References:
    Xu et al., *FakeShield: Explainable Image Forgery Detection and Localization via Multi-modal Large Language Models*,
    ICLR 2025.
"""

from collections.abc import Iterable, Iterator
from typing import TextIO

from metaforge.captions.formats.captioned import Captioned
from metaforge.captions.formats.streams import as_json, entries, write_entries
from metaforge.captions.records import id_of
from metaforge.errors import InputError

HOLDS = ("image", "text", "mask")
"""The fields of `Captioned` that the form has a place for."""

QUESTION = "Was this image forged? Say where and how."


def entry_of(each: Captioned) -> dict[str, str]:
    """The entry of an image.

    Example:
        >>> entry_of(Captioned("a", "a.png", "Forged: the nose."))
        {'image': 'a.png', 'query': 'Was this image forged? Say where and how.', 'outputs': 'Forged: the nose.'}
    """
    entry = {"image": each.image, "query": QUESTION, "outputs": each.text}
    return entry | {"mask": each.mask} if each.mask else entry


def write(captions: Iterable[Captioned], stream: TextIO) -> None:
    """Writes all images as one JSON array."""
    write_entries(stream, (as_json(entry_of(each)) for each in captions), brackets="[]")


def read(stream: TextIO) -> Iterator[Captioned]:
    """The images of a file, in its order."""
    for number, entry in enumerate(entries(stream, of=list)):
        good = isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in ("image", "outputs"))
        if not good or not isinstance(entry.get("mask"), str | None):
            raise InputError(f"captions: entry {number} is not of FakeShield's shape: it needs image and outputs.")
        yield Captioned(id_of(entry["image"]), entry["image"], entry["outputs"], entry.get("mask"))
