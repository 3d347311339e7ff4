"""Writes the detector of a finished training run to a folder of its own, as it was trained.

    metaforge export --run=runs/daml --out=detector

The folder holds what screening (`metaforge predict --model`) and adapting (`metaforge adapt --run`) need, and is
what to pass on: parameters, without checkpoints, optimizer and log; source images only where they normalise what is
scored; of a network whose weights come from a file, what that file does not hold.
"""

import dataclasses
from pathlib import Path
from typing import NoReturn

from metaforge.cli.predict import how_to_screen
from metaforge.commands import launch, start
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """From where, to where."""

    run: str = setting(..., "A finished training run.", place="read")
    out: str = setting(..., "Folder for the detector; must not exist yet.", place="folder")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.screening import from_run, save_detector

        save_detector(options.out, from_run.detector(from_run.load_run(options.run)))
        size = sum(file.stat().st_size for file in Path(options.out).rglob("*") if file.is_file())
        print(how_to_screen(options.out))
        return f"Wrote {options.out}: {size / 2**20:.1f} MiB."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
