"""What is said at the end of a run of what was skipped for want of a program."""

import re
import sys
import types
from pathlib import Path

import pytest

from tests import programs
from tests.programs import HOW, lacking, program, reason


@pytest.mark.parametrize("name", HOW)
def test_what_was_skipped_is_said_once_with_how_to_have_it(monkeypatch, name):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(programs, "PLACES", "/nowhere")
    with pytest.raises(pytest.skip.Exception, match=f"needs {name}") as caught:
        program(name)
    report = lambda why: types.SimpleNamespace(longrepr=("test_a.py", 1, f"Skipped: {why}"))
    skipped = [report(caught.value.msg), report("not on this system"), report(caught.value.msg)]
    assert list(lacking(skipped)) == [f"2 tests were skipped for want of {name}. To run them, too: {HOW[name]}"]
    assert list(lacking([])) == []


def test_a_package_that_is_missing_is_said_likewise(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.serve", None)  # as one that is not installed
    with pytest.raises(pytest.skip.Exception, match="needs ray") as caught:
        pytest.importorskip("ray.serve", reason=reason("ray"))
    report = types.SimpleNamespace(longrepr=("test_a.py", 1, f"Skipped: {caught.value.msg}"))
    assert list(lacking([report])) == [
        "1 tests were skipped for want of ray. To run them, too: make test EXTRAS=dev,ray"
    ]


def test_the_newest_of_what_is_on_no_path_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(programs, "PLACES", f"{tmp_path}/*/bin")
    for version in ("9", "15"):
        made = tmp_path / version / "bin" / "postgres"
        made.parent.mkdir(parents=True)
        made.touch(mode=0o700)
    assert program("postgres") == str(tmp_path / "15" / "bin" / "postgres")


def test_continuous_integration_installs_every_one():
    script = (Path(__file__).parents[1] / ".ci" / "run").read_text(encoding="utf-8")
    listed = lambda name: re.search(rf"^{name}=\((.*)\)$", script, re.MULTILINE)[1].split()
    assert dict(zip(listed("programs"), listed("packages"), strict=True)) == {
        name: how.split()[-1] for name, how in HOW.items()
    }
