"""What a file of results says as a whole, read once from its beginning to its end, with the worst of it held."""

import collections
import heapq
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from metaforge.screening.batches.results import read_lines
from metaforge.screening.batches.walking import natural

BINS = 20
"""Bars of the histogram of `p_fake`."""

Record = dict[str, Any]
"""A `metaforge.screening.verdicts.FileVerdict` as JSON has it."""


class Errors(NamedTuple):
    """Errors of one code: how many, and the first of them."""

    count: int
    file: str
    message: str


class Summary(NamedTuple):
    """All results.

    Attributes:
        files: how many records.
        kinds: images and videos.
        decisions: how many files have which, or "error".
        bins: files with a score, by `p_fake` from 0 to 1 in steps of 1 / 20.
        quality: how many files have which flag, their faces' flags among them.
        errors: by code.
        worst: the most suspicious records with a face, in order.
        any: some record, for what all have in common; `None` where there is none.
        times: when the first and the last was judged.
    """

    files: int
    kinds: collections.Counter
    decisions: collections.Counter
    bins: list[int]
    quality: collections.Counter
    errors: dict[str, Errors]
    worst: list[Record]
    any: Record | None
    times: tuple[str, str]


def suspicion(record: Record) -> tuple[int, float, Any]:
    """What records are ordered by, the most suspicious first.

    Fakes come first, and then all of which nothing is said: of these those with a score, those without, and those that
    could not be read, since a file may be broken on purpose. Of the same kind those with the higher `p_fake` come
    first, and then names decide.

    Example:
        >>> record = {"file": "a", "decision": "fake", "p_fake": 0.9, "error": None}
        >>> suspicion(record) < suspicion(record | {"p_fake": 0.8})
        True
    """
    score = record["p_fake"]
    doubt = 3 if record["error"] else 2 if score is None else 1
    group = {"fake": 0, "real": 4}.get(record["decision"], doubt) if not record["error"] else 3
    return group, 0.0 if score is None else -score, natural(record["file"])


def summarise(records: Iterable[Record], *, worst: int) -> Summary:
    """Goes through records once.

    Args:
        records: in any order.

    Other Arguments:
        worst: how many of the most suspicious are kept.
    """
    kinds, decisions, quality = (collections.Counter() for _ in range(3))
    bins, errors = [0] * BINS, dict[str, Errors]()
    some: list[Record] = []
    times = ["", ""]

    def counted() -> Iterator[Record]:
        for record in records:
            error = record["error"]
            kinds[record["kind"]] += 1
            decisions["error" if error else record["decision"]] += 1
            quality.update({*record["quality"], *(flag for face in record["faces"] for flag in face["quality"])})
            if error:
                before = errors.get(error["code"], Errors(0, record["file"], error["message"]))
                errors[error["code"]] = before._replace(count=before.count + 1)
            if record["p_fake"] is not None:
                bins[min(math.floor(record["p_fake"] * BINS), BINS - 1)] += 1
            times[:] = min(times[0] or record["time"], record["time"]), max(times[1], record["time"])
            some[:] = some or [record]
            yield record

    shown = (each for each in counted() if each["faces"] and not each["error"])
    kept = heapq.nsmallest(max(worst, 1), shown, key=suspicion)[:worst]  # of 0 it would read none
    any_record = some[0] if some else None
    total = sum(decisions.values())
    return Summary(total, kinds, decisions, bins, quality, errors, kept, any_record, (times[0], times[1]))


def summary_of(path: str | os.PathLike, *, worst: int) -> Summary:
    """As `summarise`, of a file of results."""
    return summarise(read_lines(path), worst=worst)


def worst_face(record: Record) -> Record | None:
    """The face by which a file was decided; `None` of one without a face."""
    same = [face for face in record["faces"] if face["decision"] == record["decision"]]
    return max(same, key=lambda face: -1.0 if face["p_fake"] is None else face["p_fake"], default=None)
