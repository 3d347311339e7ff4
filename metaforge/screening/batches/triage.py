"""A table for those who look at what a screen has found, the most suspicious first, for any spreadsheet."""

import csv
import os
from pathlib import Path

from metaforge.data.images import printable
from metaforge.errors import InputError
from metaforge.screening.batches.results import read_lines
from metaforge.screening.batches.spilling import sorted_on_disk
from metaforge.screening.batches.summary import suspicion, worst_face
from metaforge.whole import whole_file

COLUMNS = ("file", "decision", "p_fake", "band", "reason")


def write_triage(results: str | os.PathLike, out: str) -> None:
    """Writes the table of a file of results; one of an earlier call is replaced.

    Args:
        results: the file.
        out: the table.
    """
    rows = (_row(record) for record in read_lines(results))
    with (
        whole_file(out) as made,
        open(made, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for _, row in sorted_on_disk(rows, key=lambda pair: pair[0]):
            writer.writerow(row)


def refuse_other(out: str) -> None:
    """Holds that a file is free, or is a table of an earlier call.

    Raises:
        InputError: when it is not.
    """
    path = Path(out)
    if path.exists() and path.stat().st_size:
        with open(path, "rb") as file:
            if file.readline(200).strip() != ",".join(COLUMNS).encode():
                raise InputError(f"triage: '{out}' exists already. Choose another --triage; nothing was overwritten.")


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe before what would begin one.

    Example:
        >>> harmless("=HYPERLINK(1).jpg"), harmless("a=b.jpg")
        ("'=HYPERLINK(1).jpg", 'a=b.jpg')
    """
    text = printable(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else text


def _row(record: dict) -> list:
    face = worst_face(record)
    band = face["band"] if face else None
    score = record["p_fake"]
    shown = ["" if score is None else f"{score:.6f}", f"{band[0]:.4f} to {band[1]:.4f}" if band else ""]
    decision = "not judged" if record["error"] else record["decision"]
    return [suspicion(record), [harmless(record["file"]), decision, *shown, harmless(record["reason"])]]
