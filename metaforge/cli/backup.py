"""Writes what a service needs to another file: its detector, thresholds, adapters, feedback and settings.

    metaforge backup --state=runs/serve --out=backup.tar
    metaforge backup --state=runs/serve --folder=backups --keep=14

The service may run meanwhile: the backup is of one moment. It is a tar whose manifest has the SHA-256 of every part. It
is written whole or not at all, read again, and the manifest's SHA-256 is printed. With --folder it is called by its
time, and of the backups of this state that lie there --keep stay. Tokens and the database's password are in no backup,
nor are the images of adaptations that wait. docs/operations.md says how to restore one.
"""

import dataclasses
from pathlib import Path
from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """From where, to where."""

    state: str = setting(..., "Folder that the service works in.", place="read")
    out: str = setting("", "File for the backup; must not exist yet.", place="file")
    folder: str = setting("", "Folder for backups that are called by their times; made if missing.", place="folder")
    keep: int = setting(0, "Backups of this state that stay in --folder; 0 for all.", most=100_000)
    database: str = setting("", "URL of the service's database, as it was told; METAFORGE_DATABASE's if left out.")
    model: str = setting("", "The service's detector, where --state does not say it.", place="read")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        if bool(options.out) == bool(options.folder):
            raise InputError("--out, --folder: give --out, a file to write, or --folder, and not both.")
        if options.keep and not options.folder:
            raise InputError("--keep: it needs --folder.")
        try:
            from metaforge.serving.backup import making, pruning
        except ImportError as error:
            raise InputError(f"backup: {error.name} is not installed. Install the extra: pip install "
                             "'metaforge-jax[serve]'.") from None  # fmt: skip

        from metaforge.serving.storage import now

        out = options.out or str(Path(options.folder) / pruning.name_at(now()))
        found = making.make(out, state=options.state, database=options.database, model=options.model)
        pruned = pruning.prune(options.folder, state=options.state, keep=options.keep) if options.keep else []
        for path in pruned:
            print(f"Deleted {path}.")
        size = Path(out).stat().st_size
        print(f"SHA-256 of its manifest: {found.sha256}")
        return f"Wrote {out}: {len(found.parts)} parts, {size / 1e6:.1f} MB."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
