"""Writes real and forged images of a forgery method to a folder, as `metaforge adapt --target` takes it.

    metaforge forge --out=swaps --methods=swap
    metaforge forge --out=swaps --methods=swap --faces.folder=FOLDER --faces.image_size=160

For a rehearsal of what is done when a new kind of forgery is met: train without a method (`--faces.holdout=swap`),
then adapt to it. The people are by default those of the test split, whom no run on the same faces, with the same
`--faces.split_seed`, was trained or validated on. OUT/real and OUT/fake have a subfolder for each person; in a swap,
the person whose picture it was made of. OUT/pairs.csv says which real image each forged one was made from, so that
metaforge annotate --pairs=OUT can say where they differ.
"""

from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.training.forge_options import Options, Settings


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, settings: Settings) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.training.forging import run

        counts = run(options, settings)
        return f"Wrote {options.out}: {counts['real']} real and {counts['fake']} forged images."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Settings())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
