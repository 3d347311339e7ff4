"""docs/serving.md says what there is: paths, settings and errors, all and no others; `test_watched` has metrics."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")

from metaforge.serving import routes
from metaforge.serving.errors import CODES
from metaforge.serving.options import Options

TEXT = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


def paths():
    """What the service answers, as (method, pattern)."""
    stand_in = SimpleNamespace(options=Options(model="m"), state=Path("state"), storage=None, adapters=None)
    for module in routes.ALL:
        for route in module.router(stand_in).routes:
            for method in getattr(route, "methods", None) or ():
                yield method, re.sub(r"\{[^}]*\}", "[^/]+", route.path)


def asked():
    """What the page asks with curl, as (method, path)."""
    lines = re.sub(r"\|\n\s+", "| ", TEXT)
    for line in re.findall(r"^    .*\bcurl (.*)$", lines, re.MULTILINE):
        words = shlex.split(line)
        (url,) = [word for word in words if word.startswith("http://")]
        method = words[words.index("-X") + 1] if "-X" in words else ""
        method = method or ("POST" if {"-F", "-d", "--data-binary"} & set(words) else "GET")
        yield method, "/" + url.split("/", 3)[3].split("?")[0]


def test_every_curl_asks_what_there_is():
    known = set(paths())
    found = list(asked())
    assert len(found) > 10
    for method, path in found:
        assert any(method == each and re.fullmatch(pattern, path) for each, pattern in known), (method, path)


def test_every_flag_is_one_of_the_command():
    docker = "--file --tag --rm --read-only --tmpfs --cap-drop --security-opt --memory --volume --pids-limit --publish"
    others = {*docker.split(), "--stop-timeout", "--now", "--help", "--data-binary", "--rounds", "--seconds", "--pause"}
    for flag in set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*", TEXT)) - others:
        assert hasattr(Options(model="m"), flag.removeprefix("--")), flag


def test_the_table_of_errors_is_that_of_the_service():
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", TEXT, re.MULTILINE)
    assert {code: int(status) for status, code in rows} == CODES
