"""Makes what reviewers say of verdicts into images to adapt a detector on.

    metaforge corrections --results=results.jsonl --sheet=corrections.csv
    metaforge corrections --results=results.jsonl --corrections=corrections.csv --images=FOLDER --out=corrected
    metaforge adapt --run=DETECTOR --target=corrected --shots=5 --out=adapted

The first call writes a sheet with a line a file, the most suspicious first. A reviewer writes into its column
`correction`: false positive, false negative, confirmed, or (of what nothing was said) real or fake; the column may stay
empty. `person` says who is on a picture, and `pair` which real file a fake was made from, if that is known. The second
call holds every line against the results, and copies the pictures to corrected/real and corrected/fake, which
metaforge adapt takes. A picture on which two lines disagree is left out, and named.
"""

import dataclasses
import shlex
import sys
from typing import NoReturn

from metaforge.commands import launch, program, start
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Of which results, what was said."""

    results: str = setting(..., "The results of metaforge screen (.jsonl).", place="read")
    sheet: str = setting("", "CSV file to write for reviewers; must not exist yet.", place="file")
    corrections: str = setting("", "What they said: that file, or records (.jsonl) of the same fields.", place="read")
    images: str = setting(".", "The folder that the names of the results are relative to.", place="read")
    out: str = setting("", "Folder for the corrected pictures; must not exist yet.", place="folder")
    shots: int = setting(5, "Labelled images a class that they must suffice for.", least=1, most=1_000_000)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.bounds import check_bounds
        from metaforge.errors import InputError
        from metaforge.screening.reviewing.corrections import read_corrections, write_sheet

        check_bounds(options)
        if bool(options.sheet) == bool(options.corrections):
            raise InputError("--corrections: give what reviewers said, or --sheet for one to fill in; one of the two.")
        if bool(options.corrections) != bool(options.out):
            raise InputError(
                "--out: corrected pictures go to a folder, and a sheet does not. Give it with --corrections."
            )
        if options.sheet:
            return f"Wrote {options.sheet}: {write_sheet(options.results, options.sheet)} files to look at."
        from metaforge.screening.reviewing.support import write_support

        found = read_corrections(options.corrections, options.results)
        for name, why in found.left:
            print(f"left out '{name}': it {why}.", file=sys.stderr)
        if not found.kept:
            raise InputError("--corrections: no correction can be used.")
        made = write_support(found.kept, options.out, images=options.images, shots=options.shots)
        target = shlex.quote(f"--target={options.out}")
        crops = " --crops" if made.crops else ""
        print(
            f"To adapt on them:\n  {program()} adapt --run=DETECTOR {target} --shots={options.shots}{crops} --out=NEW\n"
        )
        return f"Wrote {options.out}: {made.real} real and {made.fake} fake pictures."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
