"""A JSON array or object with many entries, read and written entry by entry."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from metaforge.errors import InputError

_CHUNK = 1 << 16
_LARGEST = 1 << 26  # letters of one entry: without a limit a file that is no JSON would be held whole


def entries(stream: TextIO, *, of: type) -> Iterator[Any]:
    """The entries of a JSON array, or the (name, value) of an object's; only one of them is held.

    Args:
        stream: open for reading text.

    Other Arguments:
        of: `list` or `dict`.

    Raises:
        InputError: for what is not such JSON. Entries before the fault are given first.

    Example:
        >>> import io
        >>> list(entries(io.StringIO('[{"a": 1}, {"b": [2]}]'), of=list))
        [{'a': 1}, {'b': [2]}]
        >>> list(entries(io.StringIO('{"a": {"b": 1}}'), of=dict))
        [('a', {'b': 1})]
    """
    buffer = _Buffer(stream)
    begin, end, what = ("[", "]", "array") if of is list else ("{", "}", "object")
    if buffer.next() != begin:
        raise InputError(f"captions: it is no JSON {what}.")
    buffer.take()
    if buffer.next() == end:
        buffer.take()
    else:
        while True:
            value = buffer.value()
            if of is dict:
                if not isinstance(value, str) or buffer.next() != ":":
                    raise InputError("captions: it is no JSON object.")
                buffer.take()
                value = value, buffer.value()
            yield value
            after = buffer.next()
            buffer.take()
            if after == end:
                break
            if after != ",":
                raise InputError(f"captions: the JSON {what} is cut off or broken.")
    if buffer.next():
        raise InputError(f"captions: something follows the JSON {what}.")


class _Buffer:
    """A text that is read as it is needed."""

    def __init__(self, stream: TextIO):
        self.stream, self.text, self.at, self.ended = stream, "", 0, False
        self.decoder = json.JSONDecoder()

    def next(self) -> str:
        """The next letter that is no space, not yet taken; "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self.text) or not self._more():
                return self.text[self.at : self.at + 1]

    def take(self) -> None:
        self.at += 1

    def value(self) -> Any:
        """The next value, which is taken."""
        self.next()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except (ValueError, RecursionError):
                end = -1
            # A number that ends where the text does may go on.
            if 0 <= end < len(self.text) or (end > 0 and self.text[end - 1] in '"]}'):
                self.at = end
                return value
            if len(self.text) - self.at > _LARGEST or not self._more():
                if end > 0:
                    self.at = end
                    return value
                raise InputError("captions: the JSON is cut off or broken.")

    def _more(self) -> bool:
        found = "" if self.ended else self.stream.read(max(_CHUNK, len(self.text) - self.at))
        self.ended = not found
        self.text, self.at = self.text[self.at :] + found, 0
        return bool(found)


def write_entries(stream: TextIO, values: Iterable[str], *, brackets: str) -> None:
    """Writes an array or object of entries that are text already, one a line.

    Args:
        stream: open for writing text.
        values: the entries.

    Other Arguments:
        brackets: "[]" or "{}".

    Example:
        >>> import sys
        >>> write_entries(sys.stdout, ["1", "2"], brackets="[]")
        [
        1,
        2
        ]
    """
    stream.write(brackets[0])
    stream.writelines(f"{',' if number else ''}\n{value}" for number, value in enumerate(values))
    stream.write(f"\n{brackets[1]}\n")


def as_json(value: Any) -> str:
    """JSON in one line, with letters as they are; bytes of names that are no letters as escapes."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text if is_text(text) else json.dumps(value, allow_nan=False)


def is_text(text: str) -> bool:
    """Whether UTF-8 can hold it: bytes of names that are no letters it cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
