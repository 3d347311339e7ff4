"""Whoever uses a part finds whose work it is, in BibTeX that parses."""

import inspect
import re

import pytest

import metaforge as mf
from metaforge import adaptation, citations


def entries(text):
    """A small reader of BibTeX: key to (kind, fields)."""
    found = {}
    for kind, key, body in re.findall(r"@(\w+)\{(\w+),\n(.*?)\n\}", text, re.DOTALL):
        fields = dict(re.fullmatch(r"  (\w+) = \{(.*)\},", line).groups() for line in body.split("\n"))
        assert key not in found
        found[key] = (kind, fields)
    return found


def test_every_part_that_one_chooses_by_name_is_known():
    factories = [
        *inspect.getmembers(adaptation, inspect.isfunction),
        *inspect.getmembers(mf.weighting, inspect.isfunction),
    ]
    names = {name for name, value in factories if value.__module__.startswith("metaforge")}
    backbones = {name for name, value in inspect.getmembers(mf.backbones, inspect.isfunction)}
    assert names | backbones | set(mf.LEARNERS) <= set(citations._OF)


def test_everything_parses_and_every_entry_is_somebody_s():
    found = entries(mf.citation(*citations._OF))
    assert set(found) == set(citations._ENTRIES)
    for kind, fields in found.values():
        assert fields["title"]
        assert kind in {"misc", "software"} or {"author", "year"} <= set(fields)
        assert all(text.count("{") == text.count("}") for text in fields.values())


def test_each_entry_stands_once_and_functions_do_as_names():
    text = mf.citation(mf.daml, "maml", "conv4")
    assert text == mf.citation("daml", "maml", "conv4")
    assert list(entries(text)) == ["jin_daml", "finn2017maml", "metaforge"]


def test_an_unknown_part_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match="unknown part 'damle'; known: maml, fomaml, daml"):
        mf.citation("damle")
