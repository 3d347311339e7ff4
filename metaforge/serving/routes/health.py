"""`/healthz`, `/readyz` and `/metrics`: for whatever watches the service."""

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from metaforge.serving.documents import problems
from metaforge.serving.errors import problem
from metaforge.serving.service import Service


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["health"])

    @routes.head("/healthz", include_in_schema=False)
    @routes.get("/healthz")
    async def healthz() -> JSONResponse:
        """The front lives."""
        return JSONResponse({"status": "alive"})

    @routes.head("/readyz", include_in_schema=False)
    @routes.get("/readyz", responses=problems(503))
    async def readyz() -> JSONResponse:
        """Every worker lives, and has scored a picture."""
        if not service.pool.ready:
            # What is amiss may name places of this machine, and anybody may ask.
            why = "a worker cannot start, and the log says why" if service.pool.failed else (
                "a worker is starting, or the service is stopping")  # fmt: skip
            raise problem("not_ready", f"Not ready: {why}.", retry_after=2)
        return JSONResponse({"status": "ready"})

    @routes.get("/metrics", responses={200: {"content": {"text/plain": {}}}, **problems(401, 403, 421)})
    async def metrics() -> Response:
        """What is counted, for Prometheus: right over all processes, and never compressed."""
        found = await asyncio.to_thread(service.metrics.text)  # it asks the database
        return Response(found, media_type=CONTENT_TYPE_LATEST)

    return routes
