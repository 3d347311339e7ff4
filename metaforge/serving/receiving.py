"""A form of many files, written to the disk as it comes in: memory stays flat, and every bound holds before a write.

And a text, which is held once.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from metaforge.errors import printable
from metaforge.serving.errors import problem

_FIELD, _NAME, _HEAD = 1000, 1000, 64  # bytes of a text field, letters of a name, bytes that say what a file is


class Received(NamedTuple):
    """A file of a form.

    Attributes:
        field: that it came in.
        name: as its sender calls it, in one line.
        head: its first bytes.
        size: how many there are.
        path: where they are.
    """

    field: str
    name: str
    head: bytes
    size: int
    path: Path


class Bounds(NamedTuple):
    """At most so many files, bytes of one, and bytes of all."""

    files: int
    each: int
    total: int


async def received(
    chunks: AsyncIterator[bytes], content_type: str, folder: Path, *, files: tuple[str, ...], texts: tuple[str, ...],
    bounds: Bounds,
) -> tuple[list[Received], dict[str, str]]:  # fmt: skip
    """The files and the text fields of a form in multipart/form-data.

    Args:
        chunks: of the body.
        content_type: of the request.
        folder: where files are written, under numbers.

    Other Arguments:
        files: the fields that files come in.
        texts: the fields that text comes in.
        bounds: what is refused.

    Raises:
        Problem: for another type, a body that is no form, an unknown field, or too much of anything.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise problem("unsupported_type", "This takes a form. Send multipart/form-data.")
    if not options.get(b"boundary"):
        raise problem("bad_request", "The form's Content-Type names no boundary. Let your client write it.")
    form = _Form(folder, files, texts, bounds)
    try:
        parser = MultipartParser(options[b"boundary"], {
            "on_part_begin": form.begin, "on_part_data": form.data, "on_part_end": form.end,
            "on_header_field": form.header_field, "on_header_value": form.header_value,
            "on_header_end": form.header_end, "on_headers_finished": form.headers, "on_end": form.whole,
        })  # fmt: skip
        async for chunk in chunks:
            if chunk:
                await asyncio.to_thread(parser.write, chunk)
        parser.finalize()
    except FormParserError:
        raise problem("bad_request", "The body is no whole form in multipart/form-data. Send it again.") from None
    finally:
        form.close()
    if not form.ended:
        raise problem("bad_request", "The form ends before its last boundary. Send all of it.")
    return form.found, form.texts


class _Form:
    """What the parser's events are gathered in."""

    def __init__(self, folder: Path, files: tuple[str, ...], texts: tuple[str, ...], bounds: Bounds):
        self.folder, self.known, self.bounds = folder, (files, texts), bounds
        self.found: list[Received] = []
        self.texts: dict[str, str] = {}
        self.total, self.ended = 0, False
        self.file: BinaryIO | None = None

    def begin(self) -> None:
        self.disposition, self.header = b"", [b"", b""]
        self.head, self.size, self.text = b"", 0, b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self.header[0] += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self.header[1] += data[start:end]

    def header_end(self) -> None:
        if self.header[0].lower() == b"content-disposition":
            self.disposition = self.header[1]
        self.header = [b"", b""]

    def headers(self) -> None:
        _, options = parse_options_header(self.disposition)
        said = lambda key: printable(options.get(key, b"").decode("utf-8", "replace"))[:_NAME]
        self.field, self.name = said(b"name"), said(b"filename")
        files, texts = self.known
        # A browser sends an empty file where none was chosen; some clients send text with a name.
        if self.field in files:
            if b"filename" not in options:
                raise problem("invalid", f"{self.field}: this field holds files. Send each with a file name.")
            if len(self.found) == self.bounds.files:
                raise problem("too_large", f"There are more than {self.bounds.files:,} files. Send fewer.")
            self.path = self.folder / f"{len(self.found) + 1:06}"
            self.file = open(self.path, "xb")  # noqa: SIM115 - closed at its end, or when the form is left
        elif self.field not in texts:
            known = ", ".join((*files, *texts))
            raise problem("invalid", f"'{self.field[:80]}' is no field of this form. Send some of: {known}.")
        elif self.field in self.texts:
            raise problem("invalid", f"{self.field}: it is given twice. Give it once.")

    def data(self, data: bytes, start: int, end: int) -> None:
        if self.file is None:
            self.text += data[start:end]
            if len(self.text) > _FIELD:
                raise problem("invalid", f"{self.field}: it has more than {_FIELD} bytes. Shorten it.")
            return
        self.size, self.total = self.size + end - start, self.total + end - start
        if self.size > self.bounds.each:
            raise problem("too_large", f"'{self.name}' has more than {_megabytes(self.bounds.each)}. Send a smaller "
                          "picture.")  # fmt: skip
        if self.total > self.bounds.total:
            raise problem("too_large", f"The files have more than {_megabytes(self.bounds.total)} together. Send "
                          "fewer, or smaller ones.")  # fmt: skip
        if len(self.head) < _HEAD:
            self.head = (self.head + data[start:end])[:_HEAD]
        self.file.write(data[start:end])

    def end(self) -> None:
        if self.file is None:
            try:
                self.texts[self.field] = self.text.decode()
            except UnicodeDecodeError:
                raise problem("invalid", f"{self.field}: it is not UTF-8. Encode it so.") from None
            return
        self.close()
        self.found.append(Received(self.field, self.name, self.head, self.size, self.path))

    def whole(self) -> None:
        self.ended = True

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def flag_of(fields: dict[str, str], name: str) -> bool:
    """A text field that says "true" or "false"; false if it is left out.

    Raises:
        Problem: for anything else.
    """
    said: Any = {"": False, "false": False, "true": True}.get(fields.get(name, ""))
    if said is None:
        raise problem(
            "invalid", f"{name}: '{printable(fields[name])[:40]}' is neither true nor false. Give one of them."
        )
    return said


async def text_of(request: Request, most: int | None = None) -> str:
    """The body of a request, of which no second copy is kept.

    Args:
        request: it.
        most: bytes that it may have, where that is less than the guards let in.

    Raises:
        Problem: if it has more.
        ValueError: if it is not UTF-8.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if most is not None and len(data) > most:
            raise problem("too_large", f"JSON may have {most} bytes here. Send a form, which may have more.")
    return await asyncio.to_thread(data.decode, "utf-8")
