"""What reviewers say of verdicts, read from a table and held against the results that it speaks of."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from metaforge.data.images import printable
from metaforge.data.tables import Line, lines
from metaforge.errors import InputError
from metaforge.screening.batches.results import read_lines
from metaforge.screening.batches.spilling import sorted_on_disk
from metaforge.screening.batches.summary import suspicion, worst_face
from metaforge.screening.batches.triage import harmless
from metaforge.whole import whole_file

NEEDED = ("file", "sha256", "decision", "correction")
COLUMNS = (*NEEDED, "person", "pair", "note", "time")
"""Of a table of corrections; those that are not needed may be missing."""

SHEET = ("file", "sha256", "decision", "p_fake", "reason", "correction", "person", "pair", "note", "time")
"""Of a sheet to be filled in."""

TRUTHS = {
    ("false positive", "fake"): "real",
    ("false negative", "real"): "fake",
    ("confirmed", "real"): "real",
    ("confirmed", "fake"): "fake",
} | {(said, decision): said for said in ("real", "fake") for decision in ("real", "cannot tell", "fake")}
"""What a file is, by its correction and the verdict's decision. Real and fake say it of any verdict."""

_SAYS = ("false positive", "false negative", "confirmed", "real", "fake")


class Correction(NamedTuple):
    """What is said of a file.

    Attributes:
        line: where it stands.
        record: the verdict that it speaks of, as JSON has it.
        truth: "real" or "fake".
        person: who is on it; "" if that is not said.
        pair: the file that a fake was made from; "" if that is not said.
        note: the reviewer's.
        time: of the correction, as it was written.
    """

    line: int
    record: dict
    truth: str
    person: str = ""
    pair: str = ""
    note: str = ""
    time: str = ""


class Read(NamedTuple):
    """Corrections that can be used, one a picture, and the others with the reason."""

    kept: list[Correction]
    left: list[tuple[str, str]]


def write_sheet(results: str, out: str) -> int:
    """Writes a sheet to be filled in, the most suspicious files first; says how many there are.

    Args:
        results: of metaforge screen.
        out: a CSV file, which must not exist yet.
    """
    count = 0
    with whole_file(out, new=True) as made, open(made, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(SHEET)
        rows = ([suspicion(one), _row(one)] for one in read_lines(results, flag="results") if not one["error"])
        for _, row in sorted_on_disk(rows, key=lambda pair: pair[0]):
            writer.writerow(row)
            count += 1
    return count


def _row(record: dict) -> list:
    score = "" if record["p_fake"] is None else f"{record['p_fake']:.6f}"
    said = [harmless(record["file"]), record["sha256"], record["decision"], score, harmless(record["reason"])]
    return [*said, *[""] * (len(SHEET) - len(said))]


def read_corrections(path: str, results: str) -> Read:
    """Corrections, each held against the verdict that it speaks of.

    A line without a correction says nothing, so a sheet may be filled in a part. A picture that is said to be real and
    to be fake is left out: which reviewer is right is not known here.

    Args:
        path: a table (.csv) or records (.jsonl) with `COLUMNS`.
        results: of metaforge screen.

    Raises:
        InputError: for a line that cannot be used, or that does not fit the results.
    """
    said = [line for line in _lines(path) if line.cells["correction"]]
    refuse = lambda line, why: InputError(f"corrections: '{path}', line {line.number}: {why}")
    for line in said:
        if line.problem or not line.cells["file"]:
            raise refuse(line, f"{line.problem or 'no file is named'}. Mend the line.")
        if line.cells["correction"].lower() not in _SAYS:
            raise refuse(line, f"'{printable(line.cells['correction'])}' is none of {', '.join(_SAYS)}.")
    if not said:
        raise InputError(f"corrections: '{path}' has no correction. Write {', '.join(_SAYS)} into that column.")
    wanted = {line.cells["file"] for line in said}
    names = lambda record: wanted & {record["file"], harmless(record["file"])}
    known = {name: record for record in read_lines(results, flag="results") for name in names(record)}
    found = []
    for line in said:
        cells, record = line.cells, known.get(line.cells["file"])
        name = printable(cells["file"])
        if record is None:
            raise refuse(line, f"'{name}' is not in '{results}'.")
        if cells["sha256"].lower() != (record["sha256"] or ""):
            raise refuse(line, f"the sha256 of '{name}' is not that of the results. It is another file by now.")
        if cells["decision"].lower() != record["decision"]:
            raise refuse(line, f"'{name}' was called {record['decision']} and not '{printable(cells['decision'])}'.")
        correction = cells["correction"].lower()
        truth = TRUTHS.get((correction, record["decision"]))
        if truth is None:
            called = record["decision"] if correction != "confirmed" else "neither real nor fake"
            raise refuse(line, f"'{name}' was called {called}: that is not '{correction}'. Write real or fake.")
        rest = [cells[column] for column in COLUMNS[len(NEEDED) :]]
        found.append(Correction(line.number, record, truth, *rest))
    return _once(found)


def _once(found: list[Correction]) -> Read:
    """Of each picture one correction; none where two say different things, or `adapt` could not use it."""
    by_picture: dict[str, list[Correction]] = {}
    for one in found:
        by_picture.setdefault(one.record["sha256"] or one.record["file"], []).append(one)
    kept, left = [], []
    for same in by_picture.values():
        name = printable(same[0].record["file"])
        if len({one.truth for one in same}) > 1:
            places = " and ".join(f"{one.truth} in line {one.line}" for one in same)
            left.append((name, f"is {places}, and which is right is not known here"))
        elif why := _no_use(same[0].record):
            left.append((name, why))
        else:
            kept.append(same[-1])
    return Read(kept, left)


def _no_use(record: dict) -> str:
    if record["error"]:
        return "could not be read"
    if record["kind"] == "video":
        return "is a video, and adapt takes pictures"
    face = worst_face(record)
    if face is None:
        return "has no face"
    # The faces of a picture are numbered from the largest, which is the one that adapt takes.
    return f"was judged by face {face['number']}, and adapt takes the largest" if face["number"] > 1 else ""


def _lines(path: str) -> Iterator[Line]:
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            if Path(path).suffix == ".jsonl":
                yield from (_of_json(number, text) for number, text in enumerate(stream, 1) if text.strip())
            else:
                yield from lines(stream, known=COLUMNS, needed=NEEDED)
    except InputError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        why = (error.strerror or "cannot be read") if isinstance(error, OSError) else str(error)
        raise InputError(f"corrections: '{os.fspath(path)}' {why}. Give a .csv or .jsonl file with {', '.join(NEEDED)}."
                         ) from None  # fmt: skip


def _of_json(number: int, text: str) -> Line:
    try:
        found = json.loads(text)
        cells = {name: str(found.get(name) or "").strip() for name in COLUMNS}
    except (ValueError, AttributeError):
        raise ValueError(f"has no JSON object in line {number}") from None
    return Line(number, cells)
