"""Errors of the library name arguments, and commands make flags of these."""

import ast
import dataclasses
from pathlib import Path

import pytest

from metaforge import commands
from metaforge.commands.naming import in_flags
from metaforge.errors import InputError
from metaforge.settings import setting

PACKAGE = Path(__file__).parents[1] / "metaforge"
LIBRARY = (
    "core", "losses", "outliers", "objectives", "backbones", "learners", "evaluation", "adaptation", "data", "forgeries"
)  # fmt: skip
"""The packages that a program can be written with, which knows of no command."""


def flags_raised(source):
    """The texts within `raise` statements that look like a flag."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise):
            texts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
            yield from (text for text in texts if isinstance(text, str) and "--" in text)


@pytest.mark.parametrize("name", LIBRARY)
def test_an_error_of_the_library_names_no_flag(name):
    files = sorted((PACKAGE / name).rglob("*.py"))
    assert files
    assert {path.name: found for path in files if (found := [*flags_raised(path.read_text())])} == {}


def test_the_search_finds_flags():
    source = 'raise ValueError(f"{shots} are many. " f"Lower --{name} or --shots={shots}.")'
    assert [*flags_raised(source)] == [" are many. Lower --", " or --shots="]


@dataclasses.dataclass(frozen=True)
class Episodes:
    shots: int = setting(5, "Support images.")
    tasks: int = setting(4, "Domains.")


@dataclasses.dataclass(frozen=True)
class Config:
    episodes: Episodes = Episodes()


@dataclasses.dataclass(frozen=True)
class Options:
    tasks: int = setting(1, "At once.")


def test_an_argument_is_called_by_the_one_flag_that_is_named_after_it():
    message = "`shots`=9: lower `shots`, raise `tasks`, or think of `steps`."
    known = "--episodes.shots=9: lower --episodes.shots, raise `tasks`, or think of `steps`."
    assert in_flags(message, Options(), Config()) == known
    assert in_flags(message, Options(), None) == message.replace("`tasks`", "--tasks")


def test_a_command_prints_flags(capsys):
    def body(options, config):
        raise InputError("Lower `shots`.")

    assert commands.launch(["metaforge x"], body, doc="", options=Options(), config=Config()) == 2
    assert capsys.readouterr().err == "metaforge x: Lower --episodes.shots.\n"
