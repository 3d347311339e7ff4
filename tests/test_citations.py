"""Whoever uses a part finds whose work it is, in BibTeX that parses."""

import ast
import functools
import inspect
import re
from pathlib import Path

import pytest

import metaforge as mf
from metaforge import adaptation, citations, forgeries
from metaforge.cli import train
from metaforge.data.catalogues import CATALOGUES
from metaforge.settings import change
from metaforge.training import cited, meta_train
from metaforge.training.config import Config

ROOT = Path(__file__).parents[1]
KINDS = {
    "inproceedings": "booktitle", "article": "journal", "techreport": "institution", "book": "publisher",
    "misc": "title", "software": "version",
}  # fmt: skip
"""What an entry of a kind must have beside a title and an author."""


def braced(text, start):
    """What stands between the brace that opens at `start` and the one that closes it, and where that is."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place], place + 1
    raise AssertionError(f"a brace is never closed: {text[start : start + 60]}")


def entries(text):
    """A small reader of BibTeX: key to (kind, fields)."""
    found, place = {}, 0
    while (entry := re.compile(r"\s*@(\w+)(?=\{)").match(text, place)) is not None:
        body, place = braced(text, entry.end())
        key, rest = body.split(",", 1)
        fields, at = {}, 0
        while (field := re.compile(r"[\s,]*(\w+) = (?=\{)").match(rest, at)) is not None:
            value, at = braced(rest, field.end())
            fields[field[1]] = " ".join(value.split())
        assert re.fullmatch(r"\w+", key)
        assert key not in found
        assert not rest[at:].strip(" ,\n")
        found[key] = (entry[1], fields)
    assert not text[place:].strip()
    return found


def plain(title):
    return re.sub(r"[{}]", "", title).lower()


def titles(text):
    return [plain(fields["title"]) for _, fields in entries(text).values()]


def referred(doc):
    """The titles that the references of a docstring name, in italics."""
    _, _, references = re.sub(r"\s+", " ", doc or "").partition("References:")
    return [plain(title) for title in re.findall(r"(?<![\w*])\*([^*]+)\*(?![\w*])", references)]


def parts():
    """What one chooses by name, and its function."""
    modules = (adaptation, mf.weighting, mf.backbones, mf.losses, mf.objectives)
    for module in modules:
        for name, value in inspect.getmembers(module, inspect.isfunction):
            if value.__module__.startswith(module.__name__):
                yield name, value
    yield from ((name, getattr(mf.outliers, name)) for name in ("neighbour_outliers", "subcluster_outliers"))
    yield from ((name, entry.make) for name, entry in mf.LEARNERS.items())
    yield from forgeries.FORGERIES.items()
    yield from ((name, entry.read) for name, entry in CATALOGUES.items())


PARTS = dict(parts())
NAMED_IN_PASSING = {"uniform", "cross_entropy", "squared_error", "weighted_sum"}
"""Their references are where an equation stands, or an example."""


@pytest.mark.parametrize("name", PARTS)
def test_every_part_that_one_chooses_by_name_is_known_with_the_work_that_it_names_first(name):
    found = titles(mf.citation(name))
    first = referred(PARTS[name].__doc__)[:1]
    assert name in NAMED_IN_PASSING or all(any(title.startswith(work) for title in found) for work in first)


def test_the_weightings_of_the_commands_and_the_parts_of_commands_are_known():
    mf.citation(
        *mf.weighting.WEIGHTINGS, *mf.weighting.WEIGHTINGS.values(), "partial", "fakeradar", "lfw", "london", "omniglot"
    )


def test_every_work_that_the_code_refers_to_has_an_entry():
    known, _ = citations._known()
    found = titles(mf.citation(*known))
    files = sorted((ROOT / "metaforge").rglob("*.py"))
    nodes = [(path, node) for path in files for node in ast.walk(ast.parse(path.read_text()))]
    for path, node in nodes:
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            for work in referred(ast.get_docstring(node)):
                # A part of a title will do: "FakeRadar", "Preview Dataset".
                assert any(title.startswith(work) or title.endswith(work) for title in found), f"{path}: {work}"


def test_everything_parses_and_every_entry_is_somebody_s():
    known, every = citations._known()
    found = entries(mf.citation(*known))
    assert set(found) == set(every)
    for kind, fields in found.values():
        assert {"title", "author", KINDS[kind]} <= set(fields)
        assert kind == "software" or fields.get("year", "0000").isdigit()
    assert len({plain(fields["title"]) for _, fields in found.values()}) == len(found)
    assert len(entries((ROOT / "metaforge" / "citations.bib").read_text().split("\n", 2)[2])) == len(
        set(found) - {key for entry in CATALOGUES.values() for key in entries(entry.citation)}
    )


def test_a_run_names_its_learner_weighting_forgeries_and_faces():
    config = change(
        Config(),
        {
            "learner.name": "maml",
            "learner.weighting": "focal",
            "learner.adaptable": "^head/",
            "faces.methods": "swap,warp",
            "faces.holdout": "splice",
        },
    )
    assert cited.parts_of(config) == [
        "maml",
        "partial",
        "focal",
        "conv4",
        "swap",
        "warp",
        "splice",
        "london",
        "blazeface",
    ]
    assert mf.citation(*cited.parts_of(config))
    grey = change(config, {"faces.folder": "lfw"})
    assert cited.parts_of(grey)[-1] == "lfw"
    assert cited.parts_of(change(config, {"faces.landmarks": "none"}))[-1] == "london"


def test_a_run_on_prepared_data_names_the_data_sets_as_far_as_they_are_known(tmp_path):
    for name, text in (("a", '{"dataset": "celeb_df"}'), ("b", '{"dataset": "somebody_s"}'), ("c", "")):
        (tmp_path / name).mkdir()
        if text:
            (tmp_path / name / "provenance.json").write_text(text)
    parts = cited.parts_of(change(Config(), {"faces.prepared": ",".join(str(tmp_path / name) for name in "abc")}))
    assert parts == ["daml", "conv4", "celeb_df"]
    assert "li2020celebdf" in entries(mf.citation(*parts))


def test_metaforge_s_own_entry_is_that_of_the_citation_file():
    cff = (ROOT / "CITATION.cff").read_text()
    _, fields = entries(mf.citation())["metaforge"]
    assert plain(fields["title"]) == plain(re.search(r'^title: "(.*)"$', cff, re.MULTILINE)[1])
    assert fields["version"] == re.search(r"^version: (.*)$", cff, re.MULTILINE)[1]
    assert fields["author"] == "{" + re.search(r'- name: "(.*)"$', cff, re.MULTILINE)[1] + "}"


def test_each_entry_stands_once_and_functions_do_as_names():
    text = mf.citation(mf.daml, "maml", "conv4")
    assert text == mf.citation(functools.partial(mf.daml), "maml", mf.backbones.conv4)
    assert list(entries(text)) == ["jin_daml", "finn2017maml", "metaforge"]


def test_an_unknown_part_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match="unknown part 'damle'; known: maml, fomaml, daml"):
        mf.citation("damle")


def test_a_run_ends_with_what_to_cite(tmp_path, monkeypatch, capsys):
    rule = {"steps": 5, "optimizer": "sgd", "rate": 0.1, "validation_auc": 0.7}
    monkeypatch.setattr(meta_train, "run", lambda config, workdir: {"adaptation": rule})
    assert train.main(["train", f"--workdir={tmp_path}", "--learner.name=anil", "--faces.methods=smooth"]) == 0
    _, _, rest = capsys.readouterr().out.partition("Please cite the work that it uses:")
    cited, _, last = rest.rpartition("Wrote ")
    assert last.startswith(f"{tmp_path}: trained ")
    assert last.count("\n") == 1
    assert list(entries(cited)) == [
        *("raghu2020anil", "finn2017maml", "debruine2017london", "bazarevsky2019blazeface", "kartynnik2019mesh"),
        "metaforge",
    ]
