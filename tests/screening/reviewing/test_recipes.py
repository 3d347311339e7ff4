"""The recipes of docs/screening.md are commands that there are, with flags that they have."""

import importlib
import re
import shlex
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "screening.md").read_text(encoding="utf-8")


def test_every_flag_that_a_recipe_gives_is_one_of_its_command():
    printed = re.findall(r"^    (?:.*\| )?(metaforge .*)$", PAGE, re.MULTILINE)
    assert len(printed) > 12
    for line in printed:
        _, name, *flags = shlex.split(line)
        options = importlib.import_module(f"metaforge.cli.{name}").Options
        known = {field.name for field in options.__dataclass_fields__.values()}
        given = {flag.removeprefix("--").partition("=")[0] for flag in flags}
        assert given <= known, line


def test_the_page_names_every_field_of_a_record_and_of_a_correction():
    from metaforge.screening.reviewing.corrections import COLUMNS
    from metaforge.screening.verdicts.record import FaceVerdict, FileVerdict

    formats = PAGE[PAGE.index("## Formats") :]
    named = set(re.findall(r"`(\w+)`", formats))
    assert {"version", *FileVerdict._fields, *FaceVerdict._fields} <= named
    assert {*COLUMNS} <= named
