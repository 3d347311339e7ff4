"""Fits a detector's thresholds to labelled images of one's own; verdicts then say how often they are wrong there.

    metaforge thresholds --model=detector --target=FOLDER --name='our studio' --fpr=.03 --fnr=.02 --out=studio

FOLDER/real and FOLDER/fake hold images of any size and format, of which the largest face is taken; with --crops they
are face crops already. Of real images like these at most the share --fpr is called fake, and of fakes at most --fnr
real, on average over such sets of images (split conformal prediction); what lies between is "cannot tell", and its
share is printed beside. Scores and calibration stay as they are. Give images that the detector was neither trained nor
adapted on, each person once: a hundred of each class at least for 1 %, 33 for 3 %. Thresholds for
`predict --engine=openvino-bfloat16` are fitted with that --engine.
"""

import dataclasses
from typing import NoReturn, cast

from metaforge.cli.predict import how_to_screen
from metaforge.commands import launch, start
from metaforge.screening.engine import Engine, engine_setting
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Of what, for what, how often wrong."""

    model: str = setting(..., "A saved detector, or a finished training run.", place="read")
    target: str = setting(..., "Folder with real/ and fake/ of the domain.", place="read")
    name: str = setting(..., "What the domain is called in verdicts.")
    out: str = setting(..., "Folder for the detector with these thresholds; must not exist yet.", place="folder")
    fpr: float = setting(0.03, "The share of its real images that may be called fake.", above=0, below=1)
    fnr: float = setting(0.02, "The share of its fakes that may be called real.", above=0, below=1)
    crops: bool = setting(False, "Whether its images are face crops already; otherwise faces are found.")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    engine: str = engine_setting()


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.bounds import check_bounds
        from metaforge.screening import save_detector
        from metaforge.screening.domain_thresholds import described, refitted
        from metaforge.screening.predicting import detector_in
        from metaforge.whole import claimed

        check_bounds(options)
        with claimed(options.out):
            made = detector_in(options.model, weights=options.weights)
            detector, found = refitted(
                made, options.target, name=options.name, fpr=options.fpr, fnr=options.fnr, crops=options.crops,
                engine=cast(Engine, options.engine),
            )  # fmt: skip
        save_detector(options.out, detector)
        print(described(detector, found))
        print(how_to_screen(options.out))
        return f"Wrote {options.out}: the detector with these thresholds."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
