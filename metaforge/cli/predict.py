"""Screens images with a saved detector: a CSV of file and probability of being fake.

    metaforge predict --model=adapted --images=PATH > scores.csv

PATH is an image or a folder; images should be face crops. `--model` is the --out folder of metaforge adapt, or a
finished training run, which then is not adapted. Files that cannot be read are named on standard error.
"""

import csv
import dataclasses
import io
import os
import shlex
import sys
from typing import NoReturn

from metaforge.commands import launch, program, start
from metaforge.settings import setting
from metaforge.whole import refuse_used, whole_file


@dataclasses.dataclass(frozen=True)
class Options:
    """What to screen with what."""

    model: str = setting(..., "A saved detector, or a finished training run.", place="read")
    images: str = setting(..., "An image, or a folder of images.", place="read")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    out: str = setting("", "CSV file to write; standard output if left out.", place="file")


def how_to_screen(model: str) -> str:
    """What a command that has written a detector says of what to do with it."""
    return f"To screen images with it:\n  {program()} predict {shlex.quote(f'--model={model}')} --images=PATH\n"


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.screening.predicting import run

        if options.out:
            refuse_used(options.out)
        rows, skipped = run(options.model, options.images, weights=options.weights)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["file", "p_fake"])
        writer.writerows((name, f"{p_fake:.6f}") for name, p_fake in rows)
        if options.out:
            with whole_file(options.out, new=True) as made:
                made.write_bytes(os.fsencode(text.getvalue()))  # the names have the bytes that the files' names have
        else:
            print(text.getvalue(), end="")
        for skip in skipped:
            print(f"skipped {skip.path}: {skip.reason}", file=sys.stderr)
        return f"Wrote {options.out}: {len(rows)} images." if options.out else ""

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
