"""Text has one encoding on the disk, whatever the locale is, and names of files come out as they went in."""

import ast
import doctest
import sys
from pathlib import Path

import pytest

from metaforge.progress import progress

ROOT = Path(__file__).parent.parent
SOURCES = [
    path for top in ("metaforge", "experiments", "paper_figures", "datasets") for path in (ROOT / top).rglob("*.py")
]


def calls(path):
    """Every call in a file, those in the examples of its docstrings too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    examples = [
        example.source for text in texts if ">>>" in text for example in doctest.DocTestParser().get_examples(text)
    ]
    for part in (tree, *map(ast.parse, examples)):
        yield from (node for node in ast.walk(part) if isinstance(node, ast.Call))


def reads_the_locale(call):
    """Whether it opens text, or talks to a process in text, in the encoding that the locale happens to say."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = {word.arg for word in call.keywords}
    if name in ("read_text", "write_text") and isinstance(call.func, ast.Attribute):
        return "encoding" not in named
    if name in ("run", "Popen", "check_output") and "text" in named:
        return "encoding" not in named
    if name == "open" and isinstance(call.func, ast.Name):
        given = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode")]
        mode = given[0].value if given and isinstance(given[0], ast.Constant) else "r"
        return "b" not in str(mode) and "encoding" not in named
    return False


@pytest.mark.parametrize("written", ["p.read_text()", "p.write_text(a)", "open(p)", "open(p, 'w')", "open(p, mode='a')",
                                     "subprocess.run(a, text=True)"])  # fmt: skip
def test_the_law_sees_what_it_forbids(written):
    assert reads_the_locale(ast.parse(written, mode="eval").body)


def test_no_text_is_read_or_written_in_the_locale_s_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}" for path in SOURCES for call in calls(path) if reads_the_locale(call)
    ]
    assert found == []


def test_progress_is_shown_nowhere_where_there_is_no_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress("a", 2) as bar:
        bar.update()
