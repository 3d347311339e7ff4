"""The file of results: a record a line, each written as soon as it is known, and gone on with after a kill."""

import collections
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from metaforge.captions.lines import drop_torn
from metaforge.errors import InputError
from metaforge.locks import lock_directory
from metaforge.runs import read_json, write_json
from metaforge.screening.batches.seen import Seen
from metaforge.screening.verdicts.record import VERSION, FileVerdict
from metaforge.whole import refuse_used

_SAFE = 5.0
"""Seconds after which what is written is on the disk, whatever happens to the machine."""


class Places(NamedTuple):
    """The file of results, and what stands beside it of how they were made."""

    out: Path
    about: Path


def places_of(out: str) -> Places:
    """The files of a call.

    Raises:
        InputError: for another suffix than .jsonl.

    Example:
        >>> places_of("a/results.jsonl").about.as_posix()
        'a/results.provenance.json'
    """
    path = Path(out)
    if path.suffix != ".jsonl":
        raise InputError(f"out: '{out}' is no .jsonl. Choose one.")
    return Places(path, path.with_suffix(".provenance.json"))


class Results:
    """An open file of results.

    Attributes:
        done: the files that have a record.
        counts: how many records have which decision, or "error".
    """

    def __init__(self, file: Any, done: Seen, counts: collections.Counter):
        """`open_results` makes it."""
        self._file, self._safe, self.done, self.counts = file, time.monotonic(), done, counts

    def write(self, record: FileVerdict) -> None:
        """Adds a record: after a kill it is there."""
        self._file.write(line_of(record))
        self._file.flush()
        self.counts["error" if record.error else record.decision] += 1
        if time.monotonic() - self._safe > _SAFE:
            os.fsync(self._file.fileno())
            self._safe = time.monotonic()


@contextlib.contextmanager
def open_results(places: Places, asked: dict[str, Any], about: dict[str, Any]) -> Iterator[Results]:
    """Opens a file of results to go on with it, or a new one. One process at a time has it open.

    Args:
        places: where.
        asked: what changes a record; results of another one are not mixed in.
        about: what else is kept beside the results.

    Raises:
        InputError: when there is something else, another process writes there, or the results are of another call.
    """
    refuse_another(places, asked)
    places.out.parent.mkdir(parents=True, exist_ok=True)
    places.out.touch()
    _lock = lock_directory(places.out, flag="out")
    refuse_another(places, asked)  # who waited for another process may find its work
    if not places.about.exists():
        write_json(places.about, {"asked": asked} | about)
    if note := drop_torn(places.out):
        print(note, file=sys.stderr)
    done, counts = Seen(), collections.Counter()
    for record in read_lines(places.out):
        done.add(record["file"])
        counts["error" if record["error"] else record["decision"]] += 1
    with open(places.out, "a", encoding="utf-8", newline="\n") as file:
        yield Results(file, done, counts)
        os.fsync(file.fileno())


def refuse_another(places: Places, asked: dict[str, Any]) -> None:
    """Holds that there are no results, or that they are of the same call. Nothing is written.

    Raises:
        InputError: when there is something else.
    """
    there = places.out.exists() and places.out.stat().st_size > 0
    if not places.about.exists():
        if there:
            refuse_used(places.out)
        return
    before = read_json(places.about).get("asked")
    if before == asked:
        return
    before = before if isinstance(before, dict) else {}
    other = " and ".join(sorted(name for name in asked if before.get(name) != asked[name]))
    raise InputError(
        f"out: the results in '{places.out}' were made with another {other}. Choose another --out, or delete them and "
        f"'{places.about.name}'."
    )


def line_of(record: FileVerdict) -> str:
    r"""A record as a line of the file: ASCII alone, and names keep the bytes that they have."""
    return json.dumps(record.as_json(), separators=(",", ":")) + "\n"


def read_lines(path: str | os.PathLike, *, flag: str = "out") -> Iterator[dict[str, Any]]:
    """The records of a file, as JSON has them; one at a time is held.

    Args:
        path: the file.

    Other Arguments:
        flag: the setting that names it, for what is said of a line.

    Raises:
        InputError: when a line is no record of this version.
    """
    with open(path, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
                known = record["version"] == VERSION and isinstance(record["file"], str) and "error" in record
            except (ValueError, KeyError, TypeError):
                known = False
            if not known:
                raise InputError(f"{flag}: line {number} of '{os.fspath(path)}' is no record of metaforge screen. "
                                 f"Delete the line, or choose another --{flag}.")  # fmt: skip
            yield record
