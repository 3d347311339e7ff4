"""What `metaforge evaluate` can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.screening.engine import engine_setting
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Which verdicts, and what is known of the files."""

    results: str = setting("", "The results of metaforge screen (.jsonl).", place="read")
    labels: str = setting("", "CSV file with the columns file and label, perhaps person and domain.", place="read")
    model: str = setting("", "Instead of results: a saved detector, an ONNX file, or a run.", place="read")
    target: str = setting("", "What to judge with --model: a folder with real/ and fake/.", place="read")
    out: str = setting("", "The .json report to write, with its tables (.md) beside; or none.", place="file")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    crops: bool = setting(False, "Whether the target's images are face crops already.")
    frames: int = setting(32, "Frames of each video, spread evenly.", least=1, most=100_000)
    engine: str = engine_setting()
    workers: int = setting(2, "Threads that read and find faces.", least=1, most=256)
    seed: int = setting(0, "Of resamples.", most=2**32 - 1)
