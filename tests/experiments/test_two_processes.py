"""Two processes, with a device each, that go on where one began end where it does."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np

from metaforge import runs
from metaforge.training import build
from tests.experiments.conftest import FLAGS, TINY
from tests.experiments.test_train import rows_of


def start(workdir, *flags):
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": "",
    }
    command = [sys.executable, "-m", "experiments.train", f"--workdir={workdir}", *FLAGS, *flags]
    return subprocess.Popen(
        command,
        env=environment,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def params_of(folder):
    template = jax.eval_shape(lambda: build.learner(TINY).init(build.init_params(TINY)))
    return runs.restore(folder, template).params


def test_two_processes_go_on_where_one_began_and_equal_one(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "two", ignore=shutil.ignore_patterns("erm", "report.json", "12"))
    assert runs.latest_step(tmp_path / "two") == 8 < TINY.run.iterations
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    together = [f"--coordinator={address}", "--processes=2", "--run.devices=0", "--run.baseline=false"]
    both = [start(tmp_path / "two", *together, f"--process={n}") for n in range(2)]
    errors = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        params_of(tmp_path / "two"),
        params_of(trained),
    )
    # One of them wrote, once; the numbers are those of one process but for rounding.
    two, one = rows_of(tmp_path / "two"), rows_of(trained)
    assert [row["step"] for row in two] == [row["step"] for row in one]
    np.testing.assert_allclose([r["query_loss"] for r in two], [r["query_loss"] for r in one], rtol=1e-4)
    assert runs.read_json(tmp_path / "two" / "report.json")["adaptation"]["rate"] == TINY.adapt.lr
