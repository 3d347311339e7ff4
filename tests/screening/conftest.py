"""A tiny network that was trained without a step, under a discriminant, and a target for it."""

import numpy as np
import pytest
from PIL import Image

from metaforge.cli import adapt, export, train

FLAGS = (
    "--learner.name=erm", "--adapt.rule=discriminant", "--run.iterations=0", "--run.baseline=False",
    "--faces.folder=lfw", "--faces.variants=1", "--faces.methods=swap,smooth,warp", "--model.image_size=16",
    "--model.width=4", "--episodes.tasks=2", "--episodes.shots=2", "--episodes.queries=2", "--run.eval_batches=1",
)  # fmt: skip


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closed")
    assert train.main(["train", f"--workdir={folder / 'run'}", *FLAGS]) == 0
    assert export.main(["export", f"--run={folder / 'run'}", f"--out={folder / 'detector'}"]) == 0
    return folder


@pytest.fixture(scope="session")
def target(tmp_path_factory):
    """Twelve pairs by name, the fakes brighter in one corner, and six real images beside them."""
    folder, rng = tmp_path_factory.mktemp("target"), np.random.default_rng(0)
    for name in ("real", "fake", "more"):
        (folder / name).mkdir()
    for number in range(30):
        image = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
        if number < 24:
            Image.fromarray(image).save(folder / "real" / f"{number}.png")
            image[:8, :8] = 255
            Image.fromarray(image).save(folder / "fake" / f"{number}.png")
        else:
            Image.fromarray(image).save(folder / "more" / f"{number}.png")
    return folder


def call(run, target, out, *flags):
    """Adapts; the exit code."""
    fixed = ["--shots=3", "--draws=2", "--crops", f"--target={target}", f"--out={out}"]
    return adapt.main(["adapt", f"--run={run}", *fixed, *flags])
