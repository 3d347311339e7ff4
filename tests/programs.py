"""Programs of the system and packages that some tests ask for, and what is said where one is missing."""

import collections
import glob
import shutil

import pytest

_APT = "apt-get install --no-install-recommends"
HOW = {"chromium": f"{_APT} chromium", "postgres": f"{_APT} postgresql", "promtool": f"{_APT} prometheus"}
"""Each program that tests ask for, and how to have it on Debian."""

MODULES = {"ray": "make test EXTRAS=dev,ray"}
"""Each package beyond `dev` that tests ask for, and how to have it."""

PLACES = "/usr/lib/postgresql/*/bin"
"""Where Debian puts programs that are on nobody's PATH, as a pattern."""


def program(name):
    """The path of a program of `HOW`; whatever asks for one that is not there is skipped."""
    found = shutil.which(name) or next(filter(None, (shutil.which(name, path=each) for each in _places())), None)
    if found is None:
        pytest.skip(reason(name))
    return found


def lacking(skipped):
    """One line for each program and package for want of which tests were skipped: how many, and how to have it.

    Args:
        skipped: the reports of skipped tests.
    """
    said = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple)]
    counts = collections.Counter(said)
    for name, how in {**HOW, **MODULES}.items():
        if count := counts[reason(name)]:
            yield f"{count} tests were skipped for want of {name}. To run them, too: {how}"


def _places():
    return sorted(glob.glob(PLACES), key=lambda path: [int(part) for part in path.split("/") if part.isdigit()])[::-1]


def reason(name):
    """Why tests are skipped that ask for a program or a package that is not there."""
    return f"needs {name}, which is not installed"
