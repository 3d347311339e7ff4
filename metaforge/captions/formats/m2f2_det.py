"""M2F2-Det's shape for judging explanations on DD-VQA: JSONL, a question a line, under the image's name and a number.

    {"3_000_003_0": {"question": "...", "answer": ["..."]}}

It is that of the test file in the repository of Guo et al.; what their training reads is LLaVA's form. Of the names
holds what `dd_vqa` says.

References:
    Guo et al., *Rethinking Vision-Language Model in Face Forensics: Multi-Modal Interpretable Forged Face Detector*,
    CVPR 2025.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from metaforge.captions.formats import dd_vqa
from metaforge.captions.formats.captioned import Captioned
from metaforge.captions.formats.streams import as_json
from metaforge.errors import InputError

HOLDS = dd_vqa.HOLDS
"""The fields of `Captioned` that the form has a place for."""


def write(captions: Iterable[Captioned], stream: TextIO) -> None:
    """Writes a line for each question."""
    for each in captions:
        asked = dd_vqa.questions(each).items()
        stream.writelines(as_json({f"{each.id}_{number}": question}) + "\n" for number, question in asked)


def read(stream: TextIO) -> Iterator[Captioned]:
    """The images of a file; the lines of one image follow each other."""
    name, found = "", {}
    for place, line in enumerate(stream, 1):
        if not line.strip():
            continue
        key, value = _line(line, place)
        image, _, number = key.rpartition("_")
        if found and image != name:
            yield dd_vqa.answers(name, found)
            found = {}
        name = image
        found[number] = value
    if found:
        yield dd_vqa.answers(name, found)


def _line(line: str, place: int) -> tuple[str, Any]:
    try:
        ((key, value),) = json.loads(line).items()
    except (ValueError, AttributeError, RecursionError):
        raise InputError(f"captions: line {place} is not of M2F2-Det's shape: one name, question and answer.") from None
    return key, value
