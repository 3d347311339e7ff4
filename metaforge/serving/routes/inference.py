"""The Open Inference Protocol, version 2, for clients that know it from other servers: KServe, Triton, MLServer.

Names, shapes and the body of an error are those of the protocol's text, also where /v1 says the same otherwise. A model
has one input, pictures as they are in files, and three outputs with an entry for each picture.

Over 250 lines because the protocol prescribes its forms, which stand here as for OpenAPI.
"""

import asyncio
import base64
import binascii
import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metaforge.errors import printable
from metaforge.serving.errors import Problem, problem
from metaforge.serving.intake import Asked, Upload, said
from metaforge.serving.kinds import kind_of
from metaforge.serving.leaving import all_of, while_there
from metaforge.serving.receiving import text_of
from metaforge.serving.routes.predict import judge
from metaforge.serving.strict_json import read_json

if TYPE_CHECKING:
    from metaforge.serving.service import Service

IMAGE, NOTHING = "image", -1.0
OUTPUTS = {"p_fake": "FP32", "decision": "BYTES", "verdict": "BYTES"}
"""What is said of each picture; `p_fake` is `NOTHING` where the detector gives no number, which JSON cannot say."""

_FLAGS = ("evidence", "crops")


class Tensor(BaseModel):
    """An input."""

    model_config = ConfigDict(extra="forbid")

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any]


class Wanted(BaseModel):
    """An output that is asked for."""

    model_config = ConfigDict(extra="forbid")

    name: str
    parameters: dict[str, Any] = {}


class Inference(BaseModel):
    """A request of the protocol."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=200)] | None = None
    parameters: dict[str, Any] = {}
    inputs: list[Tensor]
    outputs: list[Wanted] = []


_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "additionalProperties": False,
    "properties": {
        "name": {"const": IMAGE},
        "shape": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 1},
        "datatype": {"const": "BYTES"},
        "parameters": {"type": "object"},
        "data": {"type": "array", "minItems": 1, "description": "Files in base64.",
                 "items": {"type": "string", "contentEncoding": "base64"}},
    },
}  # fmt: skip
_FORM = {
    "type": "object",
    "required": ["inputs"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": ["string", "null"], "maxLength": 200},
        "parameters": {"type": "object", "properties": {name: {"type": "boolean"} for name in _FLAGS},
                       "additionalProperties": False},
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1, "maxItems": 1},
        "outputs": {"type": "array", "items": {
            "type": "object", "required": ["name"], "additionalProperties": False,
            "properties": {"name": {"enum": list(OUTPUTS)}, "parameters": {"type": "object"}},
        }},
    },
}  # fmt: skip
_EXAMPLE = {"inputs": [{"name": IMAGE, "shape": [1], "datatype": "BYTES", "data": ["iVBORw0KGgo="]}]}


def _unready() -> dict[int | str, dict[str, Any]]:
    return {503: {"description": "Not ready.", "content": {"application/json": {"schema": {"type": "object"}}}}}


def _wrong(*statuses: int) -> dict[int | str, dict[str, Any]]:
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    content = {"application/json": {"schema": error}}
    return {status: {"description": "In a sentence.", "content": content} for status in statuses}


_ASKED, _OF_MODEL = _wrong(401, 403, 421, 429, 500), _wrong(401, 403, 404, 421, 429, 500)


def router(service: "Service") -> APIRouter:
    """What answers /v2."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    @routes.get("", responses=_ASKED)
    async def server() -> dict[str, Any]:
        """The server."""
        from metaforge import __version__

        return {"name": "metaforge", "version": __version__, "extensions": []}

    @routes.get("/health/live", responses=_ASKED)
    async def live() -> dict[str, bool]:
        """Whether the server answers."""
        return {"live": True}

    @routes.get("/health/ready", responses=_ASKED | _unready())
    async def ready() -> JSONResponse:
        """Whether every worker can judge."""
        found = bool(service.pool.ready)
        return JSONResponse({"ready": found}, 200 if found else 503)

    @routes.get("/models/{model}/ready", responses=_OF_MODEL | _unready() | _wrong(422))
    async def model_ready(model: str) -> JSONResponse:
        """Whether a model can judge."""
        _served(service, model)
        found = bool(service.pool.ready)
        return JSONResponse({"name": model, "ready": found}, 200 if found else 503)

    @routes.get("/models/{model}", responses=_OF_MODEL | _wrong(422))
    async def about(model: str) -> dict[str, Any]:
        """A model's input and outputs."""
        _served(service, model)
        return {
            "name": model, "versions": [], "platform": "metaforge_onnx",
            "inputs": [{"name": IMAGE, "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in OUTPUTS.items()],
        }  # fmt: skip

    @routes.post("/models/{model}/infer", openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _FORM, "example": _EXAMPLE}}},
    }, responses=_wrong(400, 401, 403, 404, 408, 413, 421, 422, 429, 500, 503))  # fmt: skip
    async def infer(model: str, request: Request) -> dict[str, Any]:
        """Verdicts on pictures in base64; one that cannot be read has the decision "cannot tell" and fails no other."""
        _served(service, model)
        asked = await _read(request)
        uploads = await asyncio.to_thread(_uploads, asked, service.options.batch_files, service.options.image_mb << 20)
        names, flags = _outputs(asked), _flags(asked.parameters)
        of, named = Asked(model=model, **flags), request.state.request_id
        judging = all_of(_judged(service, each, of, request_id=named, own=place) for place, each in enumerate(uploads))
        rows = await while_there(request, judging)
        columns = dict(zip(OUTPUTS, zip(*rows, strict=True), strict=True))
        found: dict[str, Any] = {"model_name": model} | ({} if asked.id is None else {"id": asked.id})
        return found | {"outputs": [
            {"name": name, "shape": [len(rows)], "datatype": OUTPUTS[name], "data": list(columns[name])}
            for name in names
        ]}  # fmt: skip

    return routes


def _served(service: "Service", model: str) -> None:
    if model != "default" and service.adapters.served(model) is None:
        raise problem("not_found", "There is no model of this name. GET /v1/models lists all.")


async def _judged(
    service: "Service", upload: Upload, asked: Asked, *, request_id: str, own: int
) -> tuple[float, str, str]:
    try:
        record = (await judge(service, upload, asked, request_id=request_id, own=own)).answer.record
    except Problem as error:
        if error.status in (429, 503):  # of the service, and not of this picture
            raise
        return NOTHING, "cannot tell", json.dumps({"error": {"code": error.code, "message": error.message}})
    return NOTHING if record["p_fake"] is None else record["p_fake"], record["decision"], json.dumps(record)


async def _read(request: Request) -> Inference:
    try:
        found = await asyncio.to_thread(read_json, await text_of(request))
        return Inference.model_validate(found)
    except ValidationError as error:
        raise problem("bad_request", said(error.errors(include_input=False, include_url=False))) from None
    except (ValueError, RecursionError):
        raise problem("bad_request", "The body is not JSON that is read in one way only. Send an object.") from None


def _uploads(asked: Inference, most: int, largest: int) -> list[Upload]:
    return [_upload(data, number, largest) for number, data in enumerate(_pictures(asked, most), start=1)]


def _upload(data: bytes, number: int, largest: int) -> Upload:
    name = f"image {number}"
    try:
        if kind_of(data[:512]) == "video":
            raise problem("unsupported_type", "This is a video. Send it to /v1/predict.")
        if len(data) > largest:
            raise problem(
                "too_large", f"The picture has {len(data)} bytes, and {largest} are allowed. Make it smaller."
            )
    except Problem as error:
        return Upload(name, problem=error)
    return Upload(name, data)


def _pictures(asked: Inference, most: int) -> list[bytes]:
    """The files of a request."""
    if [each.name for each in asked.inputs] != [IMAGE]:
        raise problem("bad_request", f"inputs: give one, whose name is '{IMAGE}'.")
    (tensor,) = asked.inputs
    if tensor.datatype != "BYTES":
        raise problem("bad_request", f"inputs: the datatype of '{IMAGE}' is BYTES. Give files in base64.")
    if tensor.shape != [len(tensor.data)] or not tensor.data:
        raise problem(
            "bad_request", f"inputs: the shape of '{IMAGE}' is [n], the number of entries in data, at least 1."
        )
    if len(tensor.data) > most:
        raise problem("too_large", f"inputs: there are more than {most} pictures. Send fewer.")
    found = []
    for place, each in enumerate(tensor.data):
        found.append(_decoded(each))
        tensor.data[place] = None  # it stands in memory once
    return found


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise problem("bad_request", "inputs: an entry of data is not base64. Encode the bytes of each file.") from None


def _outputs(asked: Inference) -> list[str]:
    names = [each.name for each in asked.outputs] or list(OUTPUTS)
    if unknown := [name for name in names if name not in OUTPUTS]:
        known = ", ".join(OUTPUTS)
        raise problem("bad_request", f"outputs: there is no '{printable(unknown[0])[:40]}'. Ask for some of: {known}.")
    if len(set(names)) < len(names):
        raise problem("bad_request", "outputs: one is asked for twice. Ask for each once.")
    return names


def _flags(parameters: dict[str, Any]) -> dict[str, bool]:
    for name, value in parameters.items():
        if name not in _FLAGS or not isinstance(value, bool):
            raise problem("bad_request", f"parameters: they are {' and '.join(_FLAGS)}, true or false.")
    return parameters
