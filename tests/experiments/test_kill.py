"""A run killed with SIGKILL at random moments, again and again, ends bitwise like one that was never killed."""

import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from metaforge import runs
from paper_figures import loss_curves
from paper_figures._curves import Options
from tests.experiments.conftest import FLAGS
from tests.experiments.test_train import params_of, rows_of

CHAINS, KILLS = 2, 5
"""10 kills in all, in two runs beside each other; each costs a start."""


def start(workdir: Path, cache: Path) -> subprocess.Popen:
    flags = [*FLAGS, "--config.baseline=false", "--config.iterations=160", "--config.methods=warp,smooth"]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": str(cache),
                                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}  # fmt: skip
    command = [sys.executable, "-m", "experiments.train", f"--workdir={workdir}", *flags]
    return subprocess.Popen(
        command, env=environment, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def wait_for_the_first_row(process: subprocess.Popen, workdir: Path, size: int) -> None:
    """Until the run writes its log, so that kills fall into training and not only into imports."""
    log = workdir / "log.jsonl"
    while process.poll() is None and (log.stat().st_size if log.exists() else 0) == size:
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue


def chain(workdir: Path, cache: Path, seed: int) -> int:
    """Kills a run `KILLS` times, lets it finish; returns how many kills hit a living process."""
    rng, hits = random.Random(seed), 0
    for kill in range(KILLS):
        process = start(workdir, cache)
        if kill:  # the first may fall anywhere, into start-up too
            rewritten = workdir / "log.jsonl"
            wait_for_the_first_row(process, workdir, rewritten.stat().st_size if rewritten.exists() else 0)
        try:
            process.wait(timeout=rng.uniform(0.0, 0.5 if kill else 6.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            hits += 1
        process.communicate()
    finish(start(workdir, cache))
    return hits


def test_ten_kills_change_nothing(tmp_path):
    cache = tmp_path / "cache"
    finish(start(tmp_path / "whole", cache))
    with ThreadPoolExecutor(2) as pool:
        hits = list(pool.map(lambda n: chain(tmp_path / f"killed{n}", cache, n), range(CHAINS)))
    assert sum(hits) >= 6, f"most kills must hit a living run: {hits}"
    rows, params = rows_of(tmp_path / "whole"), params_of(tmp_path / "whole")
    assert len(rows) == 80
    loss_curves.draw(Options(runs=str(tmp_path / "whole"), out=str(tmp_path / "whole.png"), learners="daml"))
    for n in range(CHAINS):
        assert rows_of(tmp_path / f"killed{n}") == rows
        assert params_of(tmp_path / f"killed{n}") == params
        assert runs.latest_step(tmp_path / f"killed{n}") == 160
        loss_curves.draw(Options(runs=str(tmp_path / f"killed{n}"), out=str(tmp_path / "killed.png"), learners="daml"))
        assert (tmp_path / "killed.png").read_bytes() == (tmp_path / "whole.png").read_bytes()
