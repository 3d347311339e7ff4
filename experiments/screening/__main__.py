"""Screens up to a million files: how fast, in how much memory, and whether a kill loses or repeats any.

    python -m experiments.screening --faces=FOLDER --model=docs/strong/detector --workdir=runs/many --out=many.json

Photographs are repeated by hard links, so that a million names cost no million pictures. They all lie in one folder.
The long screens have no network: what judges reads each file, takes its SHA-256, and makes a record of the usual form.
So they measure all that is not the network: listing, handing out, writing, going on, the page and the table. One of
them is killed (SIGKILL) again and again, and must end as the one that nobody killed. Fewer files are judged by a real
detector, by threads and by Ray Data, whose records must be equal.
"""

from experiments.screening.config import Config, Options
from metaforge.commands import launch, start
from metaforge.whole import refuse_used


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        refuse_used(options.out)
        from experiments.screening.running import run
        from experiments.screening.table import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config())


if __name__ == "__main__":
    start(main)
