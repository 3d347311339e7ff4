"""The detector: faces where they are, none where there are none, and networks that a second convolution confirms."""

import importlib.util
import pickle
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from PIL import Image
from skimage import data

from metaforge.data.detection import Detection, _networks, detect, detect_largest
from metaforge.data.video import read_frames
from metaforge.errors import InputError
from tests.data.clips import IDENTITIES, face_clip, face_frames


@pytest.fixture(scope="module")
def astronaut():
    assert Path(data.__file__).with_name("astronaut.png").exists()  # in the wheel: no network
    return data.astronaut()


@pytest.fixture(scope="module")
def coins():
    assert Path(data.__file__).with_name("coins.png").exists()
    return np.repeat(data.coins()[..., None], 3, axis=-1)


def largest(image) -> Detection:
    """Without small faces, which takes a quarter of the time."""
    face = detect_largest(np.ascontiguousarray(image), min_face=0.1)
    assert face is not None
    return face


def middle(face):
    return (face.box[:2] + face.box[2:]) / 2


def side(face):
    return float((face.box[2:] - face.box[:2]).mean())


def resized(image, height, width):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def test_the_astronaut_is_found_with_her_eyes_nose_and_mouth(astronaut):
    (face,) = detect(astronaut)
    np.testing.assert_allclose(middle(face), (225, 120), atol=12)
    assert 70 < side(face) < 140
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert (face.points > face.box[:2]).all()
    assert (face.points < face.box[2:]).all()
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert 0.99 < face.score <= 1
    assert (face.box.dtype, face.box.shape, face.points.dtype, face.points.shape) == (
        np.float32,
        (4,),
        np.float32,
        (5, 2),
    )


def test_coins_and_flat_images_hold_no_face(coins):
    assert detect(coins) == []
    for level in (0, 127, 255):
        assert detect(np.full((200, 300, 3), level, np.uint8)) == []
    assert detect_largest(np.zeros((5, 400, 3), np.uint8)) is None


def test_a_mirrored_face_has_mirrored_points(astronaut):
    face, mirrored = largest(astronaut), largest(astronaut[:, ::-1])
    back = mirrored.points[[1, 0, 2, 4, 3]] * [-1, 1] + [astronaut.shape[1], 0]
    np.testing.assert_allclose(back, face.points, atol=0.06 * side(face))


@pytest.mark.parametrize("scale", [0.4, 2.0])
def test_a_scaled_image_has_a_scaled_box(astronaut, scale):
    size = round(512 * scale)
    face, scaled = largest(astronaut), largest(resized(astronaut, size, size))
    np.testing.assert_allclose(scaled.box / scale, face.box, atol=0.06 * side(face))
    np.testing.assert_allclose(scaled.points / scale, face.points, atol=0.06 * side(face))


@pytest.mark.parametrize("shift", [(3, 5), (0, 71), (88, 88)])
def test_a_shifted_face_is_found_shifted(astronaut, shift):
    def placed(top, left):
        canvas = np.full((600, 600, 3), 128, np.uint8)
        canvas[top : top + 512, left : left + 512] = astronaut
        return largest(canvas)

    face, shifted = placed(0, 0), placed(*shift)
    np.testing.assert_allclose(shifted.points - shift[::-1], face.points, atol=0.06 * side(face))
    np.testing.assert_allclose(shifted.box - np.tile(shift[::-1], 2), face.box, atol=0.08 * side(face))


def test_faces_come_largest_first_and_the_limits_hold(astronaut):
    both = np.zeros((512, 800, 3), np.uint8)
    both[:, 288:] = astronaut
    both[100:300, 30:230] = resized(astronaut, 200, 200)
    large, small = detect(both)
    assert side(large) > 2 * side(small)
    assert large.box[0] > 288 > small.box[2]
    (alone,) = detect(both, min_face=0.1)
    np.testing.assert_allclose(alone.box, large.box, atol=0.06 * side(large))
    np.testing.assert_array_equal(largest(both).box, alone.box)
    assert detect(both, min_face=0.1, threshold=1.0) == []


def test_a_face_at_the_border_is_found_with_a_box_beyond_it(astronaut):
    face = largest(astronaut[80:, :250])
    assert face.box[1] < 0
    np.testing.assert_allclose(face.points[0], (204, 21), atol=6)


@pytest.mark.parametrize("identity", [0, 1, IDENTITIES - 1])
@pytest.mark.parametrize("crf", [23, 40])
def test_the_face_of_a_test_clip_is_found_in_its_frames(tmp_path, identity, crf):
    drawn = face_frames(seed=identity, identity=identity)
    path = face_clip(tmp_path / "a.mp4", seed=identity, identity=identity, crf=crf)
    for index, frame in read_frames(path, [0, 23]):
        (face,) = detect(frame)
        assert 30 < side(face) < 80
        # The compressed frame shows what was drawn, and the face is on it.
        x, y = np.rint(middle(face)).astype(int)
        np.testing.assert_allclose(frame[y, x].astype(int), drawn[index][y, x], atol=50)


def test_a_fake_clip_differs_in_the_face_alone():
    real, fake = (face_frames(frames=3, fake=fake) for fake in (None, lambda frame: 255 - frame))
    face = largest(real[0])
    differs = (real[0] != fake[0]).any(-1)
    x, y = np.rint(face.points).astype(int).T
    assert differs[y, x].all()
    assert not differs[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert 0.2 < differs.mean() < 0.6


def test_the_networks_are_compiled_once_whatever_images_follow(astronaut):
    detect(astronaut)
    compiled = [network._cache_size() for network in (_networks.propose, _networks.refine, _networks.locate)]
    for image in (astronaut[:300], astronaut[50:], resized(astronaut, 900, 1600), face_frames(frames=1)[0]):
        detect(np.ascontiguousarray(image))
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
    with pytest.raises(InputError, match="extra `faces`"):
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


@pytest.mark.parametrize("options", [{"min_face": 0.0}, {"min_face": 0.9}, {"threshold": 1.5}])
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=r"min_face .* threshold"):
        detect(np.zeros((50, 50, 3), np.uint8), **options)


def test_the_weights_are_single_precision_on_any_device():
    for weights in _networks.load_networks():
        assert {array.dtype for array in weights} == {np.dtype(np.float32)}
        assert all(isinstance(array, jax.Array) for array in weights)
