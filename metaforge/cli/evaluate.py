"""Says how often a screen was right, with intervals, and whether that is enough.

    metaforge evaluate --results=results.jsonl --labels=labels.csv
    metaforge evaluate --model=adapted --target=FOLDER --out=evaluation.json

labels.csv has the columns file (as the results name it) and label (real or fake), perhaps person, by which intervals
are made, and perhaps domain: each domain then has tables of its own, and none are mixed. Without --labels the first
folder of a name says it, real/ or fake/. With --model the files of FOLDER/real and FOLDER/fake are judged first.

Accuracy, reals called fake, fakes called real and AUC are held against 95 %, 3 %, 2 % and 0.98: met, not met, or cannot
be told with so few images. Beside each rate stands the share of images of which nothing was said. The exit code does
not depend on the answer.
"""

from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.screening.reviewing.evaluate_options import Options


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.screening.reviewing.evaluating import markdown, run

        print(markdown(run(options)))
        return f"Wrote {options.out}, and its tables as .md." if options.out else ""

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
