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


def together(workdir, *flags):
    """Runs two processes that meet at a free port, or at another one if somebody takes it meanwhile."""
    for _ in range(3):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        both = [start(workdir, *flags, f"--coordinator={address}", f"--process={n}") for n in range(2)]
        errors = []
        for process in both:
            try:
                errors.append(process.communicate(timeout=300)[1])
            finally:
                if process.returncode != 0:  # the other one would wait for it
                    for each in both:
                        each.kill()
        if "Failed to start RPC server" not in errors[0]:
            break
    return [process.returncode for process in both], errors


def params_of(folder):
    template = jax.eval_shape(lambda: build.learner(TINY).init(build.init_params(TINY)))
    return runs.restore(folder, template).params


def test_two_processes_go_on_where_one_began_and_equal_one(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "two", ignore=shutil.ignore_patterns("erm", "report.json", "12"))
    assert runs.latest_step(tmp_path / "two") == 8 < TINY.run.iterations
    codes, errors = together(tmp_path / "two", "--processes=2", "--run.devices=0", "--run.baseline=false")
    assert codes == [0, 0], errors
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
