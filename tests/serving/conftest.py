"""A tiny detector, a folder of faces, and a service that runs in this process."""

import asyncio
import contextlib
import io
import os
import signal
import threading
import time

import httpx
import jax
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.screening.detector import Detector
from metaforge.screening.portable import save_onnx
from metaforge.serving.options import Options
from tests.serving.postgres import running as cluster_running

SIZE = 16


def tiny_detector(*, size=SIZE, crop="whole"):
    """Conv4 of width 4 with drawn weights, normalised by its context."""
    spec = BackboneSpec(image_size=size, width=4, normalisation="support")
    params = jax.tree.map(
        lambda leaf: np.random.default_rng(leaf.size).uniform(-0.4, 0.4, leaf.shape).astype(np.float32),
        choice.shapes(spec),
    )
    context = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    return Detector(params, context, spec, {"learner": "erm", "crop": crop})


def picture(seed=0, *, size=40, form="PNG"):
    """A picture of coloured noise, as a file's bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, form)
    return held.getvalue()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A tiny detector as an ONNX file; it takes pictures whole."""
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    save_onnx(path, tiny_detector())
    return path


@contextlib.contextmanager
def held(processes):
    """Workers that do nothing meanwhile, so that what is asked waits."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def until(holds, *, seconds):
    """Waits until something holds, and fails if it does not come to."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            if holds():
                return
        time.sleep(0.02)
    raise AssertionError("it did not come to hold")


class Running:
    """A service that answers over HTTP from a thread of this process; its workers are processes of their own."""

    def __init__(self, options):
        from metaforge.serving import running

        self.service = running.service_of(options)
        self.log = []
        self._listening = running.listening(options)
        self._socket = self._listening.__enter__()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.server = running.server_of(options, self.service, log=self.log.append)
        self._thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self._socket])), daemon=True)
        self._thread.start()
        self.until(lambda: self.get("/readyz").status_code == 200)

    def until(self, holds, *, seconds=60.0):
        """Waits until something holds, and fails if it does not come to."""
        until(holds, seconds=seconds)

    def get(self, path, **more):
        """A request."""
        return httpx.get(self.url + path, timeout=60, **more)

    def post(self, path, **more):
        """A request."""
        return httpx.post(self.url + path, timeout=60, **more)

    def stop(self):
        """Ends it as a signal would."""
        self.service.pool.close_to_new()
        self.server.should_exit = True
        self._thread.join(60)
        self._listening.__exit__(None, None, None)
        assert not self._thread.is_alive()


def served(model, state):
    """A service of a detector, which takes small files alone, until its fixture is over."""
    made = Running(Options(model=str(model), state=str(state), port=0, workers=1, image_mb=1, video_mb=1))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def running(tiny_model, tmp_path_factory):
    """A service of the tiny detector for the tests of a module."""
    yield from served(tiny_model, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL of these tests alone."""
    with cluster_running() as cluster:
        yield cluster
