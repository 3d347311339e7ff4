"""Says of a video that is running, every few seconds, who is in it and whether they look forged.

    metaforge watch --model=adapted --video=interview.mp4
    ffmpeg -i SOURCE -f matroska - | metaforge watch --model=adapted --video=-
    metaforge watch --model=adapted --video=/dev/video0 --every=2

--video is a file, a named pipe, - for standard input, or a camera of Linux. Each person is followed through the whole
stream, also after a time away, and has a number. Every --every seconds of the stream a line is printed, a JSON object:
of each person in these seconds the verdict on all frames so far, and under `now` that on these frames alone. Whether a
picture is held before the camera is not looked for.
"""

import dataclasses
import json
import re
import sys
from typing import TYPE_CHECKING, NoReturn, cast

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.screening.engine import engine_setting
from metaforge.settings import setting

if TYPE_CHECKING:
    from metaforge.screening.engine import Engine


@dataclasses.dataclass(frozen=True)
class Options:
    """What to watch with what."""

    model: str = setting(..., "A saved detector, a file in ONNX, or a finished training run.", place="read")
    video: str = setting(..., "A file, a named pipe, - for standard input, or a camera such as /dev/video0.")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    every: float = setting(5.0, "Seconds of the stream after which something is said.", least=0.1, most=3600)
    rate: float = setting(2.0, "Frames a second that are looked at.", least=0.01, most=60)
    raw: str = setting("", "Width and height, such as 640x480, of bare rgb24 frames, 25 a second.")
    engine: str = engine_setting()


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> None:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.screening.live.running import watched
        from metaforge.screening.predicting import load

        if options.raw and not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", options.raw):
            raise InputError(f"raw: '{options.raw}' is no width and height. Give them as in 640x480.")
        detector = load(options.model, weights=options.weights, engine=cast("Engine", options.engine))
        for said in watched(detector, options.video, every=options.every, rate=options.rate, raw=options.raw):
            print(json.dumps(said))
            sys.stdout.flush()

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
