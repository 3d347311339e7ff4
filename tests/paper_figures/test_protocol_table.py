"""Tables of protocols: they say what they hold, in every format, and refuse what is no report."""

import csv
import io
import json

import pytest

from metaforge.evaluation.metrics import METRICS
from metaforge.evaluation.protocols import PROTOCOLS
from paper_figures import protocol_table
from paper_figures._protocol_report import NAMES, PLAIN, notes

STATES = ("not adapted", "adapted")


def made_up(name, *, official=False, **changes):
    """A report of a protocol as experiments.protocol writes it, of numbers that tell their cell."""
    protocol = PROTOCOLS[name]._replace(**{k: v for k, v in changes.items() if k in ("metrics", "published")})
    metrics = [*dict.fromkeys([*protocol.metrics, "eer", "nll"]), "accuracy_fitted"]
    interval = lambda number: {"value": 0.5 + number / 1000, "low": 0.4, "high": 0.9}
    cells = [
        {
            "row": cell.row, "column": cell.column, "shots": cell.shots, "steps": cell.steps,
            "table": {f"{learner}, {state}": {metric: interval(number) for metric in metrics}
                      for learner in ("maml", "daml", "erm") for state in STATES},
            "tested": {"images": 40, "videos": 20, "clusters": 10},
            "support": {"from": f"the train split of {cell.target.folder}", "images": {"real": 50, "fake": 50}},
            "published": {f"{method}, {metric}": value for (method, row, column, metric), value
                          in protocol.published.items() if (row, column) == (cell.row, cell.column)},
        }
        for number, cell in enumerate(protocol.cells)
    ]  # fmt: skip
    return {
        "options": {"seeds": 3, "draws": 10, "support": ""}, "about": protocol.about, "axes": list(protocol.axes),
        "reference": protocol.reference, "remark": protocol.remark, "selection": "source_validation",
        "level": protocol.level, "metrics": list(protocol.metrics), "normalisation": "episode", "dealt": 256,
        "cells": cells, "official": official, "unofficial": [] if official else ["celeb_df: 3 of 340 videos of x"],
    } | {k: v for k, v in changes.items() if k not in ("metrics", "published")}  # fmt: skip


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("official", [False, True])
def test_every_protocol_s_table_holds_each_cell_once_in_every_format(name, official):
    report = made_up(name, official=official)
    cells, metrics = report["cells"], report["metrics"]
    lines = [[word.strip() for word in line.strip("|").split("|")]
             for line in protocol_table.markdown(report).splitlines() if line.startswith("|")]  # fmt: skip
    assert len({len(line) for line in lines}) == 1
    header = lines[0]
    for number, cell in enumerate(cells):
        shown = f"{50 + number / 10:.2f} [40.00, 90.00]"
        (line,) = [line for line in lines if "daml, adapted" in line
                   and (len({c["row"] for c in cells}) == 1 or line[0] == cell["row"])]  # fmt: skip
        assert line[header.index(f"{cell['column']} {NAMES[metrics[0]]}")] == shown
    tex = protocol_table.latex(report).splitlines()
    body = [line for line in tex if line.endswith(r"\\")]
    assert {line.count(" & ") for line in body} == {len(header) - 1}
    assert len(body) == len(lines) - 1  # without Markdown's rule
    numbers = [row for row in csv.DictReader(io.StringIO(protocol_table.as_csv(report))) if row["source"] == "ours"]
    assert len(numbers) == len(cells) * 3 * len(STATES) * len(cells[0]["table"]["erm, adapted"])
    published = {key.rsplit(", ", 1)[0] for cell in cells for key in cell["published"]} if official else set()
    assert {line[header.index("method")] for line in lines if "(published)" in line[header.index("method")]} == {
        f"{method} (published)" for method in published
    }


def test_a_published_number_stands_under_its_column():
    report = made_up("daml_table3", official=True)
    lines = protocol_table.markdown(report).splitlines()
    assert lines[0] == "| trained on | method | DF AUC | F2F AUC | FS AUC | NT AUC |"
    assert "| FS | RECCE (published) | 79.35 | 62.16 | 98.02 | 59.93 |" in lines


def test_every_metric_has_a_name_and_units():
    assert set(NAMES) == {*METRICS, "accuracy_fitted"}
    report = made_up("lomo_c23", metrics=("nll", "ap"))
    header, ((line, *_),) = protocol_table.rows(report)
    assert header[1:3] == ["DF NLL", "DF AP"]
    assert line[1:3] == ["0.500 [0.400, 0.900]", "50.00 [40.00, 90.00]"]
    for cell in report["cells"]:
        cell["table"] = {"erm": {metric: {"value": 0.1, "low": 0, "high": 1} for metric in ("nll", "ap")}}
    assert "NLL not in percent; of NLL lower is better" in notes(report)[1]
    assert set(PLAIN) <= set(METRICS)


def test_notes_say_what_differs_between_cells_and_no_more_than_is_so():
    text = "\n".join(notes(made_up("shots_by_steps", official=True)))
    assert "1, 5, 10 and 20 (by cell) labelled target images a class to adapt on; rate chosen on source" in text
    assert "Published" not in text  # nobody has published this table
    text = "\n".join(notes(made_up("shots_by_steps")))
    assert "not the owners' whole sets" in text
    assert "no published number" not in text
    assert "test videos: 20 each" in text
    text = "\n".join(notes(made_up("daml_table2", official=True)))
    assert "10 labelled target images a class to adapt on; rate and steps chosen on source" in text
    assert "Published: Jin and Tan" in text
    assert "All but DAML" in text
    assert "at most 256 at a time" in text
    text = "\n".join(notes(made_up("daml_table2", official=True, published={})))
    assert "DAML" not in text
    text = "\n".join(notes(made_up("daml_table2", dealt=0, normalisation="support")))
    assert "so no published number stands here: celeb_df: 3 of 340" in text
    assert "at a time" not in text
    report = made_up("daml_table2") | {"options": {"seeds": 1, "draws": 1, "support": "dfdc=aside"}}
    assert "from the train split of celeb_df (Celeb-DF), the train split of dfdc (DFDC) and" in "\n".join(notes(report))
    assert "1 seed, 1 support set." in notes(report)[0]


@pytest.mark.parametrize("lack", ["cells", "metrics", "axes", "official", "cells.published", "all", "cells of nothing"])
def test_what_is_no_report_is_one_line(tmp_path, capsys, lack):
    report = made_up("daml_table2")
    if lack == "all":
        report = {"config": {}, "final": {}}  # a training run's
    elif lack == "cells of nothing":
        report["cells"] = []
    elif "." in lack:
        del report["cells"][1][lack.split(".")[1]]
    else:
        del report[lack]
    (tmp_path / "report.json").write_text(json.dumps(report))
    flags = [f"--report={tmp_path / 'report.json'}", f"--out={tmp_path / 'table.md'}"]
    assert protocol_table.main(["protocol_table", *flags]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "not a report of experiments.protocol" in error
    assert not (tmp_path / "table.md").exists()


def test_latex_is_escaped(tmp_path):
    report = made_up("lomo_c23")
    report["cells"][0]["column"] = r"a_b & {c} 5 % #1 $x^2~\y"
    (header,) = [line for line in protocol_table.latex(report).splitlines() if line.startswith("method")]
    assert r"a\_b \& \{c\} 5 \% \#1 \$x\textasciicircum{}2\textasciitilde{}\textbackslash{}y AUC" in header
