"""What is said at the end of a run of what was skipped for want of a program."""

import types

import pytest

from tests.programs import HOW, lacking, program


def test_what_was_skipped_is_said_once_with_how_to_have_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="needs chromium") as caught:
        program("chromium")
    report = lambda reason: types.SimpleNamespace(longrepr=("test_a.py", 1, f"Skipped: {reason}"))
    skipped = [report(caught.value.msg), report("not on this system"), report(caught.value.msg)]
    assert list(lacking(skipped)) == [f"2 tests were skipped for want of chromium. To run them, too: {HOW['chromium']}"]
    assert list(lacking([])) == []
