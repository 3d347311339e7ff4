"""What `metaforge serve` can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Which detector, where, and how much at most."""

    model: str = setting(..., "A saved detector, a file in ONNX, or a finished training run.", place="read")
    weights: str = setting("", "Where the weights are on which the detector stands, if they have moved.", place="read")
    state: str = setting(
        "metaforge-serve", "Folder for adapted detectors and feedback; made if it is missing.", place="folder"
    )
    database: str = setting(
        "", "URL of the database of feedback and adapters; without it METAFORGE_DATABASE's, or a file in --state."
    )
    keep_days: int = setting(0, "Days that feedback and adapters are kept; 0 for as long as nobody deletes them.")
    host: str = setting("127.0.0.1", "The address to listen on; beyond this machine only with --tokens.")
    port: int = setting(8000, "The port; 0 for any that is free.", most=65_535)
    names: str = setting("", "Names that this service is reached by, comma-separated, beside its address.")
    tokens: str = setting("", "File of those who may ask, a line each: a name and a token.", place="read")
    rate: int = setting(0, "Requests a minute that each of them may make; 0 for any number.", most=1_000_000)
    workers: int = setting(0, "Processes that judge pictures; 0 for one for every four cores.", most=64)
    queue: int = setting(128, "Files that wait at most; more are told to come again.", least=1, most=100_000)
    refuse: float = setting(
        3.0, "Seconds of waiting from which on pictures are told to come again; videos and maps five times as long.",
        above=0, most=3600,
    )  # fmt: skip
    degrade: float = setting(
        1.0, "Seconds of waiting from which on evidence is left out; five times as long where maps are.", above=0,
        most=3600,
    )  # fmt: skip
    spare: str = setting("", "A smaller detector, which answers from then on, as its answers say.", place="read")
    image_mb: int = setting(32, "Megabytes of a picture at most.", least=1, most=1024)
    video_mb: int = setting(256, "Megabytes of a video at most.", least=1, most=16_384)
    batch_files: int = setting(64, "Files of one request at most.", least=1, most=1024)
    frames: int = setting(32, "Frames of each video, spread evenly.", least=1, most=10_000)
    jobs: int = setting(4, "Adaptations that wait at most.", least=1, most=1000)
    trust: str = setting("", "PEM file of those whose C2PA signatures are trusted.", place="read")
    grace: int = setting(30, "Seconds that a stop waits for what was accepted.", least=1, most=3600)
