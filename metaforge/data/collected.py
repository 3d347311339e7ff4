"""Real faces by collection, nobody in two of them."""

import csv
import re
from collections import defaultdict
from pathlib import Path

from metaforge.data.faces import load_faces
from metaforge.data.specs import CollectedFaces
from metaforge.errors import InputError
from metaforge.forgeries.base import Face

LEAST = 3
"""Collections: one is left out, and one more to choose by."""


def collected(
    faces: CollectedFaces, *, size: int, around: bool = False, quiet: bool = True
) -> tuple[dict[str, list[Face]], dict[str, int]]:
    """The faces of each collection, by name, and how many photographs each lost to another.

    Who is in two collections stays in the one with fewer people, so that nobody is on both sides of a fold.

    Args:
        faces: where they are, with flags that begin with "faces".

    Other Arguments:
        size: side of the crops in pixels.
        around: whether to keep what lies around them, to frame them anew.
        quiet: whether to show no progress.

    Raises:
        InputError: when there is no folder, a path or the table lacks what is asked of it, or there are fewer than
            three collections.
    """
    if not faces.folder:
        raise InputError("faces.folder: it is missing. Name a folder whose subfolders are collections.")
    if faces.people and faces.identity:
        raise InputError("faces.people: it and faces.identity are two ways to say who is who. Give one.")
    table = _table(faces.people) if faces.people else None
    loaded = load_faces(
        faces.folder, size=size, identity=faces.identity, landmarks=faces.landmarks, around=around, quiet=quiet
    ).faces
    if table is not None:
        loaded = [face._replace(identity=_person(table, face.name, faces.people)) for face in loaded]
    found: dict[str, list[Face]] = defaultdict(list)
    for face in loaded:
        found[_collection(faces.collection, face.name)].append(face)
    kept, lost = _apart(found)
    if len(kept) < LEAST:
        raise InputError(
            f"faces.collection={faces.collection}: finds {len(kept)} collections ({', '.join(kept)}). Give {LEAST} "
            "or more."
        )
    return kept, lost


def _apart(found: dict[str, list[Face]]) -> tuple[dict[str, list[Face]], dict[str, int]]:
    people = {name: {face.identity for face in mine} for name, mine in sorted(found.items())}
    home: dict[str, str] = {}
    for name in sorted(people, key=lambda name: len(people[name])):
        for person in people[name]:
            home.setdefault(person, name)
    kept = {name: [face for face in found[name] if home[face.identity] == name] for name in people}
    return kept, {name: len(found[name]) - len(kept[name]) for name in people}


def _collection(pattern: str, name: str) -> str:
    try:
        match = re.search(pattern, name)
    except re.error as error:
        raise InputError(f"faces.collection={pattern}: is not a regular expression ({error}).") from None
    if match is None or not match.lastindex or not match[1]:
        raise InputError(f"faces.collection={pattern}: finds no group in '{name}'. Put brackets around the collection.")
    return match[1]


def _table(path: str) -> dict[str, str]:
    """File to person, by a CSV."""
    if not Path(path).is_file():
        raise InputError(f"faces.people: no file '{path}'.")
    try:
        with open(path, newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"faces.people: '{path}' is no CSV in UTF-8 ({error}).") from None
    if not rows or not {"file", "person"} <= set(rows[0]):
        raise InputError(f"faces.people: '{path}' needs rows, and the columns file and person.")
    return {row["file"] or "": (row["person"] or "").strip() for row in rows}


def _person(table: dict[str, str], name: str, path: str) -> str:
    if not table.get(name):
        raise InputError(f"faces.people: '{path}' says nobody for '{name}'. Add the row, or leave the file out.")
    return table[name]
