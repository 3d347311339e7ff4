"""Names from a list or a pipe, as they come: one a line, or with a NUL behind each as `find -print0` writes them."""

import os
import queue
import re
import threading
from collections.abc import Callable, Iterator

from metaforge.errors import InputError, printable

_BLOCK = 1 << 16


def read_names(descriptor: int) -> Iterator[str]:
    r"""The names that a file or a pipe holds, each as soon as its line has ended.

    Empty lines are passed over, and so is the mark of UTF-8 at the beginning. Where there is a NUL in what comes first,
    names end with one, and may hold line breaks.

    Args:
        descriptor: an open file.

    Example:
        >>> ends = os.pipe()
        >>> _ = os.write(ends[1], b"a.jpg\r\n\nb c.jpg\nlast")
        >>> os.close(ends[1])
        >>> list(read_names(ends[0]))
        ['a.jpg', 'b c.jpg', 'last']
    """
    rest, end, begun = b"", b"", False
    while block := os.read(descriptor, _BLOCK):
        rest += block if begun else block.removeprefix(b"\xef\xbb\xbf")
        begun = True
        # A name may come before what ends it.
        end = end or (b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b"")
        if end:
            *lines, rest = rest.split(end)
            yield from filter(None, (_name(line, end) for line in lines))
    if name := _name(rest, end or b"\n"):
        yield name


def count_names(path: str) -> int:
    """How many names a list holds, for whoever says how much is left."""
    with open(path, "rb", buffering=0) as file:
        return sum(1 for _ in read_names(file.fileno()))


def as_they_come(names: Iterator[str], *, most: int) -> Iterator[list[str]]:
    """Names in lists of those that are there: a single one at once, and no more than `most` together.

    Args:
        names: they are taken in a thread of their own, which may wait for them.

    Other Arguments:
        most: names in a list; twice as many wait at most.

    Example:
        >>> [name for some in as_they_come(iter("abc"), most=2) for name in some]
        ['a', 'b', 'c']
    """
    waiting: queue.Queue[str | None] = queue.Queue(2 * most)
    broken: list[Exception] = []

    def take():
        try:
            for name in names:
                waiting.put(name)
        except Exception as error:  # noqa: BLE001 - whoever waits for the next name is to get it
            broken.append(error)
        waiting.put(None)

    # A daemon: nobody can end a read from a pipe that stays silent.
    threading.Thread(target=take, daemon=True).start()
    name = waiting.get()
    while name is not None:
        some = [name]
        while len(some) < most and not waiting.empty() and (name := waiting.get()) is not None:
            some.append(name)
        yield some
        if name is not None:
            name = waiting.get()
    if broken:
        raise broken[0]


def matcher(pattern: str, *, whole: bool = False) -> Callable[[str], bool]:
    """Whether a name matches a pattern as shells know them; one without "/" is held against the last part alone.

    `*` and `?` stand for letters but "/", `[ab]` for one of some, and `**/` for any folders.

    Args:
        pattern: what names look like.

    Other Arguments:
        whole: whether a pattern without "/" is held against the whole name, too.

    Raises:
        InputError: for letters in brackets that no name can have, such as `[z-a]`.

    Example:
        >>> [matcher("2024/**/*.jpg")(name) for name in ("2024/a.jpg", "2024/05/01/a.jpg", "2023/a.jpg")]
        [True, True, False]
        >>> matcher("*breaking*")("agency/breaking-1.jpg")
        True
    """
    whole = whole or "/" in pattern
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    stand = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    made = "".join(
        stand.get(part) or (re.sub(r"^\[!", "[^", part.replace("\\", r"\\")) if place % 2 else re.escape(part))
        for place, part in enumerate(parts)
    )
    try:
        found = re.compile(made, re.DOTALL)
    except re.error:
        raise InputError(f"'{printable(pattern)}' is no pattern. Check what stands in brackets.") from None
    return lambda name: bool(found.fullmatch(name if whole else name.rpartition("/")[2]))


def _name(line: bytes, end: bytes) -> str:
    return os.fsdecode(line.removesuffix(b"\r") if end == b"\n" else line)
