"""DD-VQA's shape: questions and answers on the whole image, the skin, eyebrows, eyes, nose and mouth.

    {"3_000_003": {"0": {"question": "...", "answer": ["..."]}, "1": ...}, ...}

Their names are method_target_source, with 0 Deepfakes, 1 Face2Face, 2 FaceShifter, 3 FaceSwap, 5 original and 6
NeuralTextures, and so say which image of FaceForensics++ is meant. Ours are the ids of records: the form has no field
for a path. Questions are numbered from 0, and parts of which nothing is known are left out. The questions are ours.

References:
    Zhang et al., *Common Sense Reasoning for Deep Fake Detection*, ECCV 2024 (the shape, as its repository states it).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from metaforge.captions.formats.captioned import PARTS, Captioned
from metaforge.captions.formats.streams import as_json, entries, write_entries
from metaforge.errors import InputError

HOLDS = ("id", "text", "parts")
"""The fields of `Captioned` that the form has a place for."""

_WHOLE = "image"
_ABOUT = re.compile(rf"\b({'|'.join([_WHOLE, *PARTS])})\b")


def questions(each: Captioned) -> dict[str, dict[str, Any]]:
    """The questions on an image, by number, each with its answer.

    Example:
        >>> questions(Captioned("a", "a.png", "Forged: the nose.", None, {"nose": "The nose is forged."}))["1"]
        {'question': 'Is the nose real or forged?', 'answer': ['The nose is forged.']}
    """
    asked = {"Is the image real or forged?": each.text}
    for name in PARTS:
        if name in each.parts:
            be = "Are" if name in ("eyebrows", "eyes") else "Is"
            asked[f"{be} the {name} real or forged?"] = each.parts[name]
    return {
        str(number): {"question": question, "answer": [answer]}
        for number, (question, answer) in enumerate(asked.items())
    }


def answers(name: str, found: Mapping[str, Any]) -> Captioned:
    r"""An image from the questions on it. What a question is about is the first that it names: the image or a part.

    Several answers become lines of one text; one may stand without its list.

    Raises:
        InputError: when it is not of this shape.

    Example:
        >>> answers("a", {"7": {"question": "Does the mouth look odd in this image?", "answer": ["Yes.", "A bit."]}})
        Captioned(id='a', image='', text='', mask=None, parts={'mouth': 'Yes.\nA bit.'})
    """
    said: dict[str, list[str]] = {}
    try:
        for one in found.values():
            about = _ABOUT.search(one["question"].lower())
            given = [one["answer"]] if isinstance(one["answer"], str) else one["answer"]
            said.setdefault(about[1] if about else _WHOLE, []).extend(map(str, given))
    except (AttributeError, KeyError, TypeError):
        raise InputError(f"captions: '{name}' is not of DD-VQA's shape: it needs question and answer.") from None
    texts = {part: "\n".join(lines) for part, lines in said.items()}
    return Captioned(name, "", texts.pop(_WHOLE, ""), None, texts)


def write(captions: Iterable[Captioned], stream: TextIO) -> None:
    """Writes all images as one JSON object."""
    lines = (f"{as_json(each.id)}: {as_json(questions(each))}" for each in captions)
    write_entries(stream, lines, brackets="{}")


def read(stream: TextIO) -> Iterator[Captioned]:
    """The images of a file, in its order."""
    for name, found in entries(stream, of=dict):
        if not isinstance(found, dict):
            raise InputError(f"captions: '{name}' is not of DD-VQA's shape: it needs questions by number.")
        yield answers(name, found)
