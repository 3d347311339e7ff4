"""Makes a report of one file: judged, looked at once more, and laid down as a page with its record beside it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from metaforge.errors import InputError, printable
from metaforge.screening.reporting.looking import Shown, shown_of
from metaforge.screening.reporting.page import page_of
from metaforge.screening.verdicts.record import FileVerdict
from metaforge.whole import refuse_used, whole_file

if TYPE_CHECKING:
    from metaforge.screening.verdicts import Screener


class Places(NamedTuple):
    """The files of a report: the page, and the record beside it."""

    page: Path
    record: Path


def places_of(out: str) -> Places:
    """The files of a report, both free.

    Raises:
        InputError: for another suffix than .html, or when one of them is there.

    Example:
        >>> places_of("a/report.html").record.as_posix()
        'a/report.json'
    """
    page = Path(out)
    if page.suffix != ".html":
        raise InputError(f"out: '{printable(out)}' is no .html. Choose one.")
    places = Places(page, page.with_suffix(".json"))
    for place in places:
        refuse_used(place)
    return places


def report(screener: "Screener", file: Path, places: Places) -> FileVerdict:
    """Judges a file, and writes its report.

    Args:
        screener: what judges; its `measure` says whether evidence is measured.
        file: a picture or a video. One that cannot be read has a report, too, which says why.
        places: where the report goes.

    Returns:
        The record.

    Raises:
        InputError: if the file was changed meanwhile, faces cannot be found here, or a place has been taken.
    """
    crop, _ = screener.crop_in(file.parent)
    (record,) = screener.verdicts([file], root=file.parent, workers=1)
    data = None if record.kind == "video" or record.error else file.read_bytes()
    if data is not None:
        from metaforge.screening.verdicts.identity import identity_of

        if identity_of(data).sha256 != record.sha256:
            raise InputError(f"image: '{printable(file.as_posix())}' was written to while it was read. Try again.")
    shown = shown_of(screener, file, data, record, crop=crop)
    with whole_file(places.record, new=True) as path:
        path.write_text(json.dumps(as_json(record, shown), indent=1) + "\n", encoding="utf-8")
    with whole_file(places.page, new=True) as path:
        page = page_of(record, shown, tried=screener.measure is not None)
        path.write_text(page, encoding="utf-8")
    return record


def as_json(record: FileVerdict, shown: Shown) -> dict[str, Any]:
    """The record, and beside it the map of each face, in rows from the top."""
    maps = [
        {"face": number, "tag": "inferred", "falls": each.heat.round(4).tolist()}
        for number, each in shown.faces.items()
    ]
    return record.as_json() | {"maps": maps}
