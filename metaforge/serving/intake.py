"""From the body of a request to what is to be judged: a form with files, or JSON with files in base64."""

import asyncio
import base64
import binascii
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pydantic
from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from metaforge.serving.errors import Problem, problem
from metaforge.serving.kinds import kind_of, name_of
from metaforge.serving.receiving import text_of
from metaforge.serving.strict_json import read_json

_HEAD = 512


class Asked(pydantic.BaseModel):
    """What is asked for beside the verdict."""

    model_config = pydantic.ConfigDict(extra="forbid")

    evidence: bool = pydantic.Field(False, description="Whether features are measured beside the score.")
    map: bool = pydantic.Field(False, description="Whether to say what the score depends on, and where.")
    crops: bool = pydantic.Field(False, description="Whether the pictures are face crops already.")
    model: str = pydantic.Field("default", max_length=64, description="`default`, or the id of an adapter.")
    breaking: bool = pydantic.Field(False, description="Whether it is judged before all that is not breaking.")


class OneFile(Asked):
    """A file in base64, and what is asked."""

    content: str = pydantic.Field(description="The file in base64.")
    name: str | None = pydantic.Field(None, max_length=1000, description="What to call it.")


class Part(pydantic.BaseModel):
    """A file of many."""

    model_config = pydantic.ConfigDict(extra="forbid")

    content: str = pydantic.Field(description="The file in base64.")
    name: str | None = pydantic.Field(None, max_length=1000, description="What to call it.")


class ManyFiles(Asked):
    """Files in base64, and what is asked of all of them."""

    items: list[Part] = pydantic.Field(min_length=1, description="The files.")


class Upload(NamedTuple):
    """A file that came in.

    Attributes:
        name: what its record calls it.
        data: its content; empty of a video, which lies at `path`.
        path: where a video lies, until the answer is made.
        problem: why it is not judged; `None` if it is.
    """

    name: str
    data: bytes = b""
    path: str = ""
    problem: Problem | None = None


class Limits(NamedTuple):
    """Bytes of a picture and of a video, and how many files, at most; and the folder where videos lie meanwhile."""

    image: int
    video: int
    files: int
    spool: Path


@contextlib.asynccontextmanager
async def read_one(request: Request, limits: Limits) -> AsyncIterator[tuple[Upload, Asked]]:
    """The file of a request, and what is asked; videos are removed when it is left.

    Raises:
        Problem: for a body of another form, and for a file that is neither a picture nor a video.
    """
    with tempfile.TemporaryDirectory(dir=limits.spool) as folder:
        if _is_json(request):
            body = _checked(OneFile, await _json(request, 2 * limits.image))
            upload = await _decoded(body.content, body.name, limits, folder)
            if upload.problem:
                raise upload.problem
            yield upload, Asked(**body.model_dump(include=set(Asked.model_fields)))
            return
        async with _form(request, files=1) as form:
            files, asked = _parts(form, "file")
            if len(files) != 1:
                raise problem("invalid", "Send one file, in the field 'file'.")
            upload = await _received(files[0], limits, folder)
            if upload.problem:
                raise upload.problem
            yield upload, asked


@contextlib.asynccontextmanager
async def read_many(request: Request, limits: Limits) -> AsyncIterator[tuple[list[Upload], Asked]]:
    """The files of a request; one that cannot be judged has its `problem`, and stops no other.

    Raises:
        Problem: for a body of another form, or too many files.
    """
    with tempfile.TemporaryDirectory(dir=limits.spool) as folder:
        if _is_json(request):
            body = _checked(ManyFiles, await _json(request, 8 * limits.image))
            if len(body.items) > limits.files:
                raise _too_many(limits)
            uploads = []
            for each in body.items:
                uploads.append(await _decoded(each.content, each.name, limits, folder))
                each.content = ""  # it stands in memory once
            yield uploads, Asked(**body.model_dump(include=set(Asked.model_fields)))
            return
        async with _form(request, files=limits.files) as form:
            files, asked = _parts(form, "files")
            if not files:
                raise problem("invalid", "Send files, each in a field 'files'.")
            yield [await _received(file, limits, folder) for file in files], asked


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return True
    if kind == "multipart/form-data":
        return False
    raise problem("unsupported_type", "Send a form (multipart/form-data), or JSON (application/json).")


async def _json(request: Request, most: int) -> Any:
    try:
        return await asyncio.to_thread(read_json, await text_of(request, most))
    except (ValueError, RecursionError):
        raise problem(
            "bad_request", "The body is not JSON that is read in one way only. Send an object, in UTF-8."
        ) from None


def _checked(model: Any, found: Any) -> Any:
    try:
        return model.model_validate(found)
    except pydantic.ValidationError as error:
        raise problem("invalid", said(error.errors(include_input=False, include_url=False))) from None


def said(errors: Sequence[Any]) -> str:
    """What is wrong with the fields of a body, in a line; nothing of what was sent is in it."""
    told = []
    for each in errors[:5]:
        where = ".".join(str(part)[:40] for part in each["loc"]) or "body"
        told.append(f"{where}: {each['msg']}")
    return "; ".join(told) + "."


@contextlib.asynccontextmanager
async def _form(request: Request, *, files: int) -> AsyncIterator[FormData]:
    try:
        # One more than may be, so that it is known that there were too many.
        form = await request.form(max_files=files + 1, max_fields=16, max_part_size=4096)
    except HTTPException as error:
        detail = str(error.detail)
        if "Too many files" in detail:
            raise problem("too_large", f"At most {files} {'file' if files == 1 else 'files'} a request.") from None
        raise problem("bad_request", f"The form cannot be read: {detail.rstrip('.')}.") from None
    except Problem:
        raise
    except Exception:  # noqa: BLE001 - a parser of what strangers send: whatever it says, the form is not one
        raise problem("bad_request", "The form cannot be read. Send multipart/form-data with its boundary.") from None
    try:
        yield form
    finally:
        await form.close()


def _parts(form: FormData, name: str) -> tuple[list[UploadFile], Asked]:
    files, fields = [], {}
    for key, value in form.multi_items():
        if isinstance(value, UploadFile):
            if key != name:
                raise problem("invalid", f"A file came in another field than '{name}'.")
            files.append(value)
        elif key in fields or key == name:
            raise problem("invalid", f"'{key[:40]}' is there twice." if key in fields else f"'{name}' must be a file.")
        else:
            fields[key] = value
    return files, _checked(Asked, fields)


async def _received(file: UploadFile, limits: Limits, folder: str) -> Upload:
    name, size = name_of(file.filename), file.size or 0
    try:
        kind = kind_of(await file.read(_HEAD))
        _check_size(kind, size, limits)
        await file.seek(0)
        if kind == "image":
            return Upload(name, await file.read())
        descriptor, path = tempfile.mkstemp(suffix=".mp4", dir=folder)
        with os.fdopen(descriptor, "wb") as held:
            while chunk := await file.read(1 << 20):
                await asyncio.to_thread(held.write, chunk)
        return Upload(name, path=path)
    except Problem as error:
        return Upload(name, problem=error)


async def _decoded(content: str, given: str | None, limits: Limits, folder: str) -> Upload:
    name = name_of(given)
    try:
        try:
            data = await asyncio.to_thread(base64.b64decode, content, validate=True)
        except (binascii.Error, ValueError):
            raise problem("invalid", "content: it is not base64.") from None
        kind = kind_of(data[:_HEAD])
        _check_size(kind, len(data), limits)
        if kind == "image":
            return Upload(name, data)
        descriptor, path = tempfile.mkstemp(suffix=".mp4", dir=folder)
        with os.fdopen(descriptor, "wb") as held:
            await asyncio.to_thread(held.write, data)
        return Upload(name, path=path)
    except Problem as error:
        return Upload(name, problem=error)


def _check_size(kind: str, size: int, limits: Limits) -> None:
    most = limits.image if kind == "image" else limits.video
    if size > most:
        raise problem("too_large", f"The {'picture' if kind == 'image' else 'video'} has {size} bytes, and {most} are "
                                   "allowed. Make it smaller.")  # fmt: skip


def _too_many(limits: Limits) -> Problem:
    return problem("too_large", f"At most {limits.files} files a request.")
