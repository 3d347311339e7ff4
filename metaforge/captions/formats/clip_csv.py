"""CSV as CLIP's public trainers read it: columns filepath and title, with a tab between them.

These are the defaults of open_clip's loader (`--csv-img-key`, `--csv-caption-key`, `--csv-separator`). It opens paths
as they are: start it in the folder of pairs. CLIP reads 77 tokens, and cuts off longer texts.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import TextIO

from metaforge.captions.formats.captioned import Captioned
from metaforge.captions.formats.streams import is_text
from metaforge.captions.records import id_of
from metaforge.data.tables import columns
from metaforge.errors import InputError, printable

HOLDS = ("image", "text")
"""The fields of `Captioned` that the form has a place for."""

COLUMNS = ("filepath", "title")


def write(captions: Iterable[Captioned], stream: TextIO) -> None:
    """Writes a line for each image.

    Raises:
        InputError: for a path that is no text in UTF-8.
    """
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in captions:
        if not is_text(each.image + each.text):
            raise InputError(
                f"captions: '{printable(each.image)}' is no text in UTF-8, as a CSV file must be. Rename "
                "the image, or choose a form of JSON."
            )
        writer.writerow((each.image, each.text))


def read(stream: TextIO) -> Iterator[Captioned]:
    """The images of a file, in its order; a comma between columns is understood too, and other columns passed over."""
    first = stream.readline()
    mark = "\t" if "\t" in first else ","
    try:
        header = columns(first.rstrip("\r\n").split(mark), known=COLUMNS, needed=COLUMNS)
    except ValueError as error:
        raise InputError(f"captions: it {error}. Its first line must name filepath and title.") from None
    places = [header.index(name) for name in COLUMNS]
    reader = csv.reader(stream, delimiter=mark, strict=True)
    try:
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(
                    f"captions: line {reader.line_num + 1} has {len(row)} values for {len(header)} columns."
                )
            image, text = (row[place] for place in places)
            yield Captioned(id_of(image), image, text)
    except csv.Error as error:
        raise InputError(f"captions: line {reader.line_num + 1} is no line of a CSV file ({error}).") from None
