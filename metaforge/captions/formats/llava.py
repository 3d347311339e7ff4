r"""LLaVA's conversations: a JSON array of an image and turns of a human and the model, as its fine-tuning reads them.

    [{"id": "...", "image": "...", "conversations": [{"from": "human", "value": "<image>\n..."},
                                                     {"from": "gpt", "value": "..."}]}, ...]

Paths are relative to what LLaVA calls `image_folder`: give it the folder of pairs. M2F2-Det trains from this form too.
A question on each part that is known follows the one on the whole image.

References:
    Liu et al., *Visual Instruction Tuning*, NeurIPS 2023.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from metaforge.captions.formats import dd_vqa
from metaforge.captions.formats.captioned import Captioned
from metaforge.captions.formats.streams import as_json, entries, write_entries
from metaforge.errors import InputError

HOLDS = ("id", "image", "text", "parts")
"""The fields of `Captioned` that the form has a place for."""

_IMAGE = "<image>"


def entry_of(each: Captioned) -> dict[str, Any]:
    r"""The entry of an image.

    Example:
        >>> entry_of(Captioned("a", "a.png", "Forged: the nose."))["conversations"][0]
        {'from': 'human', 'value': '<image>\nIs the image real or forged?'}
    """
    turns = []
    for number, asked in enumerate(dd_vqa.questions(each).values()):
        begin = f"{_IMAGE}\n" * (number == 0)
        turns.append({"from": "human", "value": begin + asked["question"]})
        turns.append({"from": "gpt", "value": asked["answer"][0]})
    return {"id": each.id, "image": each.image, "conversations": turns}


def write(captions: Iterable[Captioned], stream: TextIO) -> None:
    """Writes all images as one JSON array."""
    write_entries(stream, (as_json(entry_of(each)) for each in captions), brackets="[]")


def read(stream: TextIO) -> Iterator[Captioned]:
    """The images of a file, in its order; entries without an image, which LLaVA allows, are passed over."""
    for number, entry in enumerate(entries(stream, of=list)):
        try:
            if "image" not in entry.keys():  # noqa: SIM118 - of a text or a list this is an error
                continue
            turns = [(turn["from"], turn["value"]) for turn in entry["conversations"]]
            asked = {
                str(place): {"question": question.replace(_IMAGE, "").strip(), "answer": [answer]}
                for place, ((_, question), (_, answer)) in enumerate(zip(turns[::2], turns[1::2], strict=True))
            }
            name, image = str(entry["id"]), entry["image"]
            if not isinstance(image, str):
                raise TypeError
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InputError(
                f"captions: entry {number} is not of LLaVA's shape: it needs id, image and turns of human and gpt."
            ) from None
        yield dd_vqa.answers(name, asked)._replace(image=image)
