"""Annotations on the disk: a JSON object a line, whose form `record.schema.json` says, read and written as a stream."""

import functools
import importlib.resources
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from metaforge.captions.annotation import Annotation
from metaforge.captions.read_back import unknown_name
from metaforge.captions.schema import validator
from metaforge.captions.words import derivation, sentence
from metaforge.errors import InputError

VERSION = 1
"""Of the form of a record."""

NO_ANNOTATION = ("refused", "unreadable", "missing")
"""Answers of pairs that were not annotated: not of one photograph; an image that cannot be read; no real image."""

_DIGITS = 6  # behind the point: what differs beyond is the rounding of another processor


@functools.cache
def schema() -> Mapping[str, Any]:
    """The JSON schema of a record; `properties` describes every field.

    Example:
        >>> schema()["properties"]["shift"]["description"]
        'pixels to the right and down by which the forged image lies off'
    """
    text = importlib.resources.files("metaforge.captions").joinpath("record.schema.json").read_text(encoding="utf-8")
    return json.loads(text)


@functools.cache
def _says() -> Callable[[Any], str]:
    return validator(schema())


def record_of(
    annotation: Annotation,
    *,
    fake: str,
    real: str,
    size: tuple[int, int],
    method: str | None = None,
    mask: str | None = None,
) -> dict[str, Any]:
    """The record of an annotated pair.

    Args:
        annotation: what was found.

    Other Arguments:
        fake: path of the forged image, relative to the folder of pairs, with "/" between folders.
        real: that of the real one.
        size: height and width of what was compared.
        method: by what it was forged, if that is known.
        mask: path of the mask's PNG, if it was written.

    Returns:
        What `schema` describes, with numbers rounded to six digits behind the point.

    Example:
        >>> import numpy as np
        >>> from metaforge.captions.annotation import annotate
        >>> real = np.full((48, 48, 3), 90, np.uint8)
        >>> found = record_of(annotate(real, real), fake="fake/a.png", real="real/a.png", size=(48, 48))
        >>> found["id"], found["answer"], found["sentence"]
        ('fake/a', 'identical', 'No forgery found: the two images are identical.')
    """
    share = None if annotation.mask is None else float(annotation.mask.mean())
    return _rounded(
        _named(fake, real, method)
        | {
            "size": list(size),
            "answer": annotation.answer,
            "reason": annotation.reason,
            "shift": list(annotation.shift),
            "mask": mask,
            "share": share,
            "noise": annotation.noise,
            "coverage": annotation.coverage,
            "regions": list(annotation.regions),
            "cues": annotation.cues,
            "types": list(annotation.types),
            "sentence": sentence(annotation),
            "derivation": derivation(annotation),
        }
    )


def failed_record(
    answer: str,
    reason: str,
    *,
    fake: str,
    real: str | None,
    method: str | None = None,
    size: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The record of a pair of which no annotation can be made: one of `NO_ANNOTATION`, and why.

    Args:
        answer: one of `NO_ANNOTATION`.
        reason: one sentence.

    Other Arguments:
        fake: as in `record_of`.
        real: as there; `None` if there is none.
        method: as there.
        size: as there, if the images were read.

    Example:
        >>> failed_record("missing", "There is no real image.", fake="fake/a.png", real=None)["answer"]
        'missing'
    """
    nothing: dict[str, Any] = {
        "size": None if size is None else list(size), "answer": answer, "reason": reason, "shift": [0, 0],
        "mask": None, "share": None, "noise": 0.0, "coverage": {}, "regions": [], "cues": {}, "types": [],
        "sentence": "", "derivation": [],
    }  # fmt: skip
    return _named(fake, real, method) | nothing


def id_of(fake: str) -> str:
    """What the pair of a forged image is called: its path without the suffix.

    Example:
        >>> id_of("fake/swap/a.b.png")
        'fake/swap/a.b'
    """
    folder, _, name = fake.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return f"{folder}/{stem}" if folder else stem


def validate(record: Any) -> None:
    """Holds a record against the schema, and that what it says fits together.

    No mask is there without a share, no words without an annotation, no annotation without a real image; parts, types
    and cues have names that are known.

    Raises:
        InputError: for the first thing that is wrong.

    Example:
        >>> validate({"version": 2})
        Traceback (most recent call last):
        metaforge.errors.InputError: record: id is missing. See metaforge.captions.records.schema for the form.
    """
    said = _says()(record)
    if not said and record["answer"] in NO_ANNOTATION and (record["sentence"] or record["share"] is not None):
        said = f"answer is '{record['answer']}', of which there are no words and no mask"
    if not said and record["answer"] not in NO_ANNOTATION and record["real"] is None:
        said = f"answer is '{record['answer']}', and there is no real image"
    if not said and record["mask"] is not None and record["share"] is None:
        said = "mask is there and share is not"
    said = said or unknown_name(record)
    if said:
        raise InputError(f"record: {said}. See metaforge.captions.records.schema for the form.")


def line_of(record: Mapping[str, Any]) -> str:
    r"""A record as a line, newline included; equal records give equal lines.

    Example:
        >>> line_of({"id": "müller", "share": 0.5})
        '{"id": "müller", "share": 0.5}\n'
    """
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # bytes of a file's name that are no letters: as escapes, Python reads them again
        text = json.dumps(record, allow_nan=False)
    return text + "\n"


def read_records(path: str | os.PathLike) -> Iterator[dict[str, Any]]:
    """The records of a file, one after the other: memory does not grow with the file. Each is held against the schema.

    Blank lines are passed over. That no name of a pair stands twice is not looked at, for it would take memory.

    Args:
        path: of a JSONL file, as `metaforge annotate` writes it.

    Raises:
        InputError: when the file cannot be read, or for the first line that is no record, naming it; also for a last
            line that was torn off, since then there is less than somebody wrote.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     record = failed_record("missing", "There is no real image.", fake="fake/a.png", real=None)
        ...     with open(f"{folder}/a.jsonl", "w", encoding="utf-8") as file:
        ...         _ = file.write(line_of(record))
        ...     [found["id"] for found in read_records(f"{folder}/a.jsonl")]
        ['fake/a']
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _record(line, f"records: '{os.fspath(path)}', line {number}")
    except OSError as error:
        raise InputError(f"records: '{os.fspath(path)}' cannot be read ({error.strerror}). Check the path.") from None
    except UnicodeDecodeError:
        raise InputError(f"records: '{os.fspath(path)}' is not text in UTF-8. Give a file of annotations.") from None


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        torn = "" if line.endswith("\n") else "; it was cut off"
        raise InputError(f"{where}: it is no JSON{torn}. Make the file again, or delete the line.") from None
    try:
        validate(record)
    except InputError as error:
        raise InputError(f"{where}: {str(error).removeprefix('record: ')}") from None
    return record


def _finite(text: str) -> float:
    """A number of JSON, which has neither NaN nor infinity."""
    if not math.isfinite(value := float(text)):
        raise ValueError
    return value


def _named(fake: str, real: str | None, method: str | None) -> dict[str, Any]:
    return {"version": VERSION, "id": id_of(fake), "fake": fake, "real": real, "method": method}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value
