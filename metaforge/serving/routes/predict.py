"""`/v1/predict` and `/v1/predict/batch`: verdicts on files."""

import functools
import logging
import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from metaforge.serving.documents import BATCH, ONE, problems
from metaforge.serving.errors import Problem, problem
from metaforge.serving.intake import Asked, Limits, Upload, read_many, read_one
from metaforge.serving.leaving import all_of, while_there
from metaforge.serving.pool import Judged
from metaforge.serving.scoring import Ask
from metaforge.serving.served import Served
from metaforge.serving.service import Service

_LOG = logging.getLogger(__name__)

_WRONG = problems(400, 401, 403, 404, 408, 413, 415, 421, 422, 429, 500, 503)


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1", tags=["verdicts"])
    options = service.options
    limits = Limits(options.image_mb << 20, options.video_mb << 20, options.batch_files, service.state / "spool")

    @routes.post("/predict", openapi_extra=ONE, responses=_WRONG)
    async def predict(request: Request) -> JSONResponse:
        """The verdict on one picture or video."""
        begun = time.perf_counter()
        async with read_one(request, limits) as (upload, asked):
            received = time.perf_counter() - begun
            judged = await while_there(request, judge(service, upload, asked, request_id=request.state.request_id))
        answer = judged.answer
        total = time.perf_counter() - begun
        service.metrics.stage("receive", received)
        said: dict[str, Any] = {
            "request_id": request.state.request_id,
            "verdict": answer.record,
            "degraded": list(judged.degraded),
            "timing_ms": _ms(receive=received, queue=judged.queued, read=answer.read, score=answer.score, total=total),
        }
        if asked.map:
            said |= {"maps": answer.maps, "regions": answer.regions}
        return JSONResponse(said)

    @routes.post("/predict/batch", openapi_extra=BATCH, responses=_WRONG)
    async def predict_batch(request: Request) -> JSONResponse:
        """Verdicts on many; one that cannot be judged says why, and fails no other."""
        async with read_many(request, limits) as (uploads, asked):
            _served(service, asked.model)
            named = request.state.request_id
            one = functools.partial(_one_of_many, service, asked=asked, request_id=named)
            judging = all_of(one(upload, own=place) for place, upload in enumerate(uploads))
            results = await while_there(request, judging)
        for result in results:
            if "error" in result:
                result["error"]["request_id"] = request.state.request_id
        left = sorted({name for result in results for name in result.get("degraded", ())})
        return JSONResponse({"request_id": request.state.request_id, "results": results, "degraded": left})

    return routes


async def judge(service: Service, upload: Upload, asked: Asked, *, request_id: str, own: int = 0) -> Judged:
    """The verdict on an upload.

    Args:
        service: that makes it.
        upload: the file.
        asked: what is asked beside it.

    Other Arguments:
        request_id: by which the log has a fault of ours.
        own: how many files of the same request come before it.

    Raises:
        Problem: if it has one, or cannot be judged.
    """
    if upload.problem:
        raise upload.problem
    served = _served(service, asked.model)
    ask = Ask(upload.name, upload.data, served, upload.path, asked.crops, asked.evidence, asked.map, request_id)
    judged = await service.pool.ask(ask, breaking=asked.breaking, own=own)
    answer = judged.answer
    wrong = {} if answer.error else answer.record["error"] or {}
    if answer.error and served.id != "default" and service.adapters.served(served.id) is None:
        raise problem("not_found", "This model was deleted while the file waited. Ask /v1/models which there are.")
    if answer.error or wrong.get("code") == "failed":
        # Its type alone, for its words may quote the file; the worker's own line says where it was.
        broke = answer.error.split(": ")[1] if answer.error else "failed"
        _LOG.error("A file was not judged for a fault of ours.", extra={"request_id": request_id, "broke": broke})
        raise problem("failed", "This file could not be judged by a fault of ours, which is in the log.")
    if answer.record["error"]:
        raise problem("unreadable", _sentence(answer.record["error"]["message"]))
    for stage, seconds in (("queue", judged.queued), ("read", answer.read), ("score", answer.score)):
        service.metrics.stage(stage, seconds)
    own = served.id == "default" and "model" not in judged.degraded
    service.metrics.verdict(answer.record, degraded=judged.degraded, own=own)
    return judged


async def _one_of_many(service: Service, upload: Upload, *, asked: Asked, request_id: str, own: int) -> dict[str, Any]:
    try:
        judged = await judge(service, upload, asked, request_id=request_id, own=own)
    except Problem as error:
        return {"name": upload.name, "status": error.status, "error": {"code": error.code, "message": error.message}}
    said = {"name": upload.name, "status": 200, "verdict": judged.answer.record, "degraded": list(judged.degraded)}
    return said | ({"maps": judged.answer.maps, "regions": judged.answer.regions} if asked.map else {})


def _served(service: Service, model: str) -> Served:
    if model == "default":
        return service.served
    found = service.adapters.served(model) if service.adapters else None
    if found is None:
        raise problem("not_found", "There is no such model. Ask /v1/models which there are.")
    return found


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:]}"


def _ms(**seconds: float) -> dict[str, float]:
    return {name: round(1e3 * value, 2) for name, value in seconds.items()}
