"""Programs of the system that some tests start, and what is said where one is missing."""

import collections
import shutil

import pytest

HOW = {"chromium": "apt-get install --no-install-recommends chromium"}
"""Each program that tests ask for, and how to have it on Debian."""


def program(name):
    """The path of a program of `HOW`; whatever asks for one that is not there is skipped."""
    found = shutil.which(name)
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


def _reason(name):
    return f"needs {name}, which is not installed"
