"""The command `metaforge serve` with a tiny detector, as a process of its own, and how tests speak to it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import jax
import numpy as np
import psutil

from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.screening import Detector
from metaforge.screening.portable import save_onnx

ROOT = Path(__file__).parents[3]


def tiny_detector(path, *, crop="whole"):
    """A file in ONNX: a network of 4 channels for 16 pixels, drawn and not trained."""
    spec = BackboneSpec(image_size=16, width=4, normalisation="group", convolution="lax")
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.uniform(0.05, 0.4, leaf.shape).astype(np.float32), choice.shapes(spec))
    save_onnx(path, Detector(params, np.zeros((1, 16, 16, 3), np.uint8), spec, {"learner": "erm", "crop": crop}))
    return path


class Live(NamedTuple):
    """A service that runs.

    Attributes:
        port: where.
        process: its front.
        state: its folder.
        log: the file that holds its standard error.
    """

    port: int
    process: psutil.Process
    state: Path
    log: Path

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options):
        """A client of `httpx`, which takes no notice of proxies."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=60, **options)

    def memory(self):
        """Bytes of RAM that the front and its workers hold by themselves."""
        return sum(each.memory_full_info().uss for each in [self.process, *self.process.children(recursive=True)])

    def peak(self):
        """Bytes that the largest of them has held since its start."""
        status = [Path(f"/proc/{each.pid}/status").read_text() for each in self.process.children(recursive=True)]
        return max(int(text.split("VmHWM:")[1].split()[0]) << 10 for text in status)

    def wait_ready(self):
        """Until every worker can score; the test fails if that takes five minutes."""
        until = time.monotonic() + 300
        with self.client() as client:
            while client.get("/readyz").status_code != 200:
                assert time.monotonic() < until, self.log.read_text()
                time.sleep(0.2)


@contextlib.contextmanager
def served(folder, *flags, model=None):
    """Starts the command, waits until it is ready, and ends it as an operator would.

    Args:
        folder: an empty one.
        flags: of `metaforge serve`.

    Other Arguments:
        model: what is served; a tiny detector if it is not given.
    """
    model = model or tiny_detector(folder / "tiny.onnx")
    command = [sys.executable, "-c", "from metaforge.cli.main import main; main()", "serve", f"--model={model}"]
    paths = {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "OPENBLAS_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port=0", f"--state={folder / 'state'}", *flags],
            stdout=subprocess.PIPE, stderr=log, env=os.environ | paths, cwd=folder, text=True,
        )  # fmt: skip
    try:
        line = process.stdout.readline()
        found = re.search(r"http://[^ ]+:([0-9]+)/", line)
        assert found, line + (folder / "log").read_text()
        live = Live(int(found[1]), psutil.Process(process.pid), folder / "state", folder / "log")
        live.wait_ready()
        yield live
    finally:
        process.terminate()
        process.communicate(timeout=60)


def records(live):
    """The lines of the log that are JSON."""
    return [json.loads(line) for line in live.log.read_text().splitlines() if line.startswith("{")]
