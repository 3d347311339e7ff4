"""What `experiments.benchmark` measures, and how long."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure, how long."""

    out: str = setting("benchmark.json", "JSON file to write; the Markdown goes beside it.", place="file")
    rounds: int = setting(7, "Rounds; each runs every program once.", least=1, most=1_000_000)
    torch: bool = setting(True, "Whether to measure PyTorch too, if it is installed.")
    profile: bool = setting(False, "Whether to say where the time of the fastest of our forms goes.")
    slow: float = setting(15.0, "Programs this many times slower than the fastest run once only.", above=0)


@dataclasses.dataclass(frozen=True)
class Grid:
    """The cells: every combination. Lists are comma-separated."""

    sizes: str = setting("28,32,64,84", "Sides of the images, in pixels.")
    orders: str = setting("first", "Orders of the outer gradient.")
    steps: str = setting("1", "Inner steps.")
    tasks: str = setting("4", "Tasks in a meta-batch.")
    strategies: str = setting(
        "vmap,scan,unroll,spread",
        "How tasks run; unrolled only up to 8 of them, spread over devices if there are more.",
    )
    convolutions: str = setting("lax,patches,winograd", "How convolutions run.")
    precision: str = setting("float32", "Of convolutions and products.", choices=("float32", "bfloat16"))
    remat: str = setting("none", "What an exact gradient computes again.", choices=("none", "steps", "sqrt"))
    width: int = setting(64, "Filters.", least=1, most=65_536)
    shots: int = setting(5, "Support images per class.", least=1, most=100_000)
    queries: int = setting(15, "Query images per class.", least=1, most=100_000)


QUICK = Grid()
FULL = Grid(orders="first,second,mixed", steps="1,5,20", tasks="4,16,64")
