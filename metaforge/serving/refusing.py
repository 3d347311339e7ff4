"""What each route may refuse, for OpenAPI: most of it is refused by guards, before the route is asked."""

from typing import Any

from metaforge.serving.errors import CODES
from metaforge.serving.guarding.asgi import SAFE, within
from metaforge.serving.guarding.bearers import CLOSED

_ANY = {421, 431, 500}
_BODY = {400, 408, 413, 415, 422}

_PROTOCOL = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "One sentence."}},
    "description": "An error as the Open Inference Protocol has it.",
}


def add_refusals(document: dict[str, Any]) -> None:
    """Adds to each operation of an OpenAPI document the refusals that it does not name yet.

    Every request may be for another host (421), have too large a head (431) or meet a fault (500); where tokens are
    asked for, one may be missing (401) or used too often (429); pages of other sites may change nothing (403); a body
    may be malformed, slow, large, of another type or with wrong fields (400, 408, 413, 415, 422); and what a path names
    may not be there (404).

    Example:
        >>> document = {"paths": {"/v1/a/{id}": {"delete": {"responses": {"204": {"description": "Gone."}}}}}}
        >>> add_refusals(document)
        >>> sorted(document["paths"]["/v1/a/{id}"]["delete"]["responses"])
        ['204', '401', '403', '404', '421', '422', '429', '431', '500']
    """
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            for status in _statuses(path, method, operation):
                # What FastAPI says of wrong fields is not what is answered here.
                if str(status) not in answers or status == 422:
                    answers[str(status)] = _refusal(status, protocol=within(path, ["/v2"]))
    parts = document.setdefault("components", {}).setdefault("schemas", {})
    parts["ProtocolProblem"] = _PROTOCOL
    for name in ("HTTPValidationError", "ValidationError"):
        parts.pop(name, None)


def _statuses(path: str, method: str, operation: dict[str, Any]) -> list[int]:
    found = set(_ANY)
    if within(path, CLOSED):
        found |= {401, 429}
    if method.upper() not in SAFE:
        found.add(403)
    if "requestBody" in operation:
        found |= _BODY
    if "{" in path:
        found |= {404, 422}
    if operation.get("parameters"):
        found.add(422)
    return sorted(found)


def _refusal(status: int, *, protocol: bool) -> dict[str, Any]:
    forms = [{"$ref": f"#/components/schemas/{name}"} for name in ("Problem", "ProtocolProblem")[: 1 + protocol]]
    schema = {"oneOf": forms} if protocol else forms[0]
    codes = ", ".join(code for code, at in CODES.items() if at == status)
    return {"description": codes, "content": {"application/json": {"schema": schema}}}
