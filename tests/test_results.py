"""The tables in docs and README say what the reports say that they were made from."""

import json
import re
from pathlib import Path

import pytest

from experiments import demo, sinusoid
from experiments.benchmark import main as benchmark
from experiments.benchmark import scale
from experiments.fakeradar import main as fakeradar
from experiments.fakeradar import speed as tri_speed
from experiments.omniglot import main as omniglot
from experiments.study import tables as study_tables
from metaforge.screening import adapting

ROOT = Path(__file__).parents[1]
RESULTS = (ROOT / "docs" / "results.md").read_text()
LEAVE_ONE_OUT = json.loads((ROOT / "docs" / "results" / "leave_one_out.json").read_text())


@pytest.mark.parametrize("target", LEAVE_ONE_OUT["targets"])
def test_each_leave_one_out_table_is_that_of_the_report(target):
    assert demo.table(LEAVE_ONE_OUT["targets"][target]) in RESULTS


def test_the_readme_shows_the_demos_table():
    report = json.loads((ROOT / "docs" / "results" / "demo.json").read_text())
    assert demo.table(report["targets"]["swap"]) in (ROOT / "README.md").read_text()
    assert report["provenance"]["commit"] in (ROOT / "README.md").read_text()


def test_what_a_million_images_cost_is_what_was_measured():
    report = json.loads((ROOT / "docs" / "results" / "scale.json").read_text())
    assert scale.markdown(report) in (ROOT / "docs" / "performance.md").read_text()


def test_every_method_is_reported_not_only_those_that_went_well():
    assert set(LEAVE_ONE_OUT["targets"]) == set(demo.FORGERIES)


def test_the_sinusoid_table_is_that_of_the_report():
    report = json.loads((ROOT / "docs" / "results" / "sinusoid.json").read_text())
    for line in sinusoid.table(report).splitlines():
        if re.match(r"\| 5 \| (1|5|10) ", line):
            assert line in RESULTS, line


OMNIGLOT = sorted((ROOT / "docs" / "results").glob("omniglot*.json"))


@pytest.mark.parametrize("path", OMNIGLOT, ids=lambda path: path.stem)
def test_the_omniglot_tables_are_those_of_the_reports(path):
    report = json.loads(path.read_text())
    assert all(line in RESULTS for line in omniglot.table(report).splitlines())
    assert report["provenance"]["commit"] in RESULTS


STUDIES = sorted((ROOT / "docs" / "results").glob("study_*.json"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_tables_of_a_study_are_those_of_its_report(path):
    report = json.loads(path.read_text())
    assert study_tables.markdown(report, level=3).strip() in (ROOT / "docs" / "study.md").read_text()
    assert report["verdict"] == study_tables.verdict(report)


@pytest.mark.parametrize("name", ["adapted_swap", "adapted_poisson_swap"])
def test_what_the_strong_recipe_is_worth_is_what_was_measured(name):
    report = json.loads((ROOT / "docs" / "strong" / f"{name}.json").read_text())
    page = (ROOT / "docs" / "strong.md").read_text()
    tables = [line for line in adapting.markdown(report).splitlines() if line.startswith("|")]
    assert "\n".join(tables[:4]) in page
    assert "\n".join(tables[4:]) in page


BENCHMARKS = sorted((ROOT / "docs" / "results").glob("benchmark*.json"))


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "results").glob("strong_*.json")), ids=lambda path: path.stem)
def test_what_the_strong_recipe_was_chosen_from_is_what_was_measured(path):
    report, page = json.loads(path.read_text()), (ROOT / "docs" / "strong.md").read_text()
    assert report["command"] in page
    for line in study_tables.choices(report):
        assert line in page


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_the_tables_of_what_a_step_costs_are_those_of_the_reports(path):
    report = json.loads(path.read_text())
    assert benchmark.markdown(report).strip() in (ROOT / "docs" / "performance.md").read_text()


def test_the_readme_s_table_of_speed_is_that_of_the_report():
    report = json.loads((ROOT / "docs" / "results" / "benchmark.json").read_text())
    readme = (ROOT / "README.md").read_text()
    for cell in report["cells"]:
        row = cell["rows"]["scan, winograd"]
        low_to_high = "{:.2f} [{:.2f}, {:.2f}]".format(*row["times_faster_than torch loop"])
        share = row["share_of_matrix_product"]
        assert f"| {cell['cell']['size']} | {row['ms_p50']:.0f} | {low_to_high} | {share * 100:.0f} % |" in readme


ABLATIONS = sorted((ROOT / "docs" / "results").glob("fakeradar_*.json"))


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_the_tables_of_the_ablation_are_those_of_the_reports(path):
    report, page = json.loads(path.read_text()), (ROOT / "docs" / "fakeradar.md").read_text()
    assert fakeradar.table(report["mean"] | {"source_validation": report["source_validation"]}) in page
    assert report["command"] in page
    # What it was trained on, and what it is judged on, have nothing in common.
    for held, sources in report["sources"].items():
        assert not {*held.split(" and ")} & {*sources}


def test_what_tri_training_costs_is_what_was_measured():
    report = json.loads((ROOT / "docs" / "results" / "tri_speed.json").read_text())
    page = (ROOT / "docs" / "fakeradar.md").read_text()
    assert all(row in page for row in tri_speed.rows(report))
