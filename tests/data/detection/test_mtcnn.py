"""MTCNN: networks that a second convolution confirms, compiled once, with the weights that are expected."""

import importlib.util
import pickle
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from PIL import Image
from skimage import data

from metaforge.data.detection import _networks
from metaforge.data.detection._mtcnn import every_face
from metaforge.errors import InputError
from tests.data.clips import face_frames


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


def resized(image, height, width):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def test_the_networks_are_compiled_once_whatever_images_follow(astronaut):
    every_face(astronaut, min_face=0.04, threshold=0.9)
    compiled = [network._cache_size() for network in (_networks.propose, _networks.refine, _networks.locate)]
    for image in (astronaut[:300], astronaut[50:], resized(astronaut, 900, 1600), face_frames(frames=1)[0]):
        every_face(np.ascontiguousarray(image), min_face=0.04, threshold=0.9)
    again = [network._cache_size() for network in (_networks.propose, _networks.refine, _networks.locate)]
    assert again == compiled


def convolved(values, kernel, bias):
    """Sums over windows, one offset in the kernel after the other."""
    rows, columns = values.shape[0] - kernel.shape[0] + 1, values.shape[1] - kernel.shape[1] + 1
    out = np.zeros((rows, columns, kernel.shape[-1])) + bias
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            out += values[i : i + rows, j : j + columns] @ kernel[i, j]
    return out


def pooled(values, window, ceil):
    """The maximum of every other window; with `ceil`, windows that reach over the end count what is there."""
    rows, columns = (
        (length - window + (ceil and 1)) // 2 + 1 if not ceil else -(-length // 2) for length in values.shape[:2]
    )
    before = [
        max(0, (n - 1) * 2 + window - length) // 2 if ceil else 0
        for n, length in zip((rows, columns), values.shape[:2], strict=True)
    ]
    out = np.empty((rows, columns, values.shape[2]))
    for i in range(rows):
        for j in range(columns):
            top, left = 2 * i - before[0], 2 * j - before[1]
            out[i, j] = values[max(top, 0) : top + window, max(left, 0) : left + window].max(axis=(0, 1))
    return out


def layers(weights, patch, pools):
    """The convolutions of a network on one patch, in NumPy and float64; and the weights that are left."""
    values, weights = (patch.astype(float) - 127.5) / 128, [np.asarray(array, float) for array in weights]
    for pool in pools:
        (kernel, bias, slope), weights = weights[:3], weights[3:]
        values = convolved(values, kernel, bias)
        values = np.where(values > 0, values, slope * values)
        values = values if pool is None else pooled(values, *pool)
    return values, weights


def dense(values, weights):
    flat = values.transpose(1, 0, 2).ravel()
    hidden = flat @ weights[0] + weights[1]
    hidden = np.where(hidden > 0, hidden, weights[2] * hidden)
    return [hidden @ kernel + bias for kernel, bias in zip(weights[3::2], weights[4::2], strict=True)]


def probability(logits):
    return 1 / (1 + np.exp(logits[..., 0] - logits[..., 1]))


def patch_of(image, size):
    return resized(image[62:172, 170:280], size, size)


def test_the_first_network_is_what_a_second_convolution_says(astronaut):
    weights = _networks.load_networks().pnet
    image = resized(astronaut, 40, 33)
    scores, offsets = _networks.propose(weights, image)
    for row, column in ((0, 0), (3, 9), (13, 10)):
        window = image[2 * row : 2 * row + 12, 2 * column : 2 * column + 12]
        values, rest = layers(weights, window, [(2, True), None, None])
        assert values.shape == (1, 1, 32)
        np.testing.assert_allclose(offsets[row, column], convolved(values, *rest[:2])[0, 0], atol=1e-4)
        np.testing.assert_allclose(scores[row, column], probability(convolved(values, *rest[2:])[0, 0]), atol=1e-4)


def test_the_second_network_is_what_a_second_convolution_says(astronaut):
    weights = _networks.load_networks().rnet
    for patch in (np.random.default_rng(0).integers(256, size=(24, 24, 3), dtype=np.uint8), patch_of(astronaut, 24)):
        batch = np.zeros((64, 24, 24, 3), np.uint8)
        batch[5] = patch
        scores, offsets = _networks.refine(weights, batch)
        moves, logits = dense(*layers(weights, patch, [(3, True), (3, False), None]))
        np.testing.assert_allclose(offsets[5], moves, atol=1e-4)
        np.testing.assert_allclose(scores[5], probability(logits), atol=1e-4)


def test_the_third_network_is_what_a_second_convolution_says(astronaut):
    weights = _networks.load_networks().onet
    for patch in (np.random.default_rng(0).integers(256, size=(48, 48, 3), dtype=np.uint8), patch_of(astronaut, 48)):
        batch = np.zeros((16, 48, 48, 3), np.uint8)
        batch[5] = patch
        scores, offsets, points = _networks.locate(weights, batch)
        moves, places, logits = dense(*layers(weights, patch, [(3, True), (3, False), (2, True), None]))
        np.testing.assert_allclose(offsets[5], moves, atol=1e-4)
        np.testing.assert_allclose(points[5], np.stack([places[:5], places[5:]], axis=1), atol=1e-4)
        np.testing.assert_allclose(scores[5], probability(logits), atol=1e-4)


def test_neither_tensorflow_nor_the_package_is_imported():
    import sys

    _networks.load_networks()
    assert not {"tensorflow", "mtcnn"} & set(sys.modules)


def test_without_the_weights_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="extra `mtcnn`"):
        _networks.load_networks.__wrapped__()


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def test_other_weights_are_refused_before_they_are_unpickled(tmp_path, monkeypatch):
    folder = tmp_path / "assets" / "weights"
    folder.mkdir(parents=True)
    (folder / "pnet.lz4").write_bytes(pickle.dumps(Evil()))
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    )
    with pytest.raises(InputError, match=r"'pnet\.lz4' .* Install mtcnn==1\.0\.0"):
        _networks.load_networks.__wrapped__()
    (folder / "pnet.lz4").unlink()
    with pytest.raises(InputError, match=r"'pnet\.lz4'"):
        _networks.load_networks.__wrapped__()


def test_the_weights_are_single_precision_on_any_device():
    for weights in _networks.load_networks():
        assert {array.dtype for array in weights} == {np.dtype(np.float32)}
        assert all(isinstance(array, jax.Array) for array in weights)
