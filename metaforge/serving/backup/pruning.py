"""Backups with a time in their names, of which only the newest are kept."""

import re
from pathlib import Path

from metaforge.errors import InputError
from metaforge.serving.backup.archive import read_manifest
from metaforge.serving.backup.making import service_of

_NAME = re.compile(r"metaforge-\d{8}T\d{6}Z\.tar")


def name_at(time: str) -> str:
    """What a backup of a time is called; names sort as times do.

    Example:
        >>> name_at("2026-01-02T03:04:05Z")
        'metaforge-20260102T030405Z.tar'
    """
    return f"metaforge-{re.sub('[-:]', '', time)}.tar"


def prune(folder: str | Path, *, state: str | Path, keep: int) -> list[Path]:
    """Deletes old backups of a service.

    What is called otherwise, is no file, cannot be read as a backup, or is of another service stays.

    Args:
        folder: of backups.

    Other Arguments:
        state: the service's folder.
        keep: how many stay.

    Returns:
        What was deleted.
    """
    ours = []
    for path in sorted(Path(folder).iterdir()):
        if _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            try:
                manifest = read_manifest(path)
            except (InputError, OSError):
                continue
            if manifest.service == service_of(state):
                ours.append(path)
    old = ours[: max(0, len(ours) - max(1, keep))]
    for path in old:
        path.unlink()
    return old
