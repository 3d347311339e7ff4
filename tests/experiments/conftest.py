"""A tiny setting that every experiment can run in seconds, one trained run to share, and fewer people to forge."""

import contextlib
import functools

import pytest

from metaforge.commands import flags_of
from metaforge.data import faces
from metaforge.settings import change
from metaforge.training import build, meta_train
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


_OF_FEW = {}
"""What is remembered of 30 people, from one test to the next."""


@contextlib.contextmanager
def of_few_people():
    """The embedded sets are 30 people: to forge all by every method takes longer than to train a tiny network."""

    def first(*args, **options):
        found = embedded(*args, **options)
        people = sorted({face.identity for face in found})[:30]
        return [face for face in found if face.identity in people]

    embedded = faces.embedded_faces
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces, "embedded_faces", first)
        # What is remembered of whole sets is not theirs, and theirs not of whole sets.
        for name in ("_faces", "_domain"):
            if name not in _OF_FEW:
                _OF_FEW[name] = functools.lru_cache(64)(getattr(build, name).__wrapped__)
            patch.setattr(build, name, _OF_FEW[name])
        yield


@pytest.fixture
def few_people():
    """Few people in one test."""
    with of_few_people():
        yield


@pytest.fixture(scope="module")
def few_people_throughout():
    """Few people in a module."""
    with of_few_people():
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run of DAML with its ERM baseline: do not write into it."""
    folder = tmp_path_factory.mktemp("runs") / "daml"
    meta_train.run(TINY, folder, quiet=True)
    return folder
