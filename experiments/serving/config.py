"""The settings of `experiments.serving`."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    """What is served, and what is asked of it."""

    models: str = setting(
        "efficientnet_b0,docs/strong/detector",
        "Saved detectors, files in ONNX, or EfficientNets of random weights by name, with commas.",
    )
    servers: str = setting("metaforge,plain,litserve", "Servers to measure, with commas; the first is compared.")
    rounds: int = setting(6, "Rounds; each asks every server everything once.", least=1, most=1000)
    seconds: float = setting(10.0, "How long requests arrive at each rate.", least=0.2, most=3600)
    rate: float = setting(5.0, "Requests a second at which one waits for an answer.", least=0.1, most=1000)
    busy: float = setting(20.0, "Face crops a second at which the processor's share is taken.", least=0.1, most=1000)
    images: int = setting(256, "Face crops that are asked for as fast as the server answers.", least=1, most=100_000)
    batch: int = setting(16, "Face crops in one request of a batch.", least=1, most=1000)
    flight: int = setting(32, "Requests that are under way at once where one crop is one request.", least=1, most=512)
    width: int = setting(640, "Width of the photographs, in pixels.", least=64, most=4096)
    pause: float = setting(0.0, "Seconds to wait between rounds.", least=0, most=3600)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    out: str = setting("serving.json", "JSON file to write.", place="file")
