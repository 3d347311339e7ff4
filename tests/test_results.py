"""The tables in docs and README say what the reports say that they were made from."""

import json
import re
from pathlib import Path

import pytest

from experiments import demo, sinusoid

ROOT = Path(__file__).parents[1]
RESULTS = (ROOT / "docs" / "results.md").read_text()
LEAVE_ONE_OUT = json.loads((ROOT / "docs" / "results" / "leave_one_out.json").read_text())


@pytest.mark.parametrize("target", LEAVE_ONE_OUT["targets"])
def test_each_leave_one_out_table_is_that_of_the_report(target):
    assert demo.table(LEAVE_ONE_OUT["targets"][target]) in RESULTS


def test_the_readme_shows_the_demos_table():
    assert demo.table(LEAVE_ONE_OUT["targets"]["swap"]) in (ROOT / "README.md").read_text()


def test_every_method_is_reported_not_only_those_that_went_well():
    assert set(LEAVE_ONE_OUT["targets"]) == set(demo.FORGERIES)


def test_the_sinusoid_table_is_that_of_the_report():
    report = json.loads((ROOT / "docs" / "results" / "sinusoid.json").read_text())
    for line in sinusoid.table(report).splitlines():
        if re.match(r"\| 5 \| (1|5|10) ", line):
            assert line in RESULTS, line
