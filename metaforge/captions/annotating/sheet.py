"""Some pairs of a file of records, drawn one below the other."""

from collections.abc import Iterator, Sequence
from typing import Any

from metaforge.captions.annotating.looking import FailedError, look
from metaforge.captions.annotating.options import Config, Options
from metaforge.captions.annotating.pairs import find_pairs
from metaforge.captions.annotating.running import job_of
from metaforge.captions.drawing import contact_sheet, pair_panels
from metaforge.captions.records import NO_ANNOTATION, read_records
from metaforge.whole import whole_file

_SIDE = 192  # pixels of an image on the sheet


def spread(count: int, rows: int) -> list[int]:
    """Which of so many to draw: the first, the last, and others spread evenly between them.

    Example:
        >>> spread(101, 3), spread(2, 5), spread(9, 1)
        ([0, 50, 100], [0, 1], [0])
    """
    rows = min(count, rows)
    return [round(place * (count - 1) / max(1, rows - 1)) for place in range(rows)]


def write_sheet(options: Options, config: Config) -> None:
    """Draws pairs, spread evenly over those that were annotated, beside the words of their records.

    Args:
        options: of a call whose records are written.
        config: likewise.
    """
    found = find_pairs(options.pairs)
    job, pairs = job_of(options, config, found), {pair.fake: pair for pair in found.pairs}
    rows = []
    count = sum(1 for _ in _annotated(options.out))
    for record in _chosen(_annotated(options.out), spread(count, options.rows)):
        try:
            seen = look(pairs[record["fake"]], job)
        except FailedError:  # its files are others by now
            continue
        words = [record["id"], record["sentence"]]
        rows.append((pair_panels(seen.real, seen.fake, seen.found, seen.marks, size=_SIDE), words))
    sheet = contact_sheet(rows, size=_SIDE)
    with whole_file(options.sheet, new=True) as made:
        sheet.save(made)


def _annotated(path: str) -> Iterator[dict[str, Any]]:
    return (record for record in read_records(path) if record["answer"] not in NO_ANNOTATION)


def _chosen(records: Iterator[dict[str, Any]], places: Sequence[int]) -> Iterator[dict[str, Any]]:
    wanted = set(places)
    return (record for place, record in enumerate(records) if place in wanted)
