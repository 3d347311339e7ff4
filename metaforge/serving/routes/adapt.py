"""Adapters over HTTP: images in, an adapter's id back, and what it is worth as soon as that is measured."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from metaforge.errors import printable
from metaforge.serving.adapters import Adapters, Asked
from metaforge.serving.documents import problems
from metaforge.serving.errors import problem
from metaforge.serving.placing import CLASSES, ending_of, why_not
from metaforge.serving.receiving import Bounds, Received, flag_of, received
from metaforge.serving.tidying import ENDED

if TYPE_CHECKING:
    from metaforge.serving.service import Service

FILES, BYTES = 2000, 256_000_000
"""How many images one adaptation may take, and how many bytes they may have together."""

TEXTS = ("shots", "name", "force", "crops")

_NAME, _SHOTS, _DEFAULT_SHOTS = 80, 1000, 10

_images = lambda said: {"type": "array", "items": {"type": "string", "format": "binary"}, "description": said}
_flag = lambda said: {"type": "string", "enum": ["true", "false"], "default": "false", "description": said}
_FORM = {
    "type": "object",
    "required": ["real"],
    "additionalProperties": False,
    "properties": {
        "real": _images("Real images of the target. A real and a fake image of one file name are a pair; images whose "
                        "names begin with one folder are never parted between adapting and testing."),
        "fake": _images("Fakes of the kind to adapt to. May be left out where the detector's rule allows real images "
                        "alone."),
        "unlabelled": _images("More real images of the target, which are learned from and not tested on."),
        "shots": {"type": "string", "pattern": "^[1-9][0-9]{0,2}$", "description": "Images a class to adapt on; the "
                  "others are tested on. By default 10, or half of the smaller class if that is fewer."},
        "name": {"type": "string", "maxLength": _NAME, "description": "What to call it."},
        "force": _flag("Whether to save it adapted even if that is not shown to help."),
        "crops": _flag("Whether the images are face crops already."),
    },
}  # fmt: skip
_TEXT = {"type": ["string", "null"]}
# What may be null is not required: examples are written without it.
_SHOWN = {
    "type": "object",
    "required": ["id", "name", "state", "created", "images", "message"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "state": {"enum": ["queued", "running", *ENDED]},
        "created": {"type": "string", "description": "UTC, as RFC 3339."},
        "ended": _TEXT,
        "images": {"type": "object", "additionalProperties": {"type": "integer"}},
        "error": _TEXT | {"description": "Why it failed, in a sentence."},
        "saved": {"enum": ["adapted", "as it was", None], "description": "What the adapter is, if it is done."},
        "message": {"type": "string", "description": "The same in a sentence."},
        "shots": {"type": "integer"},
        "sha256": _TEXT,
        "report": {"type": ["object", "null"], "description": "As `metaforge adapt` writes it."},
        "decision": {"type": ["object", "null"], "description": "The report's: what adapting is shown to gain."},
    },
}
_EXAMPLE = {
    "id": "4f1c2a9be0d3571c", "name": "phones", "state": "queued", "created": "2026-01-02T03:04:05Z",
    "images": {"real": 40, "fake": 40, "unlabelled": 0}, "message": "", "shots": 10,
}  # fmt: skip
_LISTED = {"type": "object", "required": ["adapters"], "properties": {"adapters": {"type": "array", "items": _SHOWN}}}
_REMOVED = {
    "type": "object",
    "required": ["id", "state"],
    "properties": {"id": {"type": "string"}, "state": {"enum": ["cancelled", "deleted"]}},
}


_FORGOTTEN = {"type": "object", "required": ["deleted"], "properties": {"deleted": {"type": "integer"}}}


def _answer(status: int, schema: dict[str, Any], example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {status: {"content": {"application/json": {"schema": schema, "example": example}}}}


def router(service: "Service") -> APIRouter:
    """What answers /v1/adapt and /v1/adapters."""
    routes, adapters = APIRouter(prefix="/v1", tags=["adapters"]), service.adapters
    wrong = problems(401, 403, 404, 421, 422, 429, 500)
    most = Bounds(FILES, service.options.image_mb * 1_000_000, BYTES)

    @routes.post("/adapt", status_code=202, openapi_extra={
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
    }, responses=_answer(202, _SHOWN, _EXAMPLE)
        | problems(400, 401, 403, 408, 409, 413, 415, 421, 422, 429, 500, 503))  # fmt: skip
    async def adapt(request: Request) -> JSONResponse:
        """Adapts the service's detector to a few labelled images; the answer comes at once, the adapter later.

        Half of the images are set aside to test on. If adapting is not shown to help on them, the detector is saved as
        it was, and the answer says so.
        """
        row = await asked_for(request, adapters, most)
        return JSONResponse(shown(row, full=True), 202, {"Location": f"/v1/adapters/{row['id']}"})

    @routes.get("/adapters", responses=_answer(200, _LISTED, {"adapters": [_EXAMPLE]})
                | problems(401, 403, 421, 429, 500))  # fmt: skip
    async def every() -> dict[str, Any]:
        """All adapters, in the order in which they came, without their reports."""
        return {"adapters": [shown(row) for row in await adapters.all()]}

    @routes.get("/adapters/{id}", responses=_answer(200, _SHOWN, _EXAMPLE) | wrong)
    async def one(id: str) -> dict[str, Any]:
        """An adapter: queued, running, done, failed or cancelled; if it is done with its report and decision."""
        return shown(await adapters.get(id), full=True)

    @routes.delete("/adapters", responses=_answer(200, _FORGOTTEN, {"deleted": 2})
                   | problems(401, 403, 409, 421, 422, 429, 500, 503))  # fmt: skip
    async def forget_all(
        who: Annotated[str, Query(min_length=1, max_length=64, description="The name of a token.")],
    ) -> dict[str, int]:
        """Deletes all adapters that somebody asked for, for good; those that are not made yet are cancelled before."""
        return {"deleted": await adapters.remove_of(who)}

    @routes.delete(
        "/adapters/{id}", responses=_answer(200, _REMOVED, {"id": _EXAMPLE["id"], "state": "deleted"}) | wrong
    )
    async def remove(id: str) -> dict[str, str]:
        """Cancels an adapter that is not made yet; deletes one that has ended."""
        row = await adapters.remove(id)
        return {"id": row["id"], "state": row["state"]}

    return routes


async def asked_for(request: Request, adapters: Adapters, most: Bounds) -> dict[str, Any]:
    """Takes in a request to adapt, and queues it."""
    async with adapters.coming() as folder:
        files, fields = await received(
            request.stream(), request.headers.get("content-type", ""), folder, files=CLASSES, texts=TEXTS, bounds=most
        )
        # A browser sends an empty file without a name where none was chosen.
        files = [each for each in files if each.name or each.size]
        asked = _asked(files, fields)
        who, named = (getattr(request.state, name, None) for name in ("token", "request_id"))
        return await adapters.submit(folder, files, asked, who=who, request_id=named or "")


def _asked(files: list[Received], fields: dict[str, str]) -> Asked:
    for each in files:
        if not each.size:
            raise problem("empty", f"'{each.name}' has no bytes. Send it again, or leave it out.")
        if not ending_of(each.head):
            raise problem("unsupported_type", f"'{each.name}': {why_not(each.head)}")
    counts = {field: sum(each.field == field for each in files) for field in CLASSES}
    if not counts["real"]:
        raise problem("invalid", "real: there is none. Send real images of the target.")
    said = fields.get("shots", "")
    if said and not (said.isascii() and said.isdigit() and len(said) <= 4 and 1 <= int(said) <= _SHOTS):
        raise problem("invalid", f"shots: give a whole number, at least 1 and at most {_SHOTS}.")
    fewest = min(number for field, number in counts.items() if number and field != "unlabelled")
    shots = int(said) if said else max(1, min(_DEFAULT_SHOTS, fewest // 2))
    name = fields.get("name", "").strip()
    if len(name) > _NAME or printable(name) != name:
        raise problem("invalid", f"name: give at most {_NAME} letters, in one line.")
    return Asked(shots, name, flag_of(fields, "force"), flag_of(fields, "crops"))


def shown(row: dict[str, Any], *, full: bool = False) -> dict[str, Any]:
    """What an answer says of an adapter."""
    report = row["report"] or {}
    decision = report.get("decision")
    saved = decision["saved"] if decision else None
    found = {name: row[name] for name in ("id", "name", "state", "created", "ended", "images", "error")}
    found |= {"saved": saved, "message": _message(decision)}
    return found | {"shots": row["asked"]["shots"], "sha256": row["sha256"], "report": row["report"],
                    "decision": decision} if full else found  # fmt: skip


def _message(decision: dict[str, Any] | None) -> str:
    if decision is None:
        return ""
    if decision["saved"] != "adapted":
        return "Adapting was not shown to help: saved is the detector as it was."
    if decision["pays"]:
        return "Adapting was shown to help on the images set aside: saved is the adapted detector."
    return "Adapting was not shown to help: saved is the adapted detector all the same, as `force` asked."
