"""CSV files as people and programs leave them: read right, or refused; never read wrong in silence."""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple


def columns(header: Sequence[str], *, known: Collection[str], needed: Sequence[str] = ()) -> list[str]:
    """The names of a table's columns, as this project writes those that it knows.

    Spaces around a name and capital letters in it say nothing. Columns of other names may be there as often as they
    like: nobody reads them.

    Args:
        header: the cells of the first line.

    Other Arguments:
        known: the names that mean something, in small letters.
        needed: those that must be there.

    Raises:
        ValueError: when one that is needed is not there, or one that is known is there twice.

    Example:
        >>> columns(["", " Path", "LABEL", "Remark"], known=["path", "label"], needed=["path"])
        ['', 'path', 'label', 'Remark']
    """
    plain = [name.strip() for name in header]
    found = [name.casefold() if name.casefold() in known else name for name in plain]
    for name in needed:
        if name not in found:
            other = next((mark for mark in (";", "\t") if len(header) == 1 and mark in header[0]), "")
            raise ValueError(
                f"has no column '{name}'" + (f", for {other!r} parts its columns, not ','" if other else "")
            )
    for name in known:
        if found.count(name) > 1:
            raise ValueError(f"has the column '{name}' twice")
    return found


class Line(NamedTuple):
    """A line of a table.

    Attributes:
        number: which, from 1.
        cells: of the known columns, without spaces around them; "" where there is none.
        problem: what makes it useless, or "".
        lacks: how many cells it has too few: the last ones, if its writer left out what is empty.
    """

    number: int
    cells: dict[str, str]
    problem: str = ""
    lacks: int = 0


def lines(stream: Iterable[str], *, known: Collection[str], needed: Sequence[str]) -> Iterator[Line]:
    r"""The lines of a CSV file below its first; blank ones are nobody's.

    Raises:
        ValueError: as `columns`; `csv.Error` for what is no CSV file.

    Example:
        >>> found = lines(["path,label\n", "a.png, 1\n", "\n", "b.png\n"], known=["path", "label"], needed=["path"])
        >>> [(line.number, list(line.cells.values()), line.lacks) for line in found]
        [(2, ['a.png', '1'], 0), (4, ['b.png', ''], 1)]
    """
    reader = csv.reader(stream, strict=True)
    header = columns(next(reader, []), known=known, needed=needed)
    places = {name: header.index(name) for name in known if name in header}
    for row in reader:
        if not any(map(str.strip, row)):
            continue
        problem = ""
        if len(row) > len(header):
            problem = f"{len(row)} values for {len(header)} columns"
        elif any("\n" in cell or "\r" in cell for cell in row):
            problem = "a quote that does not end on its line"
        found = {name: row[place].strip() for name, place in places.items() if place < len(row)}
        yield Line(reader.line_num, {name: found.get(name, "") for name in known}, problem, len(header) - len(row))
