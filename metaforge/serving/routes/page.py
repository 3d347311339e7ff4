"""`/` and `/static/...`: the page, whose files are read once; whatever else is asked for is not among them."""

import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from metaforge.serving.errors import problem
from metaforge.serving.guarding.headers import ALWAYS
from metaforge.serving.service import Service

FOLDER = Path(__file__).parents[1] / "page"
"""Where the files of the page are."""

HEADERS = {name.decode(): value.decode() for name, value in ALWAYS} | {
    "Cache-Control": "no-cache",  # kept by the browser, and asked for anew: an ETag that fits costs no body
}
"""Of every answer here."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What the files are, by their endings: those of the system may be set otherwise."""


class File(NamedTuple):
    """A file of the page: its `content`, its type, and the tag that changes with it."""

    content: bytes
    kind: str
    tag: str


@functools.cache
def files() -> dict[str, File]:
    """The files of the page by their names.

    Example:
        >>> files()["main.js"].kind
        'text/javascript; charset=utf-8'
    """
    found = {}
    for path in sorted(FOLDER.iterdir()):
        content = path.read_bytes()
        found[path.name] = File(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found


def router(service: Service) -> APIRouter:
    """The routes.

    Args:
        service: not asked for anything: the page is the same for all, and its requests are those of any client.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return _answer(request, files()["index.html"])

    @routes.api_route("/static/{name:path}", methods=["GET", "HEAD"])
    async def static(request: Request, name: str) -> Response:
        # Looked up among the files that are known: no path is ever made of what was asked for.
        found = files().get(name)
        if found is None:
            raise problem("not_found", "The page has no such file. Load it again.")
        return _answer(request, found)

    return routes


def _answer(request: Request, file: File) -> Response:
    headers = HEADERS | {"ETag": file.tag}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if file.tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.kind, headers=headers)
