"""Every package that an extra installs stands in docs/licences.md, with a licence that is known and allowed."""

import re

import pytest
from packaging.utils import canonicalize_name

from docs import write_licences

WRITTEN = write_licences.PAGE.read_text(encoding="utf-8")
LINES = [[cell.strip() for cell in line.split("|")[1:-1]] for line in WRITTEN.splitlines() if line.startswith("| ")]
ALLOWED = {
    "0BSD", "AFL-2.1", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "LGPL-3.0-only", "MIT",
    "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib", "Matplotlib's own, after PSF-2.0",
}  # fmt: skip


def test_what_is_asked_for_is_listed_as_the_script_writes_it():
    listed = {cells[0]: cells for cells in LINES if len(cells) == 5}
    for row in write_licences.rows():
        assert listed.pop(row.name) == [row.name, row.versions or "?", row.extras, row.licence, row.home]
    assert [*listed] == ["Package", "---"]


def test_every_dependency_of_pyproject_is_among_them():
    text = (write_licences.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    part = text[text.index("\ndependencies = [") : text.index("\ndescription")]
    part += text[text.index("[project.optional-dependencies]") : text.index("[tool.")]
    named = {canonicalize_name(name) for name in re.findall(r'"([A-Za-z0-9._-]+)[\[=<>]?[^"]*"', part)}
    assert len(named) > 40
    assert named == {canonicalize_name(row.name) for row in write_licences.rows()}


def test_what_those_bring_along_is_listed():
    listed = {cells[0] for cells in LINES if len(cells) == 2}
    assert listed >= {name for name, _ in write_licences.brought_along()}
    assert {"starlette", "pydantic", "h11", "jaxlib"} <= listed


@pytest.mark.parametrize("cells", [cells for cells in LINES if cells[0] not in ("Package", "---")], ids=lambda c: c[0])
def test_each_has_a_licence_that_is_known_and_allowed(cells):
    licence = cells[3] if len(cells) == 5 else cells[1]
    assert {*re.split(r" AND | OR ", licence)} <= ALLOWED


def test_a_package_that_nobody_knows_has_no_licence():
    assert write_licences.about("no-such-package-as-this") == ("", "")
