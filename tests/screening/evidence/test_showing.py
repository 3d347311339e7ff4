"""What is shown beside a verdict: scores as they were calibrated, of features that passed, on faces one can see."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from metaforge.data.face_crops import FaceCrop, face_crops
from metaforge.screening import save_detector
from metaforge.screening.evidence.calibrating import Scoring, fit_scoring
from metaforge.screening.evidence.features import BY_NAME, FEATURES, measured
from metaforge.screening.evidence.heat import occlusion_map, rank_correlation
from metaforge.screening.evidence.showing import Showing, Shown, evidence
from metaforge.screening.evidence.view import view_of
from metaforge.screening.verdicts import FileVerdict, screener
from tests.screening.test_raw_pictures import detector


def test_a_scoring_finds_the_probabilities_that_labels_were_drawn_by():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(20_000, 1))
    p = 1 / (1 + np.exp(-(1.5 * z[:, 0] - 0.5 * z[:, 0] ** 2 + 0.5)))
    labels = (rng.random(len(p)) < p).astype(int)
    share = labels.mean()
    found = fit_scoring(z, labels)(np.array([[-1.0], [0.0], [1.0]]))
    # Both classes count alike, which shifts the logit by that of the share.
    wanted = np.array([-1.5, 0.5, 1.5]) - np.log(share / (1 - share))
    np.testing.assert_allclose(np.log(found / (1 - found)), wanted, atol=0.12)


def test_what_could_not_be_measured_counts_as_the_middle_and_an_odd_value_no_more_than_four_deviations():
    scoring = Scoring(np.array([1.0]), np.array([2.0]), np.array([1.0, 0.0, 0.0]))
    missing, middle, far, four = scoring(np.array([[np.nan], [1.0], [1e9], [9.0]]))
    assert missing == middle == 0.5
    assert far == four
    again = Scoring.from_json(json.loads(json.dumps(scoring.as_json())))
    assert all(np.array_equal(one, other) for one, other in zip(again, scoring, strict=True))


def test_what_ships_beat_the_rule_and_each_has_a_sentence():
    shown = evidence()
    assert shown.fitted_on
    for each in shown.shown:
        assert each.auc > 0.6
        assert each.feature in FEATURES
        assert np.isfinite([*each.scoring.mean, *each.scoring.scale, *each.scoring.weights]).all()


def plain():
    """A showing whose score is known: 0.5 where a value is 0."""
    feature = BY_NAME["light colour"]
    return Showing((Shown(feature, Scoring(np.zeros(3), np.ones(3), np.r_[1.0, np.zeros(6)]), 0.7),), None, "two")


def test_evidence_says_what_was_measured_on_that_face():
    picture = astronaut()
    (face,) = face_crops(picture, size=32)
    (found,) = plain()(picture, face)
    value = measured(BY_NAME["light colour"], view_of(picture, face.face), None)[0]
    assert found.value == pytest.approx(value, abs=1e-4)
    assert found.score == pytest.approx(1 / (1 + np.exp(-value)), abs=1e-3)
    assert (found.auc, found.tag) == (0.7, "derived")
    assert f"{value:.2f}" in found.text
    # Of a crop nobody has said where the face is; where there is none nothing is measured.
    (same,) = plain()(picture, FaceCrop(face.image, None, ()))
    # Who looks for one face alone is a little less exact.
    assert same.value == pytest.approx(found.value, abs=0.02)
    assert plain()(np.zeros((200, 200, 3), np.uint8), FaceCrop(face.image, None, ())) == ()


def test_records_have_evidence_if_it_is_asked_for(tmp_path):
    save_detector(tmp_path / "detector", detector())
    Image.fromarray(astronaut()).save(tmp_path / "a.png")
    made = screener(str(tmp_path / "detector"), evidence=True)._replace(measure=plain())
    (record,) = made.verdicts([tmp_path / "a.png"], root=tmp_path)
    assert [each.name for each in record.faces[0].evidence] == ["light colour"]
    assert FileVerdict.from_json(record.as_json()) == record
    assert screener(str(tmp_path / "detector")).measure is None
    assert screener(str(tmp_path / "detector"), evidence=True).measure == evidence()


def test_a_map_has_the_weight_of_each_cell_of_a_detector_that_is_linear():
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (16, 16, 3), np.uint8)
    weights = rng.normal(size=crop.shape)
    found = occlusion_map(lambda crops: (crops * weights).sum(axis=(1, 2, 3)), crop, grid=4)
    away = (crop - np.rint(crop.mean(axis=(0, 1)))) * weights
    np.testing.assert_allclose(found, away.reshape(4, 4, 4, 4, 3).sum(axis=(1, 3, 4)), rtol=1e-9)
    assert (occlusion_map(lambda crops: crops[:, 0, 0, 0] * 0.0, crop) == 0).all()


def test_a_map_changes_when_weights_are_drawn_anew():
    crop = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    weights = np.random.default_rng(1).normal(size=(2, 16, 16, 3))
    linear = [lambda crops, w=w: (crops * w).sum(axis=(1, 2, 3)) for w in weights]
    trained, random = (occlusion_map(each, crop) for each in linear)
    assert rank_correlation(trained, occlusion_map(linear[0], crop)) == 1.0
    # Of 64 cells: independent maps have a correlation with a deviation of 1/8.
    assert abs(rank_correlation(trained, random)) < 0.4


def test_a_map_of_a_small_network_changes_with_its_weights():
    import jax

    made = detector()
    leaves, tree = jax.tree.flatten(made.params)
    rng = np.random.default_rng(0)
    shuffled = jax.tree.unflatten(tree, [rng.permutation(np.ravel(each)).reshape(each.shape) for each in leaves])
    crop = np.asarray(Image.fromarray(astronaut()[:200, 130:330]).resize((16, 16)))
    maps = [
        occlusion_map(lambda crops, m=m: m.examine(crops, batch=17)[0], crop, grid=4)
        for m in (made, made, made._replace(params=shuffled))
    ]
    assert rank_correlation(maps[0], maps[1]) == 1.0
    assert rank_correlation(maps[0], maps[2]) < 0.9
