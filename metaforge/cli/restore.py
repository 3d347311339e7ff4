"""Makes a service's state of a backup that `metaforge backup` wrote, and says how to start the service on it.

    metaforge restore --backup=backup.tar --state=runs/again

The whole file is held against its hashes first; one that is damaged, cut off or changed is refused, and nothing is
written. --sha256 holds it against the hash that `metaforge backup` printed, which nobody can forge with the file alone.
Feedback and adapters go to a file in --state, or to the empty database that --database or METAFORGE_DATABASE names;
from which kind they came makes no difference. Tokens are in no backup: name your file of them when you start it.
"""

import dataclasses
import re
from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.errors import InputError, printable
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """From where, to where."""

    backup: str = setting(..., "File that `metaforge backup` wrote.", place="read")
    state: str = setting(..., "Folder for the service to work in; must not exist yet, or be empty.", place="folder")
    database: str = setting("", "URL of an empty database; METAFORGE_DATABASE's, or a file in --state, if left out.")
    sha256: str = setting("", "SHA-256 of the manifest, as `metaforge backup` printed it.")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        if options.sha256 and not re.fullmatch("[0-9a-f]{64}", options.sha256):
            raise InputError("--sha256: give 64 hexadecimal digits, as `metaforge backup` printed them.")
        try:
            from metaforge.serving.backup.restoring import restore
        except ImportError as error:
            raise InputError(f"restore: {error.name} is not installed. Install the extra: pip install "
                             "'metaforge-jax[serve]'.") from None  # fmt: skip

        done = restore(options.backup, state=options.state, database=options.database, sha256=options.sha256)
        if done.left_out:
            print(f"Settings that this program does not know were left out: {printable(', '.join(done.left_out))}")
        if done.tokens:
            print("The service had tokens, which are in no backup: name your file of them.")
        print(f"Start it with: {done.command}")
        return f"Restored the backup of {done.manifest.created} to {options.state}: {len(done.manifest.parts)} parts."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
