"""Reports on one image or video: a page that says what was decided, why, and by which limits, and its record.

    metaforge report --model=adapted --image=portrait.jpg --out=report.html

The page needs no other file, no host and no script. Beside it stands report.json: the record, as `metaforge screen`
writes it, and the map of each face. Evidence is features of the face that are measured one by one, each with its own
AUC on collections left out; docs/evidence.md has those that failed, too. --evidence=false leaves it out.

The exit code is 0 if the file was judged, 3 if it could not be and the report says why, and 2 if no report was made.
"""

import dataclasses
from pathlib import Path
from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.screening.engine import engine_setting
from metaforge.settings import setting

UNJUDGED = 3
"""The exit code where the file could not be judged."""


@dataclasses.dataclass(frozen=True)
class Options:
    """On what, with what, and where to."""

    model: str = setting(..., "A saved detector, a file in ONNX, or a finished training run.", place="read")
    image: str = setting(..., "An image or a video.", place="read")
    out: str = setting(..., "The .html file to write; its record goes beside it.", place="file")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    crops: bool = setting(False, "Whether the image is a face crop already.")
    frames: int = setting(32, "Frames of a video, spread evenly.", least=1, most=100_000)
    engine: str = engine_setting()
    evidence: bool = setting(True, "Whether evidence is measured beside the score.")


def main(argv: list[str]) -> int:
    """The command."""
    judged = True

    def body(options: Options) -> str:
        nonlocal judged
        # What computes is imported where it is used, so that --help answers at once.
        from typing import cast

        from metaforge.errors import InputError, printable
        from metaforge.screening.engine import Engine
        from metaforge.screening.reporting.making import places_of, report
        from metaforge.screening.verdicts import screener

        file = Path(options.image)
        if file.is_dir():
            raise InputError(
                f"image: '{printable(options.image)}' is a folder. Give one file, or use metaforge screen."
            )
        places = places_of(options.out)
        made = screener(options.model, weights=options.weights, engine=cast(Engine, options.engine),
                        crops=options.crops, frames=options.frames, evidence=options.evidence)  # fmt: skip
        record = report(made, file, places)
        judged = record.error is None
        said = f"{record.decision}: {record.reason}" if record.error is None else f"not judged: {record.error.message}"
        return f"{printable(record.file)}: {said}\nWrote {options.out} and {places.record}."

    code = launch(argv, body, doc=__doc__ or "", options=Options())
    return UNJUDGED if code == 0 and not judged else code


def command() -> NoReturn:
    """The command as a program."""
    start(main)
