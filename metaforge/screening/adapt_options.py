"""What `metaforge adapt` can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What to adapt, to what, how."""

    run: str = setting(..., "A finished training run, or a saved detector.", place="read")
    target: str = setting(..., "Folder with real/ and fake/ of the new kind, or real/ alone.", place="read")
    out: str = setting(..., "Folder for the adapted detector; must not exist yet.", place="folder")
    crops: bool = setting(False, "Whether the target's images are face crops already; otherwise faces are found.")
    rule: str = setting(
        "",
        "steps, discriminant or whitened; '' for the run's own.",
        choices=("", "steps", "discriminant", "whitened"),
    )
    unlabelled: str = setting("", "Folder of more real images of the target; never of those in --target.", place="read")
    force: bool = setting(False, "Whether to save the adapted detector even if it is not shown to help.")
    shots: int = setting(10, "Labelled images per class to adapt on.", least=1, most=1_000_000)
    steps: int = setting(0, "Steps of adaptation; 0 for the run's choice on source validation.", most=1_000_000)
    rate: float = setting(0.0, "Its rate; 0 for the run's choice on source validation.")
    draws: int = setting(20, "Support sets to repeat the measurement on.", least=1, most=100_000)
    test_share: float = setting(0.5, "Share of the images set aside to test on.", above=0, below=1)
    baseline: str = setting("", "An ERM run to compare with; default: RUN/erm.", place="read")
    seed: int = setting(0, "Which images are set aside, and which are drawn.", most=2**32 - 1)
    weights: str = setting(
        "", "Of a detector: the file of weights that it needs, if its place has changed.", place="read"
    )
    remembers: bool = setting(False, "Whether to judge the saved detector on the run's own source images too.")
