"""An image and what is said of it: what records become before they are written in another form."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from metaforge.captions.read_back import annotation_of
from metaforge.captions.records import NO_ANNOTATION, id_of
from metaforge.captions.words import caption, listed, places
from metaforge.face_regions import GROUPS

PARTS = {"skin": "skin", "eyebrows": "brows", "eyes": "eyes", "nose": "nose", "mouth": "mouth"}
"""The parts that are asked about one by one, as others call them, and the region of a record that each is."""

MADE_OF = {
    "skin": (*GROUPS["forehead"], *GROUPS["cheeks"], *GROUPS["jaw"], *GROUPS["chin"]),
    "eyebrows": GROUPS["brows"],
    "eyes": GROUPS["eyes"],
    "nose": GROUPS["nose"],
    "mouth": GROUPS["mouth"],
}
"""The regions that a record names, as parts of `PARTS`. Each is of one part, so that no answer speaks of another's."""

TEXTS = ("sentence", "refined", "caption")
"""What may be said of an image: the record's sentence; the refined text, or the sentence where none was accepted; the
words alone (`metaforge.captions.caption`)."""

REAL_SENTENCE = "No forgery found."
"""What is said of a real image."""


class Captioned(NamedTuple):
    """An image with its text.

    Attributes:
        id: of the pair; of a real image its path without the suffix. Where a form has no name of its own, the image's.
        image: its path, relative to the folder of pairs; "" where a form does not hold it.
        text: what is said of it.
        mask: the path of its mask, if there is one.
        parts: what is said of `PARTS`, by name; empty where nothing is known.
    """

    id: str
    image: str
    text: str
    mask: str | None = None
    parts: Mapping[str, str] = {}


def captioned(
    records: Iterable[Mapping[str, Any]], *, text: str = "sentence", reals: bool = True
) -> Iterator[Captioned]:
    """The images of records, each with its text; those without are left out.

    Pairs that were not compared have no text, nor have those whose images are of different sizes or shifted.

    Args:
        records: as `metaforge.captions.records.read_records` gives them; they are asked for one by one.

    Other Arguments:
        text: one of `TEXTS`.
        reals: whether each real image comes too, once, before the first forgery of it. Their names are held in memory.
            Real images have no words alone, so there are none with `text="caption"`.

    Example:
        >>> import numpy as np
        >>> from metaforge.captions.annotation import annotate
        >>> from metaforge.captions.records import record_of
        >>> real = np.full((48, 48, 3), 90, np.uint8); fake = real.copy(); fake[20:30, 20:30] += 40
        >>> record = record_of(annotate(real, fake), fake="fake/a.png", real="real/a.png", size=(48, 48))
        >>> for each in captioned([record]):
        ...     print(each.image, each.text)
        real/a.png No forgery found.
        fake/a.png Forged: a part of the image, 4.2 % of the image; the colour differs.
    """
    seen: set[str] = set()
    for record in records:
        answer, real = record["answer"], record["real"]
        if answer in (*NO_ANNOTATION, "size", "shifted"):
            continue
        if reals and text != "caption" and real is not None and real not in seen:
            seen.add(real)
            parts = {name: _sound(name) for name, region in PARTS.items() if region in record["coverage"]}
            yield Captioned(id_of(real), real, REAL_SENTENCE, None, parts)
        if said := _said(record, text):
            yield Captioned(record["id"], record["fake"], said, record["mask"], _parts(record))


def _said(record: Mapping[str, Any], text: str) -> str:
    if text == "caption":
        return caption(annotation_of(record))
    refined = record.get("refined") if text == "refined" else None
    return refined["text"] if refined and refined["accepted"] else record["sentence"]


def _parts(record: Mapping[str, Any]) -> dict[str, str]:
    """What is said of each part: what the record's sentence says of it, or of a piece of it."""
    limit, found = annotation_of(record).thresholds.region, {}
    for name, region in PARTS.items():
        if (share := record["coverage"].get(region)) is not None:
            found[name] = _of_part(record, name, share, limit)
    return found


def _of_part(record: Mapping[str, Any], name: str, share: float, limit: float) -> str:
    pieces = [one for one in MADE_OF[name] if one in record["regions"]]
    # 68 points do not tell the forehead: there the skin is what they do tell. Of two eyes both must be named.
    needed = [one for one in MADE_OF[name] if name != "skin" or one in record["coverage"]]
    if pieces and not set(pieces) >= set(needed):
        words = listed(places(pieces))
        be = "are" if len(pieces) > 1 else "is"
        return f"{words[0].upper()}{words[1:]} {be} forged, {100 * share:.0f} % of the {name} by area."
    # Where no piece was measured, the part is held against the threshold as a whole.
    if pieces or (share > limit and not any(one in record["coverage"] for one in needed)):
        be = "is" if name in ("skin", "nose", "mouth") else "are"
        return f"The {name} {be} forged, {100 * share:.0f} % by area."
    return _sound(name)


def _sound(name: str) -> str:
    return f"No forgery found at the {name}."
