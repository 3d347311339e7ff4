"""Says of each image where the face may be forged: a sentence, regions with probabilities, and a map over the picture.

    metaforge explain --model=runs/explaining/detector --images=PATH --out=explained

PATH is an image or a folder of images. The largest face of each is looked at. OUT gets `explanations.jsonl`, an object
a line, and a PNG of each picture with the map over it in `overlays/`. Of an image that the detector calls real no
region is named. Where is asked without the real image that a forgery was made from, so it is evidence and no proof:
docs/explaining.md says what it is worth, and why none ships: python -m experiments.explaining makes a detector that
has a region head. With `--crops` the images are face crops already.
"""

import dataclasses
import json
from pathlib import Path
from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.places import refuse_inside
from metaforge.settings import setting
from metaforge.whole import claimed, whole_folder


@dataclasses.dataclass(frozen=True)
class Options:
    """Which images, by which detector."""

    model: str = setting(..., "A saved detector with a region head.", place="read")
    images: str = setting(..., "An image, or a folder of images.", place="read")
    out: str = setting(..., "Folder to write; must not exist yet.", place="folder")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    crops: bool = setting(False, "Whether the images are face crops already.")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.screening.explaining.files import explained, loaded

        refuse_inside("out", options.out, options.images, of="images")
        detector = loaded(options.model, weights=options.weights)
        with claimed(options.out), whole_folder(options.out) as made:
            count = 0
            with open(made / "explanations.jsonl", "w", encoding="utf-8", errors="surrogateescape") as file:
                for row, overlay in explained(detector, Path(options.images), crops=options.crops):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    if overlay is not None:
                        place = made / row["overlay"]
                        place.parent.mkdir(parents=True, exist_ok=True)
                        overlay.save(place)
                    count += 1
        return f"Wrote {options.out}: {count} explanations."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
