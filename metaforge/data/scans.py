"""How often a JPEG is drawn over: each scan costs a pass over all of its pixels, and one takes a few bytes."""

import re

MOST = 100
"""Scans that are decoded. A progressive JPEG has about ten, and libtiff, too, takes 100 at most."""

# After 0xFF: coded data (0), restarts (D0 to D7), and fill (FF) are no markers.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")


def scans_of(data: bytes) -> int:
    r"""The scans of a JPEG, but none of pictures that lie in its headers or behind its end.

    Args:
        data: the file; one that is damaged has as many as are found up to there.

    Example:
        >>> scans_of(b"\xff\xd8" + b"\xff\xda\x00\x02ab\xff\x00c" * 2 + b"\xff\xd9\xff\xda")
        2
    """
    count, place = 0, 2
    while found := _MARKER.search(data, place):
        kind, place = found[1][0], found.end()
        if kind == 0xD9:
            break
        count += kind == 0xDA
        if kind not in (0x01, 0xD8):
            place += max(int.from_bytes(data[place : place + 2], "big"), 2)
    return count
