"""Screens any number of images and videos: a record a file, in JSON, with its verdict.

    metaforge screen --model=adapted --images=FOLDER --out=results.jsonl --page --triage=triage.csv

--images is a folder; a pattern, such as 'archive/**/*.jpg'; a list of names (.txt), one a line; or - for names from
standard input, which are judged as they come. Each record is written as soon as it is known; docs/verdicts.md says what
stands in it. A file that cannot be judged has a record whose `error` says why, and does not stop the others. Called
again after an interruption, it goes on where it was; no file is judged twice. Files that --priority names are judged
first: a pattern, or a list that may grow meanwhile. --page writes a page of all results beside them, and --triage a
table, the most suspicious first.

The exit code is 0 if every file was judged, 3 if some have an error, and 2 if the work could not begin or go on.
"""

import sys
from typing import TYPE_CHECKING, NoReturn

from metaforge.commands import launch, start
from metaforge.screening.batches.options import Options

if TYPE_CHECKING:
    from metaforge.screening.batches.running import Screened

SOME = 3
"""The exit code where some files could not be judged."""


def main(argv: list[str]) -> int:
    """The command."""
    errors = 0

    def body(options: Options) -> str:
        nonlocal errors
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.screening.batches.running import run

        found = run(options)
        errors = found.counts.get("error", 0)
        say(found)
        return told(found, options.out)

    code = launch(argv, body, doc=__doc__ or "", options=Options(), resumes=True)
    return SOME if code == 0 and errors else code


def told(found: "Screened", out: str) -> str:
    """What was done, in a line or two."""
    counts = ", ".join(f"{found.counts.get(name, 0)} {name}" for name in ("fake", "cannot tell", "real"))
    whole = sum(found.counts.values())
    before = f", {found.before} of them before" if found.before else ""
    errors = f", {found.counts['error']} with an error" if found.counts.get("error") else ""
    return f"{out}: {whole} {'file' if whole == 1 else 'files'}{before}: {counts}{errors}."


def say(found: "Screened") -> None:
    """What is amiss goes to standard error."""
    if found.amiss:
        print(found.amiss, file=sys.stderr)
    for ending, count in sorted(found.left_out.items()):
        files, end = ("file", "that ends") if count == 1 else ("files", "that end")
        ends = f"{end} in '{ending}'" if ending else "whose name has no ending"
        print(f"left out {count} {files} {ends}: no image and no video is called so.", file=sys.stderr)


def command() -> NoReturn:
    """The command as a program."""
    start(main)
