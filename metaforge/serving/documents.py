"""What OpenAPI says of requests and answers, with examples."""

import copy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from metaforge.screening.verdicts.record import schema
from metaforge.serving.errors import CODES
from metaforge.serving.examples import MANY_ANSWER, MANY_ASKED, ONE_ANSWER, ONE_ASKED
from metaforge.serving.intake import ManyFiles, OneFile, Part
from metaforge.serving.refusing import add_refusals

ABOUT = """Says of faces in pictures and videos whether they look forged, and how sure that is.

Every answer has the header `X-Request-ID`. What goes wrong has a status, a code for programs and a sentence for people.
Nothing that is sent to be judged is stored."""

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": {"enum": sorted(CODES), "description": "For programs."},
                "message": {"type": "string", "description": "For people: what is wrong, and what to do."},
                "request_id": {"type": "string"},
            },
        }
    },
    "example": {"error": {"code": "unsupported_type", "message": "This is a web page. Download the image itself.",
                          "request_id": "3f1c2a9b7d604e11"}},
}  # fmt: skip
_MAPS = {
    "type": "array",
    "description": "Of each face, if `map` was asked for: how far the score's logit falls where a part is covered.",
    "items": {
        "type": "object",
        "required": ["face", "tag", "falls", "crop", "text"],
        "properties": {
            "face": {"type": "integer"},
            "tag": {"const": "inferred"},
            "falls": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
            "crop": {"type": "string", "description": "The face as the detector takes it: the address of an image."},
            "text": {"type": "string"},
        },
    },
}
_REGIONS = {
    "type": ["object", "null"],
    "description": "Where the largest face may be forged, if `map` was asked for; null if the detector cannot say.",
    "properties": {
        "regions": {"type": "array", "items": {"type": "object"}},
        "sentence": {"type": "string"},
        "limits": {"type": "array", "items": {"type": "string"}},
    },
}
_FLAGS = {"type": "string", "enum": ["true", "false"], "default": "false"}
_ASKED = {
    "evidence": _FLAGS | {"description": "Whether features are measured beside the score."},
    "map": _FLAGS | {"description": "Whether to say what the score depends on, and where."},
    "crops": _FLAGS | {"description": "Whether the pictures are face crops already."},
    "breaking": _FLAGS | {"description": "Whether it is judged before all that is not breaking."},
    "model": {"type": "string", "default": "default", "maxLength": 64, "description": "`default`, or an adapter's id."},
}
_FILE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF or a video."}


def _body(form: dict[str, Any], required: str, model: type) -> dict[str, Any]:
    multipart = {"type": "object", "required": [required], "properties": form | _ASKED, "additionalProperties": False}
    named = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"required": True, "content": {"multipart/form-data": {"schema": multipart},
                                          "application/json": {"schema": named}}}  # fmt: skip


def _answer(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties}
    return {"200": {"description": "As asked.", "content": {"application/json": {"schema": schema}}}}


_VERDICT = {"$ref": "#/components/schemas/Verdict"}
_DEGRADED = {"type": "array", "items": {"type": "string"}, "description": "What was left out for want of time."}

ONE = {
    "requestBody": _body({"file": _FILE}, "file", OneFile),
    "responses": _answer(
        {
            "request_id": {"type": "string"},
            "verdict": _VERDICT,
            "maps": _MAPS,
            "regions": _REGIONS,
            "timing_ms": {"type": "object", "additionalProperties": {"type": "number"}},
            "degraded": _DEGRADED,
        },
        ["request_id", "verdict", "timing_ms", "degraded"],
    ),
}
"""`/v1/predict`."""

BATCH = {
    "requestBody": _body({"files": {"type": "array", "items": _FILE, "minItems": 1}}, "files", ManyFiles),
    "responses": _answer(
        {
            "request_id": {"type": "string"},
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "status"],
                    "properties": {
                        "name": {"type": "string"},
                        "status": {"type": "integer"},
                        "verdict": _VERDICT,
                        "maps": _MAPS,
                        "regions": _REGIONS,
                        "error": _ERROR["properties"]["error"],
                        "degraded": _DEGRADED,
                    },
                },
            },
            "degraded": _DEGRADED,
        },
        ["request_id", "results", "degraded"],
    ),
}
"""`/v1/predict/batch`."""


_EXAMPLES = {"/v1/predict": (ONE_ASKED, ONE_ANSWER), "/v1/predict/batch": (MANY_ASKED, MANY_ANSWER)}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer that is no success.

    Example:
        >>> problems(404)[404]["description"]
        'not_found'
    """
    named = lambda status: ", ".join(code for code, at in CODES.items() if at == status)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": named(status), "content": content} for status in statuses}


def document(app: FastAPI) -> None:
    """Gives an app its OpenAPI, in which the verdict is what docs/verdicts.md says of it."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            verdict = {name: value for name, value in copy.deepcopy(schema()).items() if name != "$schema"}
            schemas |= {"Verdict": verdict, "Problem": _ERROR}
            for model in (OneFile, Part, ManyFiles):
                form = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas[model.__name__] = {name: value for name, value in form.items() if name != "$defs"}
            # Afterwards, since FastAPI leaves out whatever is null.
            for place, (asked, answer) in _EXAMPLES.items():
                operation = found["paths"][place]["post"]
                operation["requestBody"]["content"]["application/json"]["example"] = asked
                operation["responses"]["200"]["content"]["application/json"]["example"] = answer
            add_refusals(found)
            found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            found["security"] = [{}, {"token": []}]
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = made
