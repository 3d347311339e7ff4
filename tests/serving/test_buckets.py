"""Batches of fixed sizes change no score, and no others reach the network."""

import numpy as np
import pytest

from metaforge.screening.portable import load_onnx
from metaforge.serving.buckets import SIZES, Bucketed, bucket
from tests.serving.conftest import SIZE, tiny_detector


def crops(count):
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module", params=["onnx", "jax"])
def detector(request, tiny_model):
    return load_onnx(tiny_model) if request.param == "onnx" else tiny_detector()


@pytest.mark.parametrize("count", [1, 5, 16, 17, 41])
def test_scores_are_those_of_the_detector_itself(detector, count):
    logits, distances = Bucketed(detector).examine(crops(count))
    expected, none = detector.examine(crops(count))
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert (distances, none) == (None, None)
    np.testing.assert_allclose(Bucketed(detector)(crops(count)), detector(crops(count)), atol=1e-6)


class Noting:
    """A detector that says how many it was given, and of each the mean and how far it is from 100."""

    image_size, crop, judge = SIZE, "whole", None

    def __init__(self):
        self.seen = []

    def examine(self, images, *, batch=0):
        self.seen.append(len(images))
        means = images.mean(axis=(1, 2, 3))
        return means, abs(means - 100)


def test_the_network_sees_batches_of_these_sizes_alone():
    noting = Noting()
    for count in range(1, 50):
        logits, distances = Bucketed(noting).examine(crops(count))
        np.testing.assert_allclose(logits, crops(count).mean(axis=(1, 2, 3)))
        np.testing.assert_allclose(distances, abs(logits - 100))
    assert set(noting.seen) <= set(SIZES)


def test_warm_up_sees_each_size_once():
    noting = Noting()
    Bucketed(noting).warm_up()
    assert sorted(noting.seen) == sorted(SIZES)


def test_no_batch_is_filled_up_by_more_than_half():
    assert all(bucket(count) <= 1.5 * count for count in range(1, SIZES[-1] + 1))
