"""The app: all routes, and answers to whatever goes wrong in them."""

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as OutOfConnections
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from metaforge.serving import routes
from metaforge.serving.documents import document
from metaforge.serving.errors import Problem, problem
from metaforge.serving.guarding.asgi import noted
from metaforge.serving.intake import said
from metaforge.serving.logs import broken
from metaforge.serving.retention import keep_to
from metaforge.serving.service import Service
from metaforge.serving.watching import Watch

_LOG = logging.getLogger(__name__)


def create_app(service: Service) -> FastAPI:
    """The app of a service, which starts and stops its workers with its own life.

    Args:
        service: what the answers are made with.
    """

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        service.pool.start()
        if service.adapters:
            await service.adapters.start()
        days = service.options.keep_days
        keeping = asyncio.create_task(keep_to(service.storage, service.adapters, days=days)) if days else None
        yield
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait([keeping])
        if service.adapters:
            await service.adapters.stop()
        await anyio.to_thread.run_sync(lambda: service.pool.stop(grace=service.options.grace))

    app = FastAPI(title="metaforge", version=_version(), docs_url=None, redoc_url=None, lifespan=life)
    for module in routes.ALL:
        app.include_router(module.router(service))
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    for kind in (OperationalError, InterfaceError, OutOfConnections):
        app.add_exception_handler(kind, _away)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(Exception, _fault)
    document(app)
    service.metrics.registry.register(Watch(service))
    if service.storage:
        service.storage.on_error(service.metrics.database.inc)
    return app


def _version() -> str:
    import metaforge

    return metaforge.__version__


def _answer(request: Request, error: Problem) -> JSONResponse:
    noted(request.scope)["code"] = error.code
    said = error.body(getattr(request.state, "request_id", "-"), path=request.scope["path"])
    return JSONResponse(said, error.status, headers=error.headers)


async def _problem(request: Request, error: Any) -> JSONResponse:
    return _answer(request, error)


async def _invalid(request: Request, error: Any) -> JSONResponse:
    return _answer(request, problem("invalid", said(error.errors())))


async def _http(request: Request, error: Any) -> JSONResponse:
    known = {
        404: problem("not_found", "There is nothing here. /openapi.json says what there is."),
        405: problem("method_not_allowed", "This is not done so. /openapi.json says how."),
    }
    found = known.get(error.status_code) or Problem(error.status_code, "bad_request", str(error.detail))
    answer = _answer(request, found)
    answer.headers.update(error.headers or {})
    return answer


async def _away(request: Request, error: Any) -> JSONResponse:
    return _unavailable(request, error, "The database cannot be used now: it is away, locked or full. Come again.")


async def _system(request: Request, error: Any) -> JSONResponse:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    return _unavailable(request, error, "The disk of this service is full. Come again later.")


def _unavailable(request: Request, error: Exception, text: str) -> JSONResponse:
    _LOG.error(text, extra=broken(error) | {"request_id": getattr(request.state, "request_id", "-")})
    return _answer(request, problem("unavailable", text, retry_after=10))


async def _gone(request: Request, error: Any) -> JSONResponse:
    # Nobody reads it; it is for the log and the metrics, in which this is no fault of ours.
    return _answer(request, problem("bad_request", "The client hung up before it was answered."))


async def _fault(request: Request, error: Exception) -> JSONResponse:
    # It is raised again behind this, and the guards log where it came from, without what was sent.
    return _answer(request, problem("failed", "A fault of ours, which is in the log under this request's id."))
