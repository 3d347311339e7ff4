"""Writes the detector of a finished training run to a folder of its own, as it was trained, or as one ONNX file.

    metaforge export --run=runs/daml --out=detector
    metaforge export --run=detector --onnx=detector.onnx

The folder holds what screening (`metaforge predict --model`) and adapting (`metaforge adapt --run`) need, and is
what to pass on: parameters, without checkpoints, optimizer and log; source images only where they normalise what is
scored; of a network whose weights come from a file, what that file does not hold.

The ONNX file holds everything: network, weights, what happens to an image first, calibration and thresholds. `--run`
may be a saved detector there. `metaforge predict --model=detector.onnx` runs it by ONNX Runtime or OpenVINO, without
JAX, and so may any other program: input "images" is uint8 (images, size, size, 3), output "logit" the log of the odds
of being fake, before calibration. It takes the extra `onnx`.
"""

import dataclasses
from pathlib import Path
from typing import NoReturn

from metaforge.cli.predict import how_to_screen
from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting
from metaforge.whole import refuse_used


@dataclasses.dataclass(frozen=True)
class Options:
    """From where, to where."""

    run: str = setting(..., "A finished training run; for ONNX also a saved detector.", place="read")
    out: str = setting("", "Folder for the detector; must not exist yet.", place="folder")
    onnx: str = setting("", "ONNX file for the detector; must not exist yet.", place="file")
    weights: str = setting("", "Where the weights of a saved detector are, if they have moved.", place="read")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        if bool(options.out) == bool(options.onnx):
            raise InputError("--out, --onnx: give --out, a folder to write, or --onnx, a file, and not both.")
        if options.onnx:
            refuse_used(options.onnx)
            from metaforge.screening.portable import save_onnx
            from metaforge.screening.predicting import detector_in

            save_onnx(options.onnx, detector_in(options.run, weights=options.weights))
            size, out = Path(options.onnx).stat().st_size, options.onnx
        else:
            if options.weights:
                raise InputError("--weights: a run knows its weights. Leave them out.")
            from metaforge import runs
            from metaforge.screening import from_run, save_detector

            if "detector" in (runs.read_config(options.run, missing_ok=True) or {}):
                raise InputError(f"--run: '{options.run}' is a saved detector. Copy the folder, or give --onnx.")
            save_detector(options.out, from_run.detector(from_run.load_run(options.run)))
            size = sum(file.stat().st_size for file in Path(options.out).rglob("*") if file.is_file())
            out = options.out
        print(how_to_screen(out))
        return f"Wrote {out}: {size / 2**20:.1f} MiB."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
