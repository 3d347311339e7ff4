"""The figure of words: what is drawn is what the reports say."""

import json

import pytest
from matplotlib.colors import to_hex

from metaforge.errors import InputError
from paper_figures import words
from paper_figures._figure import OfReport


def interval(value, half):
    return {"value": value, "low": value - half, "high": value + half}


def report(values, half):
    each = lambda value: {
        "difference": interval(value, half), "difference_over_collections": interval(value, 2 * half),
        "methods": {"swap": interval(value - 0.01, half), "warp": interval(value + 0.01, half)},
    }  # fmt: skip
    return {"rows": [{"way": "none"}, *({"way": f"way {n}", **each(value)} for n, value in enumerate(values))]}


def test_a_mark_is_filled_where_both_intervals_exclude_zero(tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    figures = []
    monkeypatch.setattr(plt, "close", figures.append)
    for name, values in (("a", (0.03, -0.01)), ("b", (0.005,))):
        (tmp_path / f"{name}.json").write_text(json.dumps(report(values, 0.01)))
    paths = ",".join(str(tmp_path / f"{name}.json") for name in "ab")
    assert words.draw(OfReport(report=paths, out=str(tmp_path / "a.png"))) == f"Wrote {tmp_path}/a.png: a, b."
    first, second = figures[0].axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["way 1", "way 0"]
    marks = [line for line in first.lines if line.get_marker() == "o"]
    assert [round(float(mark.get_xdata()[0]), 3) for mark in marks] == [-0.01, 0.03]
    assert [to_hex(mark.get_markerfacecolor()) for mark in marks] == ["#ffffff", "#000000"]
    assert len([line for line in second.lines if line.get_marker() == "."]) == 2


def test_what_is_no_report_of_words_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        words.draw(OfReport(report=str(tmp_path / "none.json"), out="a.png"))
    (tmp_path / "other.json").write_text('{"rows": [{"way": "none"}]}')
    with pytest.raises(InputError, match="is no report of experiments"):
        words.draw(OfReport(report=str(tmp_path / "other.json"), out="a.png"))
