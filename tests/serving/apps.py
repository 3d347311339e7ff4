"""A service without workers, asked without a network."""

import contextlib
from pathlib import Path

import httpx

from metaforge.serving.adapters import Adapters
from metaforge.serving.app import create_app
from metaforge.serving.databases import sqlite_url
from metaforge.serving.metrics import Metrics
from metaforge.serving.options import Options
from metaforge.serving.served import Served
from metaforge.serving.service import Service
from metaforge.serving.storage import Storage

SERVED = Served("default", "nowhere.onnx", "tiny", "11" * 32)


class Pool:
    """Judges nothing."""

    ready = True


@contextlib.asynccontextmanager
async def asked(folder: Path, *, model: str = ".", who: str | None = None, pool=None, **how):
    """A client of a service whose state is in a folder, and its adapters."""
    storage = Storage(sqlite_url(folder / "service.sqlite"))
    adapters = Adapters(storage, folder / "adapters", model=model, **how)
    options = Options(model=model, image_mb=1, batch_files=3)
    service = Service(options, folder, SERVED, {"id": "default"}, pool or Pool(), Metrics(), storage, adapters)  # type: ignore[arg-type]
    app = create_app(service)

    async def named(scope, receive, send):
        scope["state"] = {"token": who, "request_id": "request1"}
        await app(scope, receive, send)

    await adapters.start()
    transport = httpx.ASGITransport(named)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield client, adapters
    finally:
        await adapters.stop()
        storage.close()
