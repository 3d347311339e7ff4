"""What people say of verdicts, over HTTP: a label and a note, with the verdict they saw; never an image."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from metaforge.errors import InputError
from metaforge.screening.verdicts.record import FileVerdict
from metaforge.serving.documents import problems
from metaforge.serving.errors import problem
from metaforge.serving.intake import said as wrong_in
from metaforge.serving.storage import storable
from metaforge.serving.strict_json import read_json

if TYPE_CHECKING:
    from metaforge.serving.service import Service

_LARGEST = 2**31 - 1  # what a column of whole numbers holds everywhere
_VERDICT = 1_000_000  # letters of a record

_SAID = {"sha256": "5b" * 32, "label": "fake", "face": 1, "note": "The left ear has no outline."}


_ROW = {
    "type": "object",
    "required": ["id", "time", "sha256", "label", "note"],
    "properties": {
        "id": {"type": "integer"},
        "time": {"type": "string", "description": "UTC, as RFC 3339."},
        "who": {"type": ["string", "null"], "description": "The name of a token; null where the service has none."},
        "sha256": {"type": "string"},
        "face": {"type": ["integer", "null"]},
        "label": {"enum": ["real", "fake", "skip"]},
        "note": {"type": "string"},
        "verdict": {"anyOf": [{"$ref": "#/components/schemas/Verdict"}, {"type": "null"}]},
        "model_sha256": {"type": ["string", "null"]},
    },
}
_EXAMPLE = _SAID | {"id": 7, "time": "2026-01-02T03:04:05Z", "who": "ann"}
_LISTED = {
    "type": "object",
    "required": ["feedback"],
    "properties": {"feedback": {"type": "array", "items": _ROW}, "next": {"type": ["integer", "null"]}},
}

_DELETED = {"type": "object", "required": ["deleted"], "properties": {"deleted": {"type": "integer"}}}


def _answer(status: int, schema: dict[str, Any], example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {status: {"content": {"application/json": {"schema": schema, "example": example}}}}


class Said(BaseModel):
    """What somebody says of a file, or of a face in it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SAID]})

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Of the file.")]
    label: Literal["real", "fake", "skip"]
    face: Annotated[StrictInt, Field(ge=0, le=_LARGEST, description="Its number in the verdict.")] | None = None
    verdict: Annotated[dict[str, Any], Field(description="The record that was seen (docs/verdicts.md).")] | None = None
    note: Annotated[str, Field(max_length=2000)] = ""


_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Said.model_json_schema(), "example": _SAID}},
    }
}


def router(service: "Service") -> APIRouter:
    """What answers /v1/feedback."""
    routes, storage = APIRouter(prefix="/v1/feedback", tags=["feedback"]), service.storage

    @routes.post("", status_code=201, openapi_extra=_BODY, responses=_answer(201, _ROW, _EXAMPLE)
                 | problems(400, 401, 403, 408, 413, 415, 421, 422, 429, 500))  # fmt: skip
    async def say(request: Request) -> JSONResponse:
        """Keeps a label, and the verdict that it is about; no image."""
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise problem("unsupported_type", "Feedback is JSON. Send application/json.")
        said = await asyncio.to_thread(_read, await request.body())
        who = getattr(request.state, "token", None)
        row = await asyncio.to_thread(lambda: storage.add_feedback(**_checked(said), who=who))
        return JSONResponse(row, 201, {"Location": f"/v1/feedback/{row['id']}"})

    @routes.get("", responses=_answer(200, _LISTED, {"feedback": [_EXAMPLE]})
                | problems(401, 403, 421, 422, 429, 500))  # fmt: skip
    async def every(
        after: Annotated[int, Query(ge=0, le=_LARGEST, description="The last id that is known.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """What was said, in order; `next` is what to ask for after it, and null at the end."""
        rows = await asyncio.to_thread(storage.feedback, after=after, limit=limit)
        return {"feedback": rows, "next": rows[-1]["id"] if len(rows) == limit else None}

    @routes.delete("", responses=_answer(200, _DELETED, {"deleted": 2}) | problems(401, 403, 421, 422, 429, 500))
    async def forget_all(
        sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="Of the file.")] = None,
        who: Annotated[str | None, Query(min_length=1, max_length=64, description="The name of a token.")] = None,
    ) -> dict[str, int]:
        """Deletes all that was said of a file, or by somebody, for good; give one of the two, or both to narrow it."""
        if sha256 is None and who is None:
            raise problem("invalid", "sha256, who: give one of them, or all would be deleted.")
        gone = await asyncio.to_thread(storage.drop_feedback_where, sha256=sha256 or "", who=who or "")
        return {"deleted": gone}

    @routes.delete("/{id}", status_code=204, responses=problems(401, 403, 404, 421, 422, 429, 500))
    async def forget(id: int) -> Response:
        """Deletes what was said, for good."""
        if not 0 < id <= _LARGEST or not await asyncio.to_thread(storage.drop_feedback, id):
            raise problem("not_found", "There is no feedback of this id. GET /v1/feedback lists all.")
        return Response(status_code=204)

    return routes


def _read(data: bytes) -> Said:
    try:
        return Said.model_validate(read_json(data))
    except ValidationError as error:
        raise problem("invalid", wrong_in(error.errors(include_input=False, include_url=False))) from None
    except (ValueError, RecursionError):
        raise problem("bad_request", "The body is not JSON that is read in one way only. Send an object.") from None


def _checked(said: Said) -> dict[str, Any]:
    """What is kept of it.

    Raises:
        Problem: when its parts do not belong together.
    """
    values = said.model_dump()
    verdict = model = None
    if said.verdict is not None:
        try:
            record = FileVerdict.from_json(said.verdict)
        except (InputError, RecursionError) as error:
            raise problem("invalid", " ".join(str(error).split())[:500]) from None
        if record.sha256 != said.sha256:
            raise problem("invalid", "verdict: it is of another file than sha256 says. Send the verdict on that file.")
        if said.face is not None and said.face not in [face.number for face in record.faces]:
            raise problem("invalid", f"face: the verdict has no face {said.face}. Give one of its numbers.")
        # What the record's form does not know is not kept: nobody's image hides there.
        verdict, model = record.as_json(), record.model.sha256
        if len(model) > 64:
            raise problem("invalid", "verdict: model.sha256 has more than 64 letters. Send the record as it came.")
    if not storable([verdict, said.note]):
        raise problem("invalid", "note, verdict: they hold letters that cannot be kept, such as NUL. Leave them out.")
    if len(json.dumps(verdict)) > _VERDICT:
        raise problem("too_large", f"verdict: it has more than {_VERDICT:,} letters. Leave it out.")
    return values | {"verdict": verdict, "model_sha256": model}
