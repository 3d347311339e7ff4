"""Explaining one image: what is pooled, what is named, what is said, and what is kept."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import choice
from metaforge.backbones.levels import lite0
from metaforge.backbones.spec import BackboneSpec
from metaforge.data.embedded_faces import embedded_faces
from metaforge.errors import InputError
from metaforge.screening import Detector, explain, load_detector, save_detector
from metaforge.screening.explaining import explanation
from metaforge.screening.explaining.fitting import calibrated, fit_head
from metaforge.screening.explaining.grad_cam import fake_logit, grad_cam, inside
from metaforge.screening.explaining.maps import cut_windows, window_probabilities, windows
from metaforge.screening.explaining.region_head import (
    NAMES,
    blank_head,
    load_head,
    region_logits,
    region_probabilities,
    save_head,
)
from metaforge.screening.explaining.seeing import maps_of, pooled, region_weights, size_of

SIZE = 56
SPEC = BackboneSpec(
    image_size=SIZE, backbone="efficientnet_lite0", weights="", normalisation="frozen", levels="0,2"
)  # fmt: skip


def made_params():
    """Parameters of the network, drawn."""
    return dict(choice.choose(SPEC).init(jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 3))))


def grey_maps(params, images):
    """A network whose one map is the image's brightness, at half of its size."""
    light = jnp.mean(jnp.asarray(images, jnp.float32), axis=-1, keepdims=True)
    return (light.reshape(len(light), SIZE // 2, 2, SIZE // 2, 2, 1).mean((2, 4)),)


class Toy(Detector):
    """A detector that looks at nothing, and says what it is told to."""

    def examine(self, images, *, batch=0):
        return np.full(len(images), self.about["logit"]), None


def toy(logit, regions):
    bands = {"real_below": 0.3, "fake_above": 0.7, "fitted_on": {}}
    calibration = {"calibration": {"scale": 1.0, "offset": 0.0}, "bands": bands, "familiarity": None}
    return Toy({}, np.zeros((1, SIZE, SIZE, 3), np.uint8), SPEC, {"logit": logit, "calibration": calibration}, None,
               regions)  # fmt: skip


@pytest.fixture(scope="module")
def face():
    return embedded_faces("london", size=SIZE)[0]


@pytest.fixture(scope="module")
def weights(face):
    return region_weights(face.landmarks, SIZE)


def brighter(face, weights, name, by=40):
    """The face with one region brighter."""
    there = weights[NAMES.index(name)][..., None].astype(bool)
    return np.where(there, np.clip(face.image.astype(int) + by, 0, 255), face.image).astype(np.uint8)


@pytest.fixture(scope="module")
def head(face, weights):
    """Fitted to faces of which some have one region brighter, on brightness alone."""
    rng, images, true, groups = np.random.default_rng(0), [], [], []
    for turn in range(120):
        name = NAMES[turn % 12] if turn < 72 else ""
        lit = face._replace(image=np.clip(face.image * rng.uniform(0.8, 1.0) + rng.normal(0, 4, (SIZE, SIZE, 1)),
                                          0, 200).astype(np.uint8))  # fmt: skip
        images.append(brighter(lit, weights, name) if name else lit.image)
        true.append([name == other for other in NAMES])
        groups.append("brighter" if name else "")
    there = np.ones((120, 12), bool)
    features = np.asarray(pooled(grey_maps({}, np.stack(images)), jnp.asarray(np.stack([weights] * 120), jnp.float32)))
    made = fit_head(features, there, np.array(true), np.array(groups))
    forged = np.array(groups) != ""
    logits = region_logits(made, features, there)[forged]
    return calibrated(made, logits, there[forged], np.array(true)[forged])


@pytest.fixture
def on_brightness(monkeypatch):
    monkeypatch.setattr(explanation, "maps_of", lambda spec: grey_maps)
    monkeypatch.setattr(explanation, "with_detail", lambda maps: maps)


@pytest.mark.parametrize("name", ["mouth", "left_eye", "chin"])
def test_the_region_that_was_made_brighter_is_named_and_no_other(face, weights, head, on_brightness, name):
    found = explain(toy(3.0, head), brighter(face, weights, name), landmarks=face.landmarks, crop="whole")
    assert found.named == (name,)
    assert found.sentence.startswith("Forged, says the detector (0.95). Where: ")
    assert found.sentence.endswith(f"the {name.replace('_', ' ')}.")
    row, column = np.unravel_index(found.map.argmax(), found.map.shape)
    middle = np.argwhere(weights[NAMES.index(name)]).mean(0)
    assert np.hypot(row - middle[0], column - middle[1]) < SIZE / 5
    assert found.map.shape == (SIZE, SIZE)
    assert 0 <= found.map.min() <= found.map.max() <= 1
    assert not found.map[weights.max(0) == 0].any()


def test_of_an_image_that_is_called_real_nothing_is_named(face, weights, head, on_brightness):
    found = explain(toy(-3.0, head), brighter(face, weights, "mouth"), landmarks=face.landmarks, crop="whole")
    assert found.verdict is not None
    assert (found.verdict.decision, found.named, found.map.any()) == ("real", (), False)
    assert found.sentence == "Real, says the detector (0.05): no forgery is looked for."
    assert found.regions["mouth"] > 0.5  # what was measured is not hidden


def test_where_the_detector_cannot_tell_the_sentence_says_so_first(face, weights, head, on_brightness):
    found = explain(toy(0.0, head), brighter(face, weights, "nose"), landmarks=face.landmarks, crop="whole")
    assert found.named == ("nose",)
    assert found.sentence.startswith("Cannot tell whether it is forged (0.50): between the thresholds")
    assert "If it is, then here: " in found.sentence


def test_an_unfamiliar_image_has_no_region_named(face, weights, head, on_brightness, monkeypatch):
    plain = explanation._verdict(toy(3.0, head), face.image)
    monkeypatch.setattr(explanation, "_verdict", lambda detector, crop: plain._replace(familiarity=0.01))
    found = explain(toy(3.0, head), brighter(face, weights, "mouth"), landmarks=face.landmarks, crop="whole")
    assert found.named == ()
    assert not found.map.any()
    assert any("unlike those" in line for line in found.limits)
    assert found.sentence == "Forged, says the detector (0.95)."  # that no region stands out would be untrue


def test_without_a_face_nothing_is_said(head, on_brightness):
    for image in (np.zeros((9, 7, 3), np.uint8), np.full((120, 90, 3), 128, np.uint8)):
        found = explain(toy(3.0, head), image)
        assert (found.p_fake, found.regions, found.named, found.verdict) == (None, {}, (), None)
        assert found.map.shape == image.shape[:2]
        assert "No face" in found.sentence
    crop = explain(toy(3.0, head), np.full((SIZE, SIZE, 3), 128, np.uint8), crop="whole")
    assert crop.p_fake is not None
    assert (crop.named, crop.regions) == ((), {})
    assert crop.sentence == "Forged, says the detector (0.95). No face was found in the crop, so it is not said where."


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((20, 20), np.uint8), r"uint8 and shape \(20, 20\) is no image"),
        (np.zeros((20, 20, 3)), "float64"),
        (np.zeros((0, 20, 3), np.uint8), "is no image"),
    ],
)
def test_what_is_no_image_is_refused(head, on_brightness, image, says):
    with pytest.raises(InputError, match=says):
        explain(toy(3.0, head), image)


def test_landmarks_that_are_none_are_refused(face, head, on_brightness):
    for marks in (np.full((468, 2), np.nan), face.landmarks[:5]):
        with pytest.raises(InputError, match="468 or 68"):
            explain(toy(3.0, head), face.image, landmarks=marks, crop="whole")


def test_a_detector_without_a_head_or_without_maps_is_refused(face, head):
    with pytest.raises(InputError, match="has no region head"):
        explain(toy(3.0, None), face.image)
    with pytest.raises(InputError, match="on conv4 has no maps"):
        explain(toy(3.0, head)._replace(spec=BackboneSpec()), face.image)


def test_pooling_is_the_mean_and_the_deviation_of_the_pixels_inside():
    values, rng = np.random.default_rng(0).normal(5, 2, (1, 4, 4, 3)).astype(np.float32), np.random.default_rng(1)
    mask = rng.random((1, 2, 8, 8)) < 0.5
    mask[0, 1] = False
    found = np.asarray(pooled((jnp.asarray(values),), jnp.asarray(mask, jnp.float32)))
    share = mask[0, 0].reshape(4, 2, 4, 2).sum((1, 3)).ravel()
    mean = np.average(values.reshape(16, 3), axis=0, weights=share)
    variance = np.average((values.reshape(16, 3) - mean) ** 2, axis=0, weights=share)
    np.testing.assert_allclose(found[0, 0], np.concatenate([mean, np.sqrt(variance + 1e-6)]), rtol=1e-5)
    np.testing.assert_array_equal(found[0, 1, :3], 0)  # no pixel, no mean


def test_the_levels_are_pooled_from_the_maps_that_are_handed_on():
    made = lite0(pretrained=False, blocks=(0, 2))
    images = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3)).astype(np.uint8)
    params = made.init(jax.random.key(0), images)
    assert made.maps is not None
    whole = pooled(made.maps(params, images), jnp.ones((1, 1, SIZE, SIZE)))
    np.testing.assert_allclose(whole[:, 0], made.apply(params, images), rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def network():
    params = jax.tree.map(jnp.asarray, made_params())
    rng = np.random.default_rng(0)
    params["head"]["kernel"] = jnp.asarray(rng.normal(size=params["head"]["kernel"].shape), jnp.float32)
    maps = tuple(jnp.asarray(rng.normal(size=(2, side, side, channels)), jnp.float32)
                 for side, channels in ((6, 16), (3, 24)))  # fmt: skip
    return params, maps


def test_grad_cam_of_a_linear_head_on_means_is_the_weighted_sum_of_its_maps(network):
    params, maps = network
    weights = params["head"]["kernel"][:, 1] - params["head"]["kernel"][:, 0]
    places = [weights[:16], weights[32:56]]  # the means of each level; its deviations add nothing
    for level, found, mine in zip(maps, grad_cam(SPEC, params, maps), places, strict=True):
        count = level.shape[1] * level.shape[2]
        np.testing.assert_allclose(found, jax.nn.relu(level @ mine) / count, rtol=2e-3, atol=1e-5)


def test_the_gradient_behind_grad_cam_is_that_of_small_differences(network):
    params, maps = network
    gradient = jax.grad(lambda one: fake_logit(SPEC, params, (one, maps[1])).sum())(maps[0])
    step = jnp.zeros_like(maps[0]).at[0, 1, 2, 3].set(1e-2)
    ends = [float(fake_logit(SPEC, params, (maps[0] + sign * step, maps[1]))[0]) for sign in (1, -1)]
    np.testing.assert_allclose(gradient[0, 1, 2, 3], (ends[0] - ends[1]) / 2e-2, rtol=1e-2, atol=1e-3)
    assert not np.asarray(inside(maps[0][..., 0], jnp.zeros((2, 1, 6, 6)))).any()


def test_a_window_that_is_a_region_has_its_probability(face, weights, head):
    features = np.asarray(pooled(grey_maps({}, face.image[None]), jnp.asarray(weights[None], jnp.float32)))[0]
    there = np.ones(12, bool)
    alone = region_probabilities(head, region_logits(head, features[None], there[None]))[0]
    means = np.array([True, False])
    found = window_probabilities(head, features, np.eye(12), np.ones(12), features, there, means=means)
    np.testing.assert_allclose(found, alone, rtol=1e-4)


def test_windows_are_cut_to_the_face_and_share_it_out(weights):
    cut, shares, face = cut_windows(weights, 28)
    assert cut.shape == windows(28).shape
    faced = cut.sum((1, 2)) > 0
    np.testing.assert_allclose(shares[faced].sum(1), 1, rtol=1e-5)
    assert not shares[~faced].any()
    assert 0 <= face.min() < 0.1
    assert 0.9 < face.max() <= 1.0001
    nose = np.argwhere(weights[NAMES.index("nose")]).mean(0) / SIZE * 14
    assert NAMES[int(shares[int(nose[0]) * 14 + int(nose[1])].argmax())] == "nose"


def test_calibrated_probabilities_are_the_frequencies():
    rng = np.random.default_rng(0)
    true = rng.random((4000, 12)) < 0.2
    logits = np.where(true, 1.0, -1.0) * 2.0 + rng.normal(0, 2.0, true.shape)  # the true logit is theirs plus the odds
    there = np.ones(true.shape, bool)
    made = calibrated(blank_head(1), logits, there, true)
    np.testing.assert_allclose(made.calibration[:, 0], 1.0, atol=0.1)
    np.testing.assert_allclose(made.calibration[:, 1], np.log(0.2 / 0.8), atol=0.2)
    p = region_probabilities(made, logits)
    for low in (0.1, 0.4, 0.7):
        there = (p > low) & (p < low + 0.2)
        assert true[there].mean() == pytest.approx(p[there].mean(), abs=0.04)
    assert 0.2 < float(made.threshold[0]) < 0.6


def test_a_region_that_an_image_does_not_show_changes_nothing(head):
    rng = np.random.default_rng(0)
    features, there = rng.normal(100, 20, (2, 12, 2)).astype(np.float32), np.ones((2, 12), bool)
    there[:, 0] = False
    other = features.copy()
    other[:, 0] = 1e3
    one, two = (region_logits(head, each, there)[:, 1:] for each in (features, other))
    np.testing.assert_array_equal(one, two)


def test_a_head_is_read_as_it_was_written(tmp_path, head):
    save_head(tmp_path / "regions.npz", head._replace(about={"worth": "little"}))
    found = load_head(tmp_path / "regions.npz", size=2)
    for name, part in head._replace(about={"worth": "little"})._asdict().items():
        np.testing.assert_array_equal(getattr(found, name), part)
    first = (tmp_path / "regions.npz").read_bytes()
    save_head(tmp_path / "again.npz", found)
    assert (tmp_path / "again.npz").read_bytes() == first


def test_what_is_no_head_is_refused_in_one_line(tmp_path, head):
    save_head(tmp_path / "a.npz", head)
    with pytest.raises(InputError, match="of shape"):
        load_head(tmp_path / "a.npz", size=3)
    save_head(tmp_path / "b.npz", head._replace(bias=np.float32(np.nan)))
    (tmp_path / "c.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-60])
    (tmp_path / "d.npz").write_bytes(b"")
    np.savez(tmp_path / "e.npz", about=np.array([{}], object))
    for name in "bcde":
        with pytest.raises(InputError, match="no region head of this detector") as said:
            load_head(tmp_path / f"{name}.npz", size=2)
        assert "\n" not in str(said.value)


def test_a_detector_keeps_its_head_in_its_folder(tmp_path):
    spec = BackboneSpec(image_size=16, width=4)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(spec))
    mine = blank_head(size_of(params["head"]["kernel"].shape[0]))._replace(about={"fitted": 3})
    detector = Detector(params, np.zeros((1, 16, 16, 3), np.uint8), spec, {"learner": "erm"}, None, mine)
    save_detector(tmp_path / "d", detector)
    found = load_detector(tmp_path / "d")
    assert found.regions is not None
    assert found.regions.about == {"fitted": 3}
    np.testing.assert_array_equal(found.regions.scale, mine.scale)
    assert "regions.npz" in (tmp_path / "d" / "SHA256SUMS").read_text()
    save_head(tmp_path / "d" / "regions.npz", mine._replace(bias=np.float32(1)))
    with pytest.raises(InputError, match=r"regions\.npz in .* is damaged"):
        load_detector(tmp_path / "d")


def test_a_network_without_maps_is_refused():
    for spec in (
        BackboneSpec(),
        dataclasses.replace(SPEC, clip_levels="11", image_size=64),
        dataclasses.replace(SPEC, levels=""),
    ):
        with pytest.raises(InputError, match="no maps to look at"):
            maps_of(spec)
