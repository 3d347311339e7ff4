"""What a command prints: names of files as they are, and no complaint where nobody reads it."""

import codecs
import io
import os
import sys


def flush() -> None:
    """A pipe that is closed, or a full disk, is heard of now and not after the end; who closed the output has none."""
    if sys.stdout is not None:
        sys.stdout.flush()


def end_output() -> None:
    """Drops what standard output does not take any more: Python would try it again at the end, and complain."""
    try:
        flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # type: ignore[union-attr]


def print_any_name() -> None:
    """Lets names of files be printed as the bytes that they are, and any letter in a locale that lacks it."""
    codecs.register_error("metaforge.names", _as_bytes)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="metaforge.names")


def _as_bytes(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    # Python reads a byte of a name that is no letter as one of these, and so gives it back.
    found = [bytes([ord(letter) - 0xDC00]) if "\udc80" <= letter <= "\udcff"
             else letter.encode("ascii", "backslashreplace") for letter in letters]  # fmt: skip
    return b"".join(found), error.end
