"""Writes a backup of a state, while its service runs and people write."""

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metaforge.errors import InputError, printable
from metaforge.serving.backup import archive
from metaforge.serving.backup.manifest import Manifest, Part, whole_name
from metaforge.serving.databases import FILE as SQLITE
from metaforge.serving.databases import rows_of, url_of
from metaforge.serving.options import Options
from metaforge.serving.remembered import FILE, OWN, PLACES, as_text, plain, recall
from metaforge.serving.rows import as_line, moment
from metaforge.serving.storage import Storage, now
from metaforge.serving.tables import VERSION
from metaforge.whole import refuse_used, whole_file

_TRIES = 5


class _GoneError(Exception):
    """An adapter was deleted while it was read."""


def make(out: str | Path, *, state: str | Path, database: str = "", model: str = "") -> Manifest:
    """Writes a backup, whole or not at all, and reads it again.

    Args:
        out: the file; must not exist yet.

    Other Arguments:
        state: the service's folder.
        database: as the service was told.
        model: its detector, where its folder does not say it.

    Returns:
        What it holds.

    Raises:
        InputError: for what is no service's state, cannot be read, or does not fit together.
    """
    state = Path(state)
    refuse_used(out)
    settings = _settings(state, model)
    storage = _storage(state, database, settings)
    try:
        with whole_file(out, new=True) as made:
            for _ in range(_TRIES):
                with contextlib.suppress(_GoneError), tempfile.TemporaryDirectory(prefix="metaforge-") as folder:
                    _write(made, _found(state, settings, storage, Path(folder)), state, storage)
                    return archive.verify(made)
            raise InputError("backup: adapters were deleted faster than they could be read. Call it again.")
    finally:
        storage.close()


def service_of(state: str | Path) -> str:
    """By which the backups of one state are known."""
    return hashlib.sha256(os.fsencode(Path(state).resolve())).hexdigest()[:16]


def _settings(state: Path, model: str) -> dict[str, Any]:
    if not state.is_dir():
        raise InputError(f"state: '{state}' is no folder. Give the one that `metaforge serve` works in.")
    if not (state / FILE).is_file():
        if not model:
            raise InputError(f"state: '{state}' does not say which detector it is of. Name it with --model, or start "
                             "the service once.")  # fmt: skip
        return plain(Options(model=model)) | {name: value for name, value in OWN.items() if name != "tokens"}
    settings, _ = recall((state / FILE).read_bytes(), of=f"'{state / FILE}'")
    return settings | ({"model": str(Path(model).resolve()), "model_sha256": ""} if model else {})


def _storage(state: Path, database: str, settings: Mapping[str, Any]) -> Storage:
    if (rows := rows_of(database)) != settings["rows"]:
        told = settings["rows"] or f"'{SQLITE}' in its folder"
        raise InputError(f"database: this service keeps its rows in {told}. Name the same with --database or "
                         "METAFORGE_DATABASE, or neither.")  # fmt: skip
    if not rows and not (state / SQLITE).is_file():
        raise InputError(f"state: '{state}' has no {SQLITE}. Give the folder that `metaforge serve` works in.")
    return Storage(url_of(database, state))


class _Found(NamedTuple):
    """All parts by their names, the last number of feedback, and the adapters that are made."""

    files: dict[str, Path]
    last: int
    adapters: frozenset[str]


def _found(state: Path, settings: dict[str, Any], storage: Storage, folder: Path) -> _Found:
    """What there is; a folder has the parts that are made of rows and settings."""
    from metaforge.screening.verdicts.identity import model_sha256

    parts, kept, made = {}, settings | {"rows": ""}, []
    for place in PLACES:
        if settings[place]:
            path = Path(settings[place])
            kept[place] = f"{place}/{path.name}"
            parts |= _below(path, kept[place], flag=place)
    for place in ("model", "spare"):
        if settings[place]:
            sha256 = model_sha256(Path(settings[place]))
            if (ready := state / "models" / f"{sha256}.onnx").is_file():
                parts[f"models/{ready.name}"] = ready
            if place == "model":
                kept["model_sha256"] = sha256
    if settings["model_sha256"] not in ("", kept["model_sha256"]):
        raise InputError(f"model: '{settings['model']}' is no longer the detector that the service was started with. "
                         "Start the service again, or put the detector back.")  # fmt: skip
    with moment(storage) as rows:
        parts |= {name: folder / name for name in (FILE, "feedback.jsonl", "adapters.jsonl")}
        (folder / FILE).write_text(as_text(kept), encoding="utf-8")
        with open(folder / "feedback.jsonl", "wb") as file:
            file.writelines(map(as_line, rows.feedback))
        with open(folder / "adapters.jsonl", "wb") as file:
            for row in rows.adapters:
                if row["state"] == "done":
                    made.append(row["id"])
                    own = state / "adapters" / row["id"]
                    parts |= _below(own, f"adapters/{row['id']}", flag="state") if own.is_dir() else {}
                elif row["ended"] is None:  # its files are not all there yet
                    row |= {"report": None, "sha256": None, "about": None}
                file.write(as_line(row))
        return _Found(parts, rows.last, frozenset(made))


def _below(path: Path, name: str, *, flag: str) -> dict[str, Path]:
    """A file, or all in a folder, by their names in the backup."""
    if path.is_file():
        found = {name: path}
    elif path.is_dir():
        inside = sorted(path.rglob("*"))
        if links := [each for each in inside if each.is_symlink() and not each.is_file()]:
            raise InputError(f"{flag}: '{links[0]}' is a link to no file. Put what it means in its place.")
        found = {f"{name}/{each.relative_to(path).as_posix()}": each for each in inside if each.is_file()}
    else:
        raise InputError(f"{flag}: '{path}' is not there any more. Put it back, or start the service with another.")
    for each in found:
        if not whole_name(each):
            raise InputError(f"{flag}: '{printable(each)}' has a name that a backup cannot hold. Rename it.")
    return found


def _write(made: Path, found: _Found, state: Path, storage: Storage) -> None:
    files, last, names = found
    left = lambda: {row["id"] for row in storage.adapters()}
    try:
        space, size = shutil.disk_usage(made.parent).free, sum(path.stat().st_size for path in files.values())
        if size > space:
            raise InputError(f"out: '{made.parent}' has {space >> 20} MB free, and the backup takes {size >> 20}. Make "
                             "room.")  # fmt: skip
        parts = tuple(_part(name, files[name]) for name in sorted(files))
        manifest = Manifest(now(), _version(), service_of(state), VERSION, last, parts)
        with open(os.open(made, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as file:
            archive.write(file, manifest, lambda name: files[name].open("rb"))
    except FileNotFoundError:
        if names <= left():
            raise
        raise _GoneError from None
    # What is there now was there all the time: a row goes before its files.
    if not names <= left():
        raise _GoneError


def _part(name: str, path: Path) -> Part:
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Part(name, file.seek(0, io.SEEK_END), sha256)


def _version() -> str:
    import metaforge

    return metaforge.__version__
