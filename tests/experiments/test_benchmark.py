"""The benchmark counts what XLA counts, and says what was measured."""

import dataclasses
import json
import subprocess
from pathlib import Path

import jax
import pytest

import metaforge as mf
from experiments.benchmark import __main__ as benchmark_command
from experiments.benchmark import compiling, meta_step, running, table, torch_step
from experiments.benchmark.config import Grid
from experiments.benchmark.meta_step import Cell
from metaforge.core.tuning import Form
from metaforge.settings import change
from metaforge.training.config import DEMO


def xla_flop(cell):
    """XLA's own count of the same outer step, tasks in a straight program of plain convolutions."""
    import optax

    model = mf.backbones.conv4(width=cell.width, normalisation="episode", convolution="lax")
    loss_fn = mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy())
    learner = mf.maml(
        loss_fn, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.sgd(0.1), inner_steps=cell.steps,
        order=cell.order, strategy="unroll",
    )  # fmt: skip
    data = meta_step.episodes(cell)
    state = jax.eval_shape(learner.init, jax.eval_shape(lambda: meta_step.initial(cell, data)))
    return jax.jit(learner.update).lower(state, data).cost_analysis()["flops"]


@pytest.mark.parametrize(("order", "steps"), [("first", 1), ("first", 3), ("second", 1), ("second", 2)])
def test_the_count_of_operations_is_xla_s_but_for_what_is_not_a_convolution(order, steps):
    # XLA leaves out products with padding and adds normalisation, pooling and the optimizer: both are hundredths at a
    # large size. Nothing is compiled.
    cell = Cell(256, order, steps, tasks=1, shots=1, queries=3)
    assert xla_flop(cell) == pytest.approx(cell.flop, rel=0.02)


def test_the_count_is_that_of_the_reference_table():
    # 56.6 million multiplications for an image of 64 pixels; 40 images in each of 4 tasks, each costing three forward
    # passes less the first layer's 7.08 million, which nobody differentiates by the image.
    assert Cell(64, "first", 1, 4).flop == pytest.approx(2 * 4 * 40 * (3 * 56.6e6 - 7.08e6), rel=2e-3)


def test_a_small_grid_is_measured_and_reported(tmp_path, capsys):
    out = tmp_path / "cost.json"
    settings = "sizes=16 width=2 shots=1 queries=1 tasks=2 strategies=scan,vmap convolutions=patches"
    flags = [*(f"--{setting}" for setting in settings.split()), "--rounds=2", "--torch=false", "--profile"]
    assert benchmark_command.main(["benchmark", f"--out={out}", *flags]) == 0
    (cell,) = json.loads(out.read_text())["cells"]
    assert set(cell["rows"]) == {"scan, patches", "vmap, patches"}
    for row in cell["rows"].values():
        assert row["gflop_s"] == pytest.approx(cell["gflop"] / row["ms_p50"] * 1e3)
        assert row["share_of_bandwidth"] == pytest.approx(
            row["accessed_gb"] / row["ms_p50"] * 1e3 / cell["bandwidth_gb_s"]
        )
        assert row["share_of_matrix_product"] == pytest.approx(row["gflop_s"] / cell["matrix_product_gflop_s"])
    # Four convolutions, four normalisations, and what is between them; each was seen.
    parts = cell["profile_ms"]
    assert all(
        any(part.startswith(f"{kind} {n}") for part in parts)
        for kind in ("convolution", "normalisation")
        for n in (1, 2, 3, 4)
    )
    assert "ReLU and pooling" in parts
    assert min(parts.values()) >= 0
    assert "| scan, patches |" in out.with_suffix(".md").read_text()
    assert benchmark_command.main(["benchmark", f"--out={out}", *flags]) == 2
    assert "exists already" in capsys.readouterr().err


RESULTS = Path(__file__).parents[2] / "docs" / "results"
STORED = sorted(path.stem for path in RESULTS.glob("benchmark*.json"))


@pytest.mark.parametrize("stored", STORED)
def test_every_row_that_is_published_can_be_made(stored):
    """The program of each row is traced, of the same order, steps and tasks, small; nothing is timed."""
    report = json.loads((RESULTS / f"{stored}.json").read_text())
    given = [word.removeprefix("--").removeprefix("config.") for word in report["command"].split()[3:]]
    grid = dataclasses.replace(Grid(), **dict(word.split("=") for word in given))
    assert running.cells(grid) == [Cell(**found["cell"]) for found in report["cells"]]
    strategies, convolutions = grid.strategies.split(","), grid.convolutions.split(",")
    seen = set()
    for found in report["cells"]:
        cell = Cell(**found["cell"])._replace(size=16, width=2, shots=1, queries=1)
        for name in found["rows"]:
            if (cell, name) in seen:
                continue  # of another size, and this is of none
            seen.add((cell, name))
            data = meta_step.episodes(cell)
            start = meta_step.initial(cell, data)
            if name in torch_step.FORMS:
                if not torch_step.available():
                    continue
                rules = {"order": cell.order, "inner_steps": cell.steps, "inner_lr": 0.1, "outer_lr": 0.1}
                assert callable(torch_step.meta_step(name, start, data, **rules))
                continue
            strategy, convolution = name.split(", ")
            assert strategy in strategies
            assert convolution in convolutions
            form = Form("auto" if strategy == meta_step.SPREAD else strategy, convolution)
            made = meta_step.learner(cell, form, precision=grid.precision, remat=grid.remat)
            _, info = jax.eval_shape(made.update, jax.eval_shape(made.init, start), data)
            assert info.loss.shape == ()
    assert seen


@pytest.mark.parametrize("order", ["first", "second"])
def test_pytorch_takes_the_same_two_steps(order):
    # The first loss shows that images, parameters and network agree; the second one that gradient and Adam do too.
    pytest.importorskip("torch", reason="the extra `bench` is not installed")
    cell = Cell(16, order, steps=2, tasks=2, width=2, shots=2, queries=3)
    data = meta_step.episodes(cell)
    start = meta_step.initial(cell, data)
    ours = meta_step.learner(cell, Form("scan", "lax"))
    first, info = (update := jax.jit(ours.update))(ours.init(start), data)
    expected = [float(info.loss), float(update(first, data)[1].loss)]
    rules = {"order": order, "inner_steps": 2, "inner_lr": meta_step.INNER_LR, "outer_lr": meta_step.OUTER_LR}
    for form in ("torch loop", "torch.func"):  # the third form is the second one, compiled
        step = torch_step.meta_step(form, start, data, **rules)
        assert [step(), step()] == pytest.approx(expected, rel=1e-4), form
    assert expected[1] != pytest.approx(expected[0], rel=1e-3)


def test_the_summary_names_the_best_and_what_choosing_would_cost():
    times = {"scan, winograd": 12.0, "scan, patches": 11.0, "unroll, lax": 10.0, "torch loop": 1.0}
    cell = {"cell": {"tasks": 4}, "rows": {name: {"ms_p50": ms} for name, ms in times.items()}}
    found = table.summary(cell)
    assert (found["best"], found["measured"], found["rule"]) == ("unroll, lax", "scan, patches", "scan, winograd")
    assert found["measured_to_best"] == pytest.approx(1.1)
    assert found["rule_to_best"] == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--sizes=8", "--sizes=8: give whole numbers"),
        ("--steps=one", "--steps=one: give whole numbers"),
        ("--orders=third", "unknown 'third'; known: first, second, mixed"),
        ("--convolutions=fft", "unknown 'fft'; known: auto, lax, patches, winograd"),
        ("--out=table.txt", "--out=table.txt: give a .json file"),
    ],
)
def test_bad_flags_are_one_line(flag, said, capsys):
    assert benchmark_command.main(["benchmark", flag]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_cost_of_compiling_is_measured_of_each_learner_in_its_own_process(monkeypatch, tmp_path, capsys):
    called = []

    def instead(command, *, env, **_):
        assert env["JAX_ENABLE_COMPILATION_CACHE"] == "false", "a program from before would cost nothing"
        called.append(command)
        return subprocess.CompletedProcess(command, 0, stdout='{"trace_s": 1.5, "compile_s": 20.25}\n')

    monkeypatch.setattr(compiling.subprocess, "run", instead)
    monkeypatch.setattr(compiling, "provenance", lambda: {"commit": "known", "date": "today"})
    flags = ["--learners=imaml,erm", "--model.width=8", f"--out={tmp_path / 'report.json'}"]
    assert compiling.main(["compiling", *flags]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert [row["learner"] for row in report["rows"]] == ["imaml", "erm"]
    assert report["command"] == "python -m experiments.benchmark.compiling --learners=imaml,erm --model.width=8"
    assert "| imaml | 1.5 | 20.2 | 21.8 |" in capsys.readouterr().out
    for command, name in zip(called, ("imaml", "erm"), strict=True):
        assert {f"--child={name}", "--model.width=8", "--faces.holdout=swap"} <= set(command)
        assert not any(word.startswith("--learner.name") for word in command)


def test_the_program_that_is_compiled_is_that_of_an_outer_step():
    tiny = {"model.image_size": 16, "model.width": 4, "model.convolution": "lax", "learner.name": "erm"}
    found = compiling.measure(change(DEMO, tiny | {"episodes.tasks": 2}))
    assert found["trace_s"] > 0
    assert found["compile_s"] > 0


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--learners=famaml", "--learners: unknown 'famaml'; known: maml"),
        ("--learner.weighting=focal", "--learner.weighting: daml weighs no tasks"),
        ("--objective.name=fakeradar", "cross-entropy of images alone"),
    ],
)
def test_what_cannot_be_compiled_is_said_first(flag, said, capsys, tmp_path):
    assert compiling.main(["compiling", flag, f"--out={tmp_path / 'report.json'}"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
