"""A tiny setting that every experiment can run in seconds, and one trained run to share."""

import pytest

from metaforge.commands import flags_of
from metaforge.settings import change
from metaforge.training import meta_train
from metaforge.training.config import Config

TINY = change(
    Config(),
    {
        "faces.folder": "lfw",
        "faces.landmarks": "none",  # of noise
        "faces.methods": "warp,smooth,swap",
        "faces.holdout": "",
        "faces.variants": 2,
        "model.image_size": 16,
        "model.width": 4,
        "episodes.tasks": 2,
        "episodes.shots": 2,
        "episodes.queries": 3,
        "run.iterations": 12,
        "run.log_every": 2,
        "run.eval_every": 4,
        "run.eval_batches": 1,
        "run.checkpoint_every": 4,
        "run.baseline": True,
        "adapt.lr": 0.1,
        "adapt.steps": 2,
    },
)

FLAGS = flags_of(TINY, Config())


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run of DAML with its ERM baseline: do not write into it."""
    folder = tmp_path_factory.mktemp("runs") / "daml"
    meta_train.run(TINY, folder, quiet=True)
    return folder
