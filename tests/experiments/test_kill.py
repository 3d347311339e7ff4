"""What is killed with SIGKILL at random moments, again and again, ends bitwise like what was never killed."""

import json
import multiprocessing
import os
import random
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from experiments.study import __main__ as study_command
from experiments.study import results as study_results
from metaforge import runs
from metaforge.cli import train
from paper_figures import loss_curves
from paper_figures._curves import Options
from tests.experiments.conftest import FLAGS
from tests.experiments.test_train import params_of, rows_of

KILLS, STEPS = 4, 80
"""Each kill costs a start."""

# Each process is a fork of one that has imported everything and started nothing: what a start costs is mostly imports.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["experiments.study.running", "tests.experiments.test_train"])

Command = Callable[[Path], int]


def train_a_model(workdir: Path) -> int:
    flags = [*FLAGS, "--run.baseline=false", "--faces.methods=warp,smooth", f"--run.iterations={STEPS}"]
    flags += [f"--run.eval_every={STEPS}", "--run.checkpoint_every=8"]
    return train.main(["train", f"--workdir={workdir}", *flags])


def make_a_study(workdir: Path) -> int:
    config = {
        "faces.methods": "warp,smooth,swap",
        "faces.variants": 2,
        "model.image_size": 16,
        "model.width": 4,
        "model.convolution": "lax",
        "episodes.tasks": 2,
        "episodes.shots": 2,
        "episodes.queries": 3,
        "run.iterations": 40,  # of which the last kill leaves 16
        "run.log_every": 2,
        "run.checkpoint_every": 4,
    }
    options = {"workdir": workdir, "methods": "anil,erm+head", "target": "warp", "seeds": 1, "shots": 2,
               "steps": "0,1", "episodes": 20, "tuning": 20, "resamples": 50, "workers": 1}  # fmt: skip
    flags = [f"--{name}={value}" for name, value in config.items()]
    return study_command.main(["study", *(f"--{name}={value}" for name, value in options.items()), *flags])


def start(command: Command, workdir: Path, cache: Path) -> BaseProcess:
    process = PROCESSES.Process(target=work, args=(command, workdir, cache))
    process.start()
    return process


def work(command: Command, workdir: Path, cache: Path) -> None:
    """The command, in a process of its own."""
    errors = os.open(workdir.with_suffix(".err"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(errors, 2)
    os.dup2(errors, 1)
    for name, value in (
        ("platforms", "cpu"), ("compilation_cache_dir", str(cache)), ("persistent_cache_min_compile_time_secs", 0),
    ):  # fmt: skip
        jax.config.update(f"jax_{name}", value)
    raise SystemExit(command(workdir))


def finish(process: BaseProcess, workdir: Path) -> None:
    process.join(300)
    assert process.exitcode == 0, workdir.with_suffix(".err").read_text()


def wait_for_rows(process: BaseProcess, workdir: Path, rows: int) -> None:
    """Until the run has logged so many, so that kills fall into training, however fast it is."""
    log = workdir / "log.jsonl"
    while process.is_alive() and (len(log.read_bytes().splitlines()) if log.exists() else 0) < rows:
        process.join(0.01)


def chain(workdir: Path, cache: Path, seed: int) -> int:
    """Kills a run `KILLS` times, lets it finish; returns how many kills hit a living process."""
    rng, hits = random.Random(seed), 0
    for kill in range(KILLS):
        process = start(train_a_model, workdir, cache)
        if kill:
            wait_for_rows(process, workdir, 8 * kill)
        # The first may fall anywhere, into start-up too.
        process.join(rng.uniform(0.0, 0.05 if kill else 2.0))
        hits += process.is_alive()
        process.kill()
        process.join()
    finish(start(train_a_model, workdir, cache), workdir)
    return hits


def pixels_of(figure: Path) -> bytes:
    """What is seen: the file names the run besides, by the command that drew it."""
    with Image.open(figure) as image:
        return image.tobytes()


def test_kills_change_nothing(tmp_path):
    cache = tmp_path / "cache"
    finish(start(train_a_model, tmp_path / "whole", cache), tmp_path / "whole")
    hits = chain(tmp_path / "killed", cache, 0)
    assert hits >= 3, f"most kills must hit a living run: {hits}"
    rows, params = rows_of(tmp_path / "whole"), params_of(tmp_path / "whole")
    assert len(rows) == STEPS // 2
    loss_curves.draw(Options(runs=str(tmp_path / "whole"), out=str(tmp_path / "whole.png"), learners="daml"))
    assert rows_of(tmp_path / "killed") == rows
    assert params_of(tmp_path / "killed") == params
    assert runs.latest_step(tmp_path / "killed") == STEPS
    loss_curves.draw(Options(runs=str(tmp_path / "killed"), out=str(tmp_path / "killed.png"), learners="daml"))
    assert pixels_of(tmp_path / "killed.png") == pixels_of(tmp_path / "whole.png")


def study_of(folder: Path) -> tuple[dict, dict]:
    """Its report, without what may differ, and its results."""
    report = json.loads((folder / "report.json").read_text())
    for name in ("minutes", "results_of_earlier_calls", "command"):
        del report[name]
    return report, {path.name: study_results.read_result(path) for path in folder.glob("warp/results/*.npz")}


def test_a_study_that_is_killed_whenever_a_file_appears_ends_like_one_that_was_not(tmp_path):
    cache, whole, killed = tmp_path / "cache", tmp_path / "whole", tmp_path / "killed"
    finish(start(make_a_study, whole, cache), whole)
    rng, hits = random.Random(0), 0
    # While models are trained, from checkpoints on, and about when a result is written.
    for name in ("models/erm-seed0/checkpoints/8", "results/erm+head*", "models/anil*/checkpoints/24"):
        process = start(make_a_study, killed, cache)
        while process.is_alive() and not any(killed.glob(f"warp/{name}")):
            process.join(0.005)
        process.join(rng.uniform(0.0, 0.1))
        hits += process.is_alive()
        process.kill()
        process.join()
    assert hits >= 2, f"most kills must hit a living study: {hits}"
    finish(start(make_a_study, killed, cache), killed)
    (report, results), (expected, unbroken) = study_of(killed), study_of(whole)
    assert report == expected
    assert len(results) == 3
    for name, (rows, scores) in unbroken.items():
        assert results[name][0] == rows
        np.testing.assert_array_equal(results[name][1], scores)
