"""Programs of the system that some tests start, and what is said where one is missing."""

import collections
import glob
import shutil

import pytest

_APT = "apt-get install --no-install-recommends"
HOW = {"chromium": f"{_APT} chromium", "postgres": f"{_APT} postgresql", "promtool": f"{_APT} prometheus"}
"""Each program that tests ask for, and how to have it on Debian."""

PLACES = "/usr/lib/postgresql/*/bin"
"""Where Debian puts programs that are on nobody's PATH, as a pattern."""


def program(name):
    """The path of a program of `HOW`; whatever asks for one that is not there is skipped."""
    found = shutil.which(name) or next(filter(None, (shutil.which(name, path=each) for each in _places())), None)
    if found is None:
        pytest.skip(_reason(name))
    return found


def lacking(skipped):
    """One line for each program for want of which tests were skipped: how many they are, and how to have it.

    Args:
        skipped: the reports of skipped tests.
    """
    said = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple)]
    counts = collections.Counter(said)
    for name, how in HOW.items():
        if count := counts[_reason(name)]:
            yield f"{count} tests were skipped for want of {name}. To run them, too: {how}"


def _places():
    return sorted(glob.glob(PLACES), key=lambda path: [int(part) for part in path.split("/") if part.isdigit()])[::-1]


def _reason(name):
    return f"needs {name}, which is not installed"
