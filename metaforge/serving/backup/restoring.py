"""Makes a backup a service's state again: it is held against its hashes first, then written, whole or not at all."""

import dataclasses
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from metaforge.commands.parsing import flags_of
from metaforge.errors import InputError, printable
from metaforge.serving.backup import archive
from metaforge.serving.backup.manifest import Manifest
from metaforge.serving.databases import FILE as SQLITE
from metaforge.serving.databases import rows_of, sqlite_url, url_of
from metaforge.serving.options import Options
from metaforge.serving.remembered import FILE, OWN, PLACES, as_text, recall
from metaforge.serving.rows import LONGEST, empty, fill, from_lines, is_empty
from metaforge.serving.storage import Storage
from metaforge.serving.tables import ADAPTERS, FEEDBACK, VERSION
from metaforge.whole import whole_folder

_ROWS = {"feedback.jsonl": FEEDBACK, "adapters.jsonl": ADAPTERS}
_KNOWN = re.compile(rf"{re.escape(FILE)}|feedback\.jsonl|adapters\.jsonl|models/[0-9a-f]{{64}}\.onnx|"
                    rf"({'|'.join(PLACES)})/.+|adapters/[0-9a-f]{{16}}/.+")  # fmt: skip
_MUCH = 1 << 20  # of settings


class Restored(NamedTuple):
    """What became of a backup.

    Attributes:
        manifest: what it held.
        command: by which the service is started on it.
        tokens: whether it had tokens, which are in no backup.
        left_out: settings that this program does not know.
    """

    manifest: Manifest
    command: str
    tokens: bool
    left_out: list[str]


def restore(path: str | Path, *, state: str | Path, database: str = "", sha256: str = "") -> Restored:
    """Makes a state of a backup.

    Args:
        path: the backup.

    Other Arguments:
        state: a folder that does not exist yet, or is empty.
        database: that feedback and adapters go into, which must be empty; a file in the folder if left out.
        sha256: of the manifest, as `metaforge backup` printed it; "" for whatever it is.

    Raises:
        InputError: for a backup that is not whole, is another than `sha256` says, or holds what no service wrote, and
            for places that are taken; nothing is written then.
    """
    state = Path(state)
    if state.exists() and (not state.is_dir() or any(state.iterdir())):
        raise InputError(f"state: '{state}' exists already. Choose another --state; nothing was overwritten.")
    manifest = archive.verify(path)
    _check(manifest, path, sha256)
    space, size = _space(state), sum(part.bytes for part in manifest.parts)
    if 2 * size > space:  # rows are written as they came, and into the database
        raise InputError(f"state: there are {space >> 20} MB free for '{state}', and restoring takes up to "
                         f"{2 * size >> 20}. Make room.")  # fmt: skip
    rows = rows_of(database)
    storage = Storage(url_of(database, state)) if rows else None
    filled = False
    try:
        if storage is not None:
            storage.claim()
            if not is_empty(storage):
                raise InputError(f"database: '{storage.shown}' has rows already. Name an empty one.")
        with whole_folder(state) as made:
            made.chmod(0o700)
            _unpack(path, manifest, made)
            settings, left_out = _settings(made, manifest, path)
            target = storage or Storage(sqlite_url(made / SQLITE))
            try:
                found = {name: from_lines(_lines(made / name), table, of=name) for name, table in _ROWS.items()}
                fill(target, found["feedback.jsonl"], _adapters(found["adapters.jsonl"]), last=manifest.last)
                filled = storage is not None
            except SQLAlchemyError:
                raise InputError(f"backup: '{path}' holds rows that the database does not take. Nothing was "
                                 "taken.") from None  # fmt: skip
            finally:
                if storage is None:
                    target.close()
            for name in _ROWS:
                (made / name).unlink()
            settings |= {place: str(state.absolute() / settings[place]) for place in PLACES if settings[place]}
            (made / FILE).write_text(as_text(settings | {"rows": rows}), encoding="utf-8")
            _onto_disk(made)
    except BaseException:
        if filled and storage is not None:
            empty(storage)
        raise
    finally:
        if storage is not None:
            storage.close()
    return Restored(manifest, _command(settings, state, database), settings["tokens"], left_out)


def _check(manifest: Manifest, path: str | Path, sha256: str) -> None:
    if sha256 not in ("", manifest.sha256):
        raise InputError(f"sha256: '{path}' is another backup than the one of this hash. Nothing was taken.")
    if manifest.schema != VERSION:
        raise InputError(f"backup: '{path}' holds rows of version {manifest.schema}, and this program reads {VERSION}. "
                         "Take the program that wrote it.")  # fmt: skip
    names = {part.name for part in manifest.parts}
    if odd := sorted(name for name in names if not _KNOWN.fullmatch(name)):
        raise InputError(f"backup: '{path}' holds '{printable(odd[0])}', which no service keeps. Nothing was taken.")
    if missing := sorted({FILE, *_ROWS} - names):
        raise InputError(f"backup: '{path}' has no {missing[0]}. Take another; nothing was taken.")


def _space(state: Path) -> int:
    above = next(each for each in (state.absolute(), *state.absolute().parents) if each.is_dir())
    return shutil.disk_usage(above).free


def _unpack(path: str | Path, manifest: Manifest, made: Path) -> None:
    again = []
    for part, pieces in archive.parts_of(path):
        target = made / part.name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.writelines(pieces)
        again.append(part)
    if tuple(again) != manifest.parts:
        raise InputError(f"backup: '{path}' was changed while it was read. Nothing was taken.")


def _settings(made: Path, manifest: Manifest, path: str | Path) -> tuple[dict[str, Any], list[str]]:
    """The settings, whose places are parts of the backup, and the detector the one that they name."""
    from metaforge.screening.verdicts.identity import model_sha256

    if (made / FILE).stat().st_size > _MUCH:
        raise InputError(f"backup: the settings in '{path}' are none that a service wrote.")
    settings, left_out = recall((made / FILE).read_bytes(), of=f"'{path}'")
    for place in PLACES:
        inside = {part.name for part in manifest.parts if part.name.startswith(f"{place}/")}
        top = {"/".join(name.split("/")[:2]) for name in inside}
        if top != ({settings[place]} if settings[place] else set()):
            raise InputError(f"backup: '{path}' has not what its settings call `{place}`. Nothing was taken.")
    if model_sha256(made / settings["model"]) != settings["model_sha256"]:
        raise InputError(f"backup: the detector in '{path}' is another than its settings say. Nothing was taken.")
    return settings, left_out


def _lines(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while line := file.readline(LONGEST + 1):
            yield line


def _adapters(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of adapters, whose names become paths and whose parts the service reads without looking."""
    for row in rows:
        done, about, report = row["state"] == "done", row["about"], row["report"]
        asked = row["asked"] if isinstance(row["asked"], dict) else {}
        good = re.fullmatch(r"[0-9a-f]{16}", row["id"]) and row["state"] in _STATES
        good = good and {"shots", "force", "crops"} <= set(asked) and isinstance(row["images"], dict)
        good = good and (report is None or isinstance(report, dict)) and (about is None or isinstance(about, dict))
        if done:
            good = good and report and about and "regions" in about
            good = good and re.fullmatch(r"[0-9a-f]{64}", row["sha256"] or "")
        if not good:
            raise InputError("backup: adapters.jsonl holds an adapter that no service wrote. Nothing was taken.")
        yield row


_STATES = ("queued", "running", "done", "failed", "cancelled")


def _onto_disk(folder: Path) -> None:
    for each in (folder, *folder.rglob("*")):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _command(settings: dict[str, Any], state: Path, database: str) -> str:
    own: dict[str, Any] = {name: value for name, value in settings.items() if name not in OWN}
    options = dataclasses.replace(Options(**own), state=str(state), database=database)
    tokens = ["--tokens=FILE"] if settings["tokens"] else []
    usual = Options(model="")
    return shlex.join(["metaforge", "serve"]) + " " + " ".join([*flags_of(options, usual), *tokens])
