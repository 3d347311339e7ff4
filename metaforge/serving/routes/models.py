"""`/v1/models`: which detectors verdicts may be asked of."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from metaforge.serving.documents import problems
from metaforge.serving.service import Service


def router(service: Service) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/v1", tags=["models"])

    @routes.get("/models", responses=problems(401, 403, 421, 429, 500))
    async def models() -> JSONResponse:
        """The detector that is served, and those that were adapted from it."""
        more = service.adapters.models() if service.adapters else []
        return JSONResponse({"models": [service.about, *more]})

    return routes
