"""Figures of a study: what is drawn is what the report says, and what is no report is one line."""

import dataclasses
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from PIL import Image

from metaforge.errors import InputError
from paper_figures import adaptation_curves, forest, gradient_agreement, reliability, shots_by_steps, task_weights
from paper_figures._study import Options


def interval(value, half):
    return {"value": value, "low": value - half, "high": value + half}


@pytest.fixture
def study(tmp_path):
    """A report of three methods on two held-out methods."""
    rows = []
    for m, method in enumerate(("erm+finetune", "maml", "daml")):
        for target in ("swap", "warp", "mean"):
            for shots in (1, 5):
                for steps in (0, 1, "chosen"):
                    value = 0.6 + 0.02 * m + 0.01 * shots
                    row = {"target": target, "method": method, "shots": shots, "steps": steps,
                           "auc": interval(value, 0.05)}  # fmt: skip
                    if m:
                        difference = 0.02 * m
                        row |= {"minus_baseline": interval(difference, 0.03), "p": 0.01 * m}
                        row |= {"holm": 0.2 / m**3} if steps == "chosen" else {}
                    rows.append(row)
    report = {"rows": rows, "grid": {"shots": [1, 5], "steps": [0, 1]}, "baseline": "erm+finetune",
              "targets": ["swap", "warp"], "methods": ["erm+finetune", "maml", "daml"]}  # fmt: skip
    (tmp_path / "report.json").write_text(json.dumps(report))
    return tmp_path


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, kept open."""
    import matplotlib.pyplot as plt

    figures = []
    monkeypatch.setattr(plt, "close", figures.append)
    return figures


def test_every_budget_has_its_number_and_a_star_where_the_interval_is_above_the_baseline(study, drawn):
    shots_by_steps.draw(Options(run=str(study), out=str(study / "a.png")))
    panels = [axes for axes in drawn[0].axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["erm+finetune", "maml", "daml"]
    assert [text.get_text() for text in panels[1].texts] == [".63", ".63", ".67", ".67"]
    assert [text.get_text() for text in panels[2].texts] == [".65*", ".65*", ".69*", ".69*"]


def test_a_forest_sorts_methods_and_fills_what_is_significant(study, drawn):
    forest.draw(Options(run=str(study), out=str(study / "a.pdf")))
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["maml", "daml"]
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    assert [round(float(mark.get_xdata()[0]), 3) for mark in marks] == [0.02, 0.04]
    assert [to_hex(mark.get_markerfacecolor()) for mark in marks] == ["#ffffff", "#000000"]
    assert len([line for line in axes.lines if line.get_marker() == "."]) == 4


def test_curves_run_over_steps_and_over_shots(study, drawn):
    adaptation_curves.draw(Options(run=str(study), out=str(study / "a.png")))
    one, five, chosen = drawn[0].axes
    assert [axes.get_title() for axes in (one, five, chosen)] == ["1 shot", "5 shots", "as chosen"]
    assert [line.get_label() for line in chosen.lines] == ["erm+finetune", "maml", "daml"]
    assert [round(float(y), 2) for y in five.lines[1].get_ydata()] == [0.67, 0.67]
    assert chosen.lines[2].get_xdata().tolist() == [1, 5]


def test_agreement_has_a_panel_for_every_look(study, drawn):
    rows = [{"step": s, "domains": ["swap", "warp"], "cosine": [[1.0, s / 10], [s / 10, 1.0]]} for s in (0, 5)]
    (study / "agreement.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    gradient_agreement.draw(gradient_agreement.Options(run=str(study), out=str(study / "a.png")))
    panels = [axes for axes in drawn[0].axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["step 0", "step 5"]
    assert panels[1].images[0].get_array().tolist() == [[1.0, 0.5], [0.5, 1.0]]
    with pytest.raises(InputError, match="Run the study with --agreement"):
        gradient_agreement.draw(gradient_agreement.Options(run=str(study / "none"), out="a.png"))


def test_weights_and_losses_by_domain_are_means_over_the_seeds_that_met_it(study, drawn):
    logs = [[{"query_loss/swap": 2.0, "weight/swap": 1.5}, {"query_loss/swap": 1.0, "weight/swap": 1.0}],
            [{"query_loss/swap": 4.0, "weight/swap": 0.5}, {"query_loss/warp": 3.0, "weight/warp": 0.25}]]  # fmt: skip
    for seed, log in enumerate(logs):
        folder = study / f"fomaml-seed{seed}"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        rows = [{"step": 20 * (i + 1)} | row for i, row in enumerate(log)]
        (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task_weights.draw(task_weights.Options(runs=str(study / "fomaml-seed*"), out=str(study / "a.png")))
    losses, weights = drawn[0].axes
    assert {line.get_label(): line.get_xydata().tolist() for line in losses.lines} == {
        "swap": [[20, 3.0], [40, 1.0]], "warp": [[40, 3.0]]
    }  # fmt: skip
    assert weights.lines[0].get_ydata().tolist() == [1.0, 1.0]
    with pytest.raises(InputError, match="no run matches"):
        task_weights.draw(task_weights.Options(runs=str(study / "maml-seed*"), out=str(study / "a.png")))


def test_reliability_has_a_line_for_every_number_of_shots(study, drawn):
    report = json.loads((study / "report.json").read_text())
    points = {"maml|1": [[0.2, 0.25], [0.8, 0.75]], "maml|5": [[0.1, 0.3], [0.9, 0.7]], "erm|0": [[0.3, 0.4]]}
    report["reliability"] = {key: {"points": value, "ece": 0.05, "images": 40} for key, value in points.items()}
    (study / "report.json").write_text(json.dumps(report))
    options = reliability.Options(run=str(study), out=str(study / "a.png"), methods="maml,erm")
    reliability.draw(options)
    lines = {line.get_label(): line.get_xydata().tolist() for axes in drawn[0].axes for line in axes.lines}
    assert lines["1: 0.05"] == points["maml|1"]
    assert lines["5: 0.05"] == points["maml|5"]
    assert lines["0: 0.05"] == points["erm|0"]
    with pytest.raises(InputError, match="'daml' has no finished row"):
        reliability.draw(dataclasses.replace(options, methods="daml"))


@pytest.mark.parametrize("draw", [forest.draw, shots_by_steps.draw, adaptation_curves.draw])
def test_what_is_no_study_or_no_figure_is_one_line(draw, study, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(InputError, match=r"no report\.json"):
        draw(Options(run=str(empty), out="a.png"))
    with pytest.raises(InputError, match="'splice' is not in the report; it has swap, warp"):
        draw(Options(run=str(study), out="a.png", target="splice"))
    with pytest.raises(InputError, match=r"neither \.png nor \.pdf"):
        draw(Options(run=str(study), out="a.jpeg"))


@pytest.mark.parametrize("figure", [forest, shots_by_steps, adaptation_curves])
def test_a_figure_holds_the_command_that_draws_its_bytes_again(figure, study):
    name, flags = figure.__name__.partition(".")[2], [f"--run={study}", "--target=warp"]
    assert figure.main(["figure", *flags, f"--out={study / 'one.png'}"]) == 0
    said = Image.open(study / "one.png").text
    assert set(said) == {"Description"}
    assert shlex.split(said["Description"]) == ["python", "-m", f"paper_figures.{name}", *flags]
    assert figure.main(["figure", *shlex.split(said["Description"])[3:], f"--out={study / 'two.png'}"]) == 0
    assert (study / "one.png").read_bytes() == (study / "two.png").read_bytes()


def test_a_pdf_holds_no_date_and_no_version(study):
    for name in ("one.pdf", "two.pdf"):
        forest.draw(Options(run=str(study), out=str(study / name)))
    made = (study / "one.pdf").read_bytes()
    assert made == (study / "two.pdf").read_bytes()
    assert b"paper_figures.forest" in made
    assert not [word for word in (b"CreationDate", b"atplotlib") if word in made]


def test_a_folder_whose_name_is_no_text_has_its_figure(study, tmp_path_factory):
    folder = os.fsdecode(os.fsencode(tmp_path_factory.mktemp("named")) + b"/\xff")
    shutil.copytree(study, folder)
    for kind in ("png", "pdf"):
        forest.draw(Options(run=folder, out=str(study / f"a.{kind}")))
    assert r"\udcff" in Image.open(study / "a.png").text["Description"]


def test_the_gallery_has_every_figure_and_its_pictures_exist():
    root = Path(__file__).parents[2]
    page = (root / "docs" / "gallery.md").read_text()
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page):
        assert (root / "docs" / target).exists(), target
    for module in sorted((root / "paper_figures").glob("[!_]*.py")):
        assert f"python -m paper_figures.{module.stem} " in page, module.stem
