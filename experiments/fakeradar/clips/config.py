"""The settings of FakeRadar on clips, and which of them the paper states."""

import dataclasses

from metaforge.errors import InputError
from metaforge.settings import check_settings, setting

ROWS = ("full", "binary")
"""Tri-training with outliers, and plain classification of the same clips."""

TINY = "tiny"
"""A tower of two small blocks with random weights, for trying the program out."""

TOWERS = ("ViT-B/32", "ViT-B/16", "ViT-L/14", TINY)


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, and on what. The defaults are the paper's where it states them. Lists are comma-separated."""

    seeds: int = setting(1, "Trained models of each row.", least=1, most=10_000)
    rows: str = setting("full,binary", "Rows of the table, of full and binary.")

    faces: str = setting("london", "Real faces: 'london' or 'lfw' (embedded), or a folder.", place="read")
    identity: str = setting("", "Regular expression whose group finds the person in a file's path.")
    landmarks: str = setting(
        "", "An .npz, 'mesh' (found) or 'none'; default: landmarks*.npz in the folder, or 'mesh'.", place="read"
    )
    photographs: int = setting(0, "Photographs of each person that are filmed; 0 for all.", most=10_000)
    methods: str = setting("reconstruction,self_blend,splice,warp", "Source forgery methods.")
    unseen: str = setting("poisson_swap,resample,smooth,swap", "Methods that are only tested on.")
    variants: int = setting(4, "Forged pairs of films of each photograph and method.", least=1, most=10_000)
    film_frames: int = setting(60, "Frames of a film.", least=1, most=100_000)
    split_seed: int = setting(0, "How people are split into train and test.", most=2**32 - 1)

    tower: str = setting("ViT-B/16", "CLIP's vision tower, frozen.", choices=TOWERS)
    weights: str = setting("", "The safetensors file of its weights.", place="read")
    image_size: int = setting(224, "Side of the frames, in pixels.", least=8, most=4096)
    clips: int = setting(4, "Clips of a film (paper: 4).", least=1, most=1000)
    frames: int = setting(12, "Consecutive frames of a clip (paper: 12).", least=1, most=1000)
    adapters: str = setting("24x", "ST-Adapters in 12 blocks.", choices=("24x", "12x"), open_in_paper=True)
    adapter_width: int = setting(384, "Size of their bottlenecks.", open_in_paper=True, least=1, most=65_536)
    adapted_blocks: int = setting(0, "How many of the last blocks have them; 0 for all.", open_in_paper=True, most=100)
    keep: bool = setting(False, "Whether the tokens below the first adapter are kept, of clips at fixed places.")
    neck: int = setting(
        32, "Size of the features that outliers are made of; 0 for the tower's.", open_in_paper=True, most=65_536
    )
    head: str = setting("mlp", "What sees them.", choices=("linear", "quadratic", "mlp"), open_in_paper=True)

    mode: str = setting("safe", "How the recipe of outliers is read.", choices=("safe", "literal"))
    slots: int = setting(32, "Most subclusters in all.", open_in_paper=True, least=1, most=10_000)
    outliers: int = setting(16, "Outliers in a batch (paper: 16).", least=1, most=100_000)
    bank: int = setting(1024, "Last clips whose features say where the clusters are.", open_in_paper=True, least=16)
    contrastive: float = setting(1.0, "Weight of the contrastive loss (paper: 1).")
    cls: float = setting(0.5, "Weight of the cross-entropy, lambda (paper: 0.5).")
    temperature: float = setting(0.1, "Of the contrastive loss.", open_in_paper=True, above=0)

    epochs: int = setting(60, "Epochs (paper: 60).", least=1)
    epoch_steps: int = setting(0, "Steps in an epoch; outliers are refreshed between. 0: as many as show every film.")
    batch: int = setting(16, "Clips in a batch, half of them real (paper: 16).", least=2, most=100_000)
    lr: float = setting(1e-4, "Adam's rate, falling as a cosine (paper: 1e-4).", above=0)
    checkpoint_every: int = setting(1, "Epochs between checkpoints.", least=1)

    def check(self) -> None:
        """Raises `InputError` for what cannot work, naming the field."""
        check_settings(self)
        if self.batch % (2 * self.clips):
            raise InputError(
                f"--batch={self.batch}: give a multiple of {2 * self.clips}, for {self.clips} clips of as many real "
                "films as forged ones."
            )
        if self.film_frames < self.frames:
            raise InputError(
                f"--film_frames={self.film_frames}: a clip has {self.frames} frames. Give films that are as long."
            )
        if self.image_size % 2:
            raise InputError(f"--image_size={self.image_size}: give an even number, for H.264.")
        if self.keep and not self.adapted_blocks:
            raise InputError("--keep: with adapters in all blocks no tokens stay the same. Give --adapted_blocks.")
        for name in self.rows_asked:
            if name not in ROWS:
                raise InputError(f"--rows: unknown '{name}'; known: {', '.join(ROWS)}.")

    @property
    def rows_asked(self) -> list[str]:
        """The rows; the binary classifier is what the other is compared with."""
        asked = [name.strip() for name in self.rows.split(",")]
        return asked if "binary" in asked else [*asked, "binary"]


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting("runs/clips", "Where films, runs and reports go.", place="folder")


PRESETS = {
    "paper": Config(),
    "hour": Config(
        photographs=1, variants=1, film_frames=8, image_size=112, clips=1, frames=4, adapted_blocks=3, keep=True,
        batch=8, bank=256, epochs=4, epoch_steps=25, lr=1e-3,
    ),
    "tiny": Config(
        methods="warp,smooth", unseen="splice", variants=1, film_frames=6, tower=TINY, image_size=32, clips=2, frames=3,
        adapter_width=8, neck=8, slots=8, bank=64, epochs=3, epoch_steps=2, batch=8,
    ),
}  # fmt: skip
"""The published setting; what two CPU cores can train in an hour; and a trial of the program."""
