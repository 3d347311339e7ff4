"""Says of pairs of a real face and its forgery where and how they differ: a JSON object a pair, and its mask.

    metaforge annotate --pairs=FOLDER --out=annotations.jsonl --masks=masks

FOLDER holds real/ and fake/, or real/ and fake/METHOD/, with a forged image called as the real one that it was made
from, but for the suffix. Or metaforge forge wrote it; or it is a prepared data set, whose manifest says what belongs
together; or a .csv file with columns real and fake. The largest face of the real image is found, and both images are
cut out around it; with --crops, in folders that `metaforge prepare` wrote and in those that say so themselves they are
crops already. docs/annotating.md lists the fields of a record. A pair that cannot be annotated has a record with the
reason. Called again after an interruption, it goes on where it was. Looking for faces needs the extra `faces`;
--landmarks=none does without, and then names no parts.
"""

import sys
from typing import Any, NoReturn

from metaforge.captions.annotating.options import Config, Options
from metaforge.commands import launch, start
from metaforge.whole import refuse_as_png


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.captions.annotating.running import run

        if options.sheet:
            refuse_as_png(options.sheet)
        report = run(options, config)
        say(report)
        if options.sheet:
            from metaforge.captions.annotating.sheet import write_sheet

            write_sheet(options, config)
        if report.get("whole_already"):
            return f"{options.out} is whole already: {report['asked']['count']} pairs. It was not written again."
        return f"Wrote {options.out}: {report['asked']['count']} pairs."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config(), resumes=True)


def say(report: dict[str, Any]) -> None:
    """Prints how often which answer was given; what is amiss goes to standard error."""
    print(", ".join(f"{answer} {count}" for answer, count in report["answers"].items()))
    if report["mask_iou"]:
        print(f"IoU with {report['mask_iou']['pairs']} exact masks: {report['mask_iou']['mean']:.3f} on average.")
    for answer, first in report["first"].items():
        count = report["answers"][answer]
        print(f"{answer}: {count} pair{'s' * (count > 1)}; the first, {first}", file=sys.stderr)
    if report["alone"]:
        print(f"{report['alone']} real images have no forgery here.", file=sys.stderr)
    for line in report["left_out"]:
        print(f"skipped {line}", file=sys.stderr)


def command() -> NoReturn:
    """The command as a program."""
    start(main)
