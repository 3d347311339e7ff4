"""Embeddings in batches are those of all images at once."""

import numpy as np
import pytest

from metaforge.backbones import mlp
from metaforge.backbones.features import embed
from metaforge.types import Backbone, Outputs


def test_embeddings_are_those_of_one_batch_and_one_program_makes_them():
    traces = []

    def apply(params, images, *, context=None):
        traces.append(images.shape)
        return Outputs(images, images @ params - context.mean(axis=0, keepdims=True))

    rng = np.random.default_rng(0)
    images, kernel, context = rng.normal(size=(7, 4)), rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    found = embed(Backbone(lambda key, inputs: kernel, apply), kernel, images, batch=3, context=context)
    np.testing.assert_allclose(found, images @ kernel - context.mean(axis=0), rtol=1e-5, atol=1e-6)
    assert traces == [(3, 4)]
    few = embed(Backbone(lambda key, inputs: kernel, apply), kernel, images[:2], batch=64, context=context)
    np.testing.assert_allclose(few, found[:2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("count", "batch"), [(0, 4), (2, 0)])
def test_no_images_are_refused(count, batch):
    with pytest.raises(ValueError, match="at least one of each"):
        embed(mlp(), {}, np.zeros((count, 1)), batch=batch)
