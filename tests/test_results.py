"""The tables in docs and README say what the reports say that they were made from."""

import re
from pathlib import Path

import pytest

from docs.write_tables import FOLDER, read, tables
from experiments.demo import running as demo
from experiments.study import tables as study_tables
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TABLES = tables()
REPORTS = sorted(path.stem for path in (ROOT / "docs" / "results").glob("*.json"))


@pytest.mark.parametrize("name", TABLES)
def test_each_file_of_tables_is_what_its_report_says(name):
    # If this fails because what a command prints has changed: python -m docs.write_tables
    assert (FOLDER / name).read_text(encoding="utf-8") == TABLES[name]


def test_no_table_is_left_of_a_report_that_is_gone():
    assert {path.name for path in FOLDER.iterdir()} == set(TABLES)


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_its_table(name):
    assert any(f"(../results/{name}.json)" in text for text in TABLES.values())


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_linked_to_from_a_page(name):
    pages = [README, *(path.read_text() for path in (ROOT / "docs").glob("*.md"))]
    assert any(f"tables/{name}" in page for page in pages)


# Lists that may have three numbers, and are none of a value and its interval.
NO_INTERVALS = {"seeds", "shots", "steps", "knobs", "inner_lrs"}


def looks_like_an_interval(name, found):
    if isinstance(found, dict):
        return bool({"low", "high"} & set(found))
    numbers = isinstance(found, list) and all(isinstance(one, int | float) for one in found)
    return numbers and len(found) == 3 and name not in NO_INTERVALS


def intervals(found, name=""):
    if looks_like_an_interval(name, found):
        yield found
    for key, value in found.items() if isinstance(found, dict) else [(name, one) for one in found]:
        if isinstance(value, dict | list):
            yield from intervals(value, key)


@pytest.mark.parametrize("name", REPORTS)
def test_every_interval_of_a_report_has_the_one_form(name):
    for found in intervals(read(name)):
        value, low, high = Interval.from_json(found)
        assert low <= value <= high


def test_an_interval_of_another_form_is_found():
    report = {"rows": [{"steps": [0, 1, 5], "auc": [0.5, 0.4, 0.6]}, {"value": 1.0, "low": 0.5, "high": 2.0, "p": 0.1}]}
    found = list(intervals(report))
    assert found == [report["rows"][0]["auc"], report["rows"][1]]
    for one in found:
        with pytest.raises(InputError, match="stands for an interval"):
            Interval.from_json(one)


def test_every_file_that_a_page_links_to_exists():
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_heading_that_a_page_links_to_exists():
    def anchors(text):
        # As GitHub makes them: lower case, no punctuation, hyphens for spaces.
        titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            assert anchor in anchors((page.parent / target if target else page).read_text()), f"{page.name}: {anchor}"


def test_the_readme_shows_the_demos_table():
    report = read("demo")
    assert demo.table(report["targets"]["swap"]) in README
    assert report["provenance"]["commit"] in README


def test_every_forgery_method_is_reported_not_only_those_that_went_well():
    assert set(read("leave_one_out")["targets"]) == set(demo.FORGERIES)


@pytest.mark.parametrize("name", [name for name in REPORTS if name.startswith("study_")])
def test_the_verdict_of_a_study_is_that_of_its_numbers(name):
    report = read(name)
    assert report["verdict"] == study_tables.verdict(report)


@pytest.mark.parametrize("name", [name for name in REPORTS if name.startswith("omniglot_")])
def test_the_page_names_the_commit_of_each_omniglot_report(name):
    assert read(name)["provenance"]["commit"] in (ROOT / "docs" / "results.md").read_text()


def test_the_table_of_speed_by_image_size_is_that_of_the_reports():
    page = (ROOT / "docs" / "performance.md").read_text()
    columns = {
        "benchmark_avx512": "spread, winograd",
        "benchmark_avx2": "spread, winograd",
        "benchmark": "scan, winograd",
    }
    for cells in zip(*(read(name)["cells"] for name in columns), strict=True):
        rows = [cell["rows"][program] for cell, program in zip(cells, columns.values(), strict=True)]
        said = [f"{row['ms_p50']:.0f} ms, {Interval.from_json(row['times_faster_than torch loop'])}" for row in rows]
        (size,) = {cell["cell"]["size"] for cell in cells}
        assert f"| {size} | {' | '.join(said)} |" in page


def test_the_table_of_exact_gradients_is_that_of_the_reports():
    page = (ROOT / "docs" / "performance.md").read_text()
    for name, steps in {"exact": "5", "twenty": "20", "twenty_sqrt": "20, rematerialised"}.items():
        second, mixed = read(f"benchmark_{name}_avx512")["cells"]
        assert (second["cell"]["order"], mixed["cell"]["order"]) == ("second", "mixed")
        for program, form in {"spread": "each core its own tasks", "scan": "all cores one program"}.items():
            rows = [cell["rows"][f"{program}, winograd"] for cell in (second, mixed)]
            said = [f"{row['ms_p50']:,.0f}, {row['memory_mb']:.0f}" for row in rows]
            ratio = rows[1]["ms_p50"] / rows[0]["ms_p50"]
            assert f"| {steps} | {form} | {said[0]} | {said[1]} | {ratio:.2f} |" in page


def test_the_tables_of_engines_are_those_of_the_reports():
    page = (ROOT / "docs" / "engines.md").read_text()
    known = {"metaforge on OpenVINO, bfloat16": "OpenVINO, bfloat16", "metaforge on OpenVINO, float32": "OpenVINO",
             "metaforge on ONNX Runtime": "metaforge on ONNX Runtime", "PyTorch, compiled": "PyTorch, compiled",
             "JAX": "JAX"}  # fmt: skip
    clip, b0 = (read(f"engines_{name}")["speed"] for name in ("clip", "b0_amx"))
    for said, program in known.items():
        times = [clip[batch][program]["ms_an_image_p50"] for batch in ("1", "8", "32")]
        share = clip["32"][program]["of_matrix_product"]
        assert f"| {said} | {' | '.join(f'{ms:.0f}' for ms in times)} | {100 * share:.0f} % |" in page
        times = [b0[batch][program]["ms_an_image_p50"] for batch in ("1", "8", "32")]
        assert f"| {said} | {' | '.join(f'{ms:.1f}' for ms in times)} |" in page


@pytest.mark.parametrize("name", [name for name in REPORTS if name.startswith("fakeradar_")])
def test_what_the_ablation_was_trained_on_and_judged_on_have_nothing_in_common(name):
    for held, sources in read(name)["sources"].items():
        assert not {*held.split(" and ")} & {*sources}
