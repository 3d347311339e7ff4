"""The forms by name."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TextIO

from metaforge.captions.formats import clip_csv, dd_vqa, fakeshield, llava, m2f2_det
from metaforge.captions.formats.captioned import Captioned
from metaforge.errors import InputError


class Format(NamedTuple):
    """A form of captions.

    Attributes:
        write: images with their texts to an open file of text.
        read: the images of one.
        holds: the fields of `Captioned` that it has a place for.
    """

    write: Callable[[Iterable[Captioned], TextIO], None]
    read: Callable[[TextIO], Iterator[Captioned]]
    holds: tuple[str, ...]

    @property
    def lacks(self) -> tuple[str, ...]:
        """The fields that are lost on the way."""
        return tuple(name for name in Captioned._fields if name not in self.holds)


FORMATS = {
    "llava": Format(llava.write, llava.read, llava.HOLDS),
    "clip": Format(clip_csv.write, clip_csv.read, clip_csv.HOLDS),
    "dd_vqa": Format(dd_vqa.write, dd_vqa.read, dd_vqa.HOLDS),
    "m2f2_det": Format(m2f2_det.write, m2f2_det.read, m2f2_det.HOLDS),
    "fakeshield": Format(fakeshield.write, fakeshield.read, fakeshield.HOLDS),
}
"""What each is, its module says."""


def read_captions(path: str | os.PathLike, *, format: str) -> Iterator[Captioned]:
    """The images and texts of a file in one of `FORMATS`, one after the other; memory does not grow with the file.

    Args:
        path: of the file.

    Other Arguments:
        format: its name.

    Raises:
        InputError: when the file cannot be read or is not of that form.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(f"{folder}/a.csv", "w", encoding="utf-8") as file:
        ...         FORMATS["clip"].write([Captioned("a", "a.png", "Forged: the nose.")], file)
        ...     list(read_captions(f"{folder}/a.csv", format="clip"))
        [Captioned(id='a', image='a.png', text='Forged: the nose.', mask=None, parts={})]
    """
    if format not in FORMATS:
        raise InputError(f"format: unknown '{format}'; known: {', '.join(FORMATS)}.")
    shown = os.fspath(path)
    try:
        with open(path, encoding="utf-8-sig", newline="" if format == "clip" else None) as stream:
            yield from FORMATS[format].read(stream)
    except OSError as error:
        raise InputError(f"captions: '{shown}' cannot be read ({error.strerror}). Check the path.") from None
    except UnicodeDecodeError:
        raise InputError(f"captions: '{shown}' is not text in UTF-8. Save it as such.") from None
    except InputError as error:
        raise InputError(f"captions: '{shown}': {str(error).removeprefix('captions: ')}") from None
