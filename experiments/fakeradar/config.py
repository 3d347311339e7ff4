"""The settings of the FakeRadar experiment, and which of them are not known of the paper."""

import dataclasses

from metaforge.backbones.spec import BackboneSpec
from metaforge.data.specs import FacesSpec
from metaforge.errors import InputError
from metaforge.settings import check_settings, setting
from metaforge.training import config as train_config


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How outliers are made, and what is made of them."""

    neck: int = setting(
        32, "Size of the features that outliers are made of; 0 for the backbone's own.", open_in_paper=True, most=65_536
    )
    head: str = setting("mlp", "What sees them.", choices=("linear", "quadratic", "mlp"), open_in_paper=True)

    mode: str = setting("safe", "How the recipe is read.", choices=("safe", "literal"))
    slots: int = setting(32, "Most subclusters in all.", open_in_paper=True, least=1, most=10_000)
    towards: str = setting("all", "Directions of outliers.", choices=("all", "others"), open_in_paper=True)
    around: str = setting("all", "What outliers surround.", choices=("all", "real", "fake"), open_in_paper=True)
    outliers: int = setting(16, "Outliers in a batch (paper: 16).", least=1, most=100_000)
    contrastive: float = setting(1.0, "Weight of the contrastive loss (paper: 1).")
    cls: float = setting(0.5, "Weight of the cross-entropy, lambda (paper: 0.5).")
    temperature: float = setting(0.1, "Of the contrastive loss.", open_in_paper=True, above=0)

    batch: int = setting(32, "Images in a batch, half of them real (paper: 16).", least=2, most=100_000)

    def check(self, *, prefix: str = "") -> None:
        """Raises `InputError` for what cannot work, naming the field."""
        check_settings(self, prefix=prefix)
        if self.batch % 2:
            raise InputError(f"--{prefix}batch={self.batch}: give an even number, for real and fake.")


@dataclasses.dataclass(frozen=True)
class Config(Recipe):
    """What to train, on what, and how outliers are made. Lists are comma-separated."""

    seeds: int = setting(3, "Trained models of each variant.", least=1, most=10_000)
    rows: str = setting("all", "Rows of the table, or 'all'.")

    faces: str = setting("london", "Real faces: 'london' or 'lfw' (embedded), or a folder.", place="read")
    identity: str = setting("", "Regular expression whose group finds the person in a file's path.")
    landmarks: str = setting(
        "", "An .npz, 'mesh' (found) or 'none'; default: landmarks*.npz in the folder, or 'mesh'.", place="read"
    )
    methods: str = setting("all", "Source forgery methods, or 'all' but the held-out ones.")
    acquisitions: str = setting("none", "Of none, jpeg, downscale, varied, wild: each makes a domain of every method.")
    variants: int = setting(12, "Forged pairs of each face and domain.", least=1, most=10_000)
    split_seed: int = setting(0, "How people are split into train, validation and test.", most=2**32 - 1)
    image_size: int = setting(24, "Side of the face crops, in pixels.", least=16, most=4096)

    backbone: str = setting("conv4", "What is trained, or looks on frozen.", choices=("conv4", "efficientnet_lite0"))
    width: int = setting(32, "Filters in each convolution of conv4.", least=1, most=65_536)

    epochs: int = setting(10, "Epochs (paper: 60).", least=1)
    refresh_every: int = setting(50, "Steps in an epoch; outliers are refreshed between.", open_in_paper=True, least=1)
    lr: float = setting(1e-3, "Adam's rate, falling as a cosine (paper: 1e-4).", above=0)
    checkpoint_every: int = setting(10, "Epochs between checkpoints.", least=1)

    def images(self, *, holdout: str) -> train_config.Config:
        """The settings of `metaforge train` by which the same images are made."""
        faces = FacesSpec(
            folder=self.faces, identity=self.identity, landmarks=self.landmarks, methods=self.methods, holdout=holdout,
            acquisitions=self.acquisitions, variants=self.variants, split_seed=self.split_seed,
        )  # fmt: skip
        return train_config.Config(faces=faces, model=BackboneSpec(image_size=self.image_size))


@dataclasses.dataclass(frozen=True)
class Options:
    """What to hold out, and where to."""

    workdir: str = setting("runs/fakeradar", "Where runs, report and figures go.", place="folder")
    target: str = setting("swap", "Forgery methods held out together, or 'all' for each in turn.")
