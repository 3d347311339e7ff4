"""What `metaforge screen` can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.screening.engine import engine_setting
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What to screen with what, and where to."""

    model: str = setting(..., "A saved detector, a file in ONNX, or a finished training run.", place="read")
    images: str = setting(..., "A folder, a file, a pattern, a list of names (.txt), or - for names from a pipe.")
    out: str = setting(..., "The .jsonl file of results, which is gone on with if it is there.", place="file")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    crops: bool = setting(False, "Whether the images are face crops already.")
    frames: int = setting(32, "Frames of each video, spread evenly.", least=1, most=100_000)
    engine: str = engine_setting()
    evidence: bool = setting(False, "Whether evidence is measured beside the score.")
    workers: int = setting(2, "Threads that read and find faces.", least=1, most=256)
    priority: str = setting("", "A pattern, or a list that may grow, of what is judged before all else.")
    page: bool = setting(False, "Whether to write a summary page, .html, beside the results.")
    pictures: int = setting(24, "Pictures of the most suspicious files on the page.", most=500)
    triage: str = setting("", "CSV file to write for those who look at them, the most suspicious first.", place="file")
    ray: bool = setting(False, "Whether Ray Data hands the files to --workers processes (the extra `ray`).")
