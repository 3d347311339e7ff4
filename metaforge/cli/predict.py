"""Screens images with a saved detector: a CSV table with a row for each face, and its probability of being fake.

    metaforge predict --model=adapted --images=PATH > scores.csv

PATH is an image, a video or a folder of both, as they are: faces are found in them and cropped as the detector was
trained. In a video each person is followed, and judged by all frames that show that person. Columns: file; p_fake;
face, its number in the file, the largest first; x0, y0, x1, y1, its box in pixels; note, such as small, cut off,
blurred, or why there is no score; frames, those of a video that were scored; familiarity, the share of the images
of its training that are at least as unusual; decision: real, cannot tell or fake; reason, why. A detector that is not
calibrated decides at 0.5 and knows no familiarity. With `--crops` the images are face crops already, and none is looked
for; the folders of metaforge forge and metaforge prepare say so themselves.
`--model` is the --out folder of metaforge adapt, or a finished training run, which then is not adapted; or a file that
metaforge export --onnx wrote, which ONNX Runtime runs without JAX, or with `--engine=openvino` OpenVINO. `--engine`
does so with a folder's detector too.
"""

import csv
import dataclasses
import itertools
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO, cast

from metaforge.commands import launch, program, start
from metaforge.screening.engine import engine_setting
from metaforge.settings import setting
from metaforge.whole import refuse_used, whole_file

if TYPE_CHECKING:
    from metaforge.screening.engine import Engine
    from metaforge.screening.predicting import Row

COLUMNS = ("file", "p_fake", "face", "x0", "y0", "x1", "y1", "note", "frames", "familiarity", "decision", "reason")


@dataclasses.dataclass(frozen=True)
class Options:
    """What to screen with what."""

    model: str = setting(..., "A saved detector, a file in ONNX, or a finished training run.", place="read")
    images: str = setting(..., "An image, a video, or a folder of them.", place="read")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    crops: bool = setting(False, "Whether the images are face crops already.")
    frames: int = setting(32, "Frames of each video, spread evenly.", least=1, most=100_000)
    engine: str = engine_setting()
    workers: int = setting(2, "Threads that read images and find faces.", least=1, most=256)
    out: str = setting("", "CSV file to write; standard output if left out.", place="file")


def how_to_screen(model: str) -> str:
    """What a command that has written a detector says of what to do with it."""
    return f"To screen images with it:\n  {program()} predict {shlex.quote(f'--model={model}')} --images=PATH\n"


def write(file: TextIO, rows: "Iterable[Row]") -> dict[str, int]:
    """Writes the table, a row as soon as it is known, and says how many rows have a score and how many have none."""
    writer = csv.writer(file)
    counts = {"scored": 0, "unscored": 0}
    rows = iter(rows)
    # What cannot work at all is said before anything is written.
    first = list(itertools.islice(rows, 1))
    writer.writerow(COLUMNS)
    for row in itertools.chain(first, rows):
        box = [f"{side:.1f}" for side in row.box] or [""] * 4
        score = "" if row.p_fake is None else f"{row.p_fake:.6f}"
        said = row.verdict
        known = "" if said is None or said.familiarity is None else f"{said.familiarity:.4f}"
        verdict = [known, said.decision if said else "", said.reason if said else ""]
        writer.writerow([row.file, score, row.face or "", *box, row.note, " ".join(map(str, row.frames)), *verdict])
        counts["unscored" if row.p_fake is None else "scored"] += 1
        file.flush()
    return counts


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.data.folders import listed
        from metaforge.data.formats import VIDEOS
        from metaforge.screening.predicting import run

        if options.out:
            refuse_used(options.out)
        rows, amiss = run(
            options.model, options.images, weights=options.weights, crops=options.crops, workers=options.workers,
            frames=options.frames, engine=cast("Engine", options.engine),
        )  # fmt: skip
        files, skipped = listed(options.images, more=VIDEOS) if Path(options.images).is_dir() else (None, [])
        if amiss:
            print(amiss, file=sys.stderr)
        if not options.out:
            # The names have the bytes that the files' names have.
            sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
            counts = write(sys.stdout, rows(files=files))
        else:
            with whole_file(options.out, new=True) as made, open(made, "w", encoding="utf-8", errors="surrogateescape",
                                                                 newline="") as file:  # fmt: skip
                counts = write(file, rows(files=files))
        if counts["unscored"]:
            files = "1 file has" if counts["unscored"] == 1 else f"{counts['unscored']} files have"
            print(f"{files} no score; the column note says why.", file=sys.stderr)
        for skip in skipped:
            print(f"skipped {skip.path}: {skip.reason}", file=sys.stderr)
        return f"Wrote {options.out}: {counts['scored']} scores." if options.out else ""

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
