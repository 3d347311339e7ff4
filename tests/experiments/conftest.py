"""A tiny setting that every experiment can run in seconds, and one trained run to share."""

import dataclasses

import pytest

from metaforge.training import loop
from metaforge.training.config import Config

TINY = Config(
    faces="lfw", methods="warp,smooth,swap", holdout="", variants=2, image_size=16, width=4,
    tasks=2, shots=2, queries=3, iterations=12, log_every=2, eval_every=4, eval_batches=1,
    checkpoint_every=4, baseline=True, finetune_lr=0.1, finetune_steps=2,
)  # fmt: skip

FLAGS = [f"--config.{f.name}={getattr(TINY, f.name)}" for f in dataclasses.fields(Config)
         if getattr(TINY, f.name) != getattr(Config(), f.name)]  # fmt: skip


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run of DAML with its ERM baseline: do not write into it."""
    folder = tmp_path_factory.mktemp("runs") / "daml"
    loop.run(TINY, folder, quiet=True)
    return folder
