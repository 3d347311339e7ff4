"""What features are worth on collections left out: the rule is kept, and nothing that was left out is fitted on."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from skimage.data import astronaut

from experiments.evidence import folds, maps, table, values
from experiments.evidence.config import Config
from experiments.evidence.running import shipped
from metaforge.errors import InputError
from metaforge.forgeries.base import Face
from metaforge.screening.detector import Detector
from metaforge.screening.evidence.features import FEATURES
from metaforge.screening.evidence.showing import read_showing

METHODS = ("a", "b", "c", "d")


def drawn(*, each=6, seed=0):
    """Two features tell fakes, one of them in one collection only; the others are noise."""
    rng = np.random.default_rng(seed)
    rows = [(place, f"{place}{person}", kind, label) for place in ("x", "y", "z") for person in range(each)
            for kind in METHODS for label in (0, 1)]  # fmt: skip
    place, person, kind, label = (np.array(column) for column in zip(*rows, strict=True))
    found = {feature.name: rng.normal(size=(len(rows), 3)) for feature in FEATURES if feature.measure}
    found["noise"][:, 0] += 3 * label
    found["contour"][:, 0] += 6 * label * (place == "x")
    shapes = np.arange(136.0).reshape(68, 2) % 17 + rng.normal(size=(len(rows), 68, 2))
    return values.Values(found | {values.POINTS: shapes}, label, kind, place, person, np.full(len(rows), "none"))


@pytest.fixture(scope="module")
def measured():
    made = drawn()
    return made, folds.measure(Config(resamples=10), folds.folds(made))


def test_a_feature_that_tells_is_shown_and_noise_is_not(measured):
    made, rows = measured
    by_name = {row["name"]: row for row in rows}
    # Two normals that lie 3 deviations apart: an AUC of Phi(3 / sqrt(2)).
    assert by_name["noise"]["auc"]["value"] == pytest.approx(0.983, abs=0.02)
    assert by_name["noise"]["shown"]
    for row in rows:
        assert row["shown"] == (row["auc"]["value"] > 0.6 and row["auc"]["low"] > 0.5)
    assert not by_name["symmetry"]["shown"]
    assert by_name["contour"]["by_collection"]["y"]["value"] < 0.7
    found = read_showing(json.loads(json.dumps(shipped(made, rows))))
    assert {each.feature.name for each in found.shown} == {row["name"] for row in rows if row["shown"]}
    assert found.fitted_on == "x, y, z"


def test_folds_leave_out_a_collection_and_half_of_the_methods():
    made = drawn(each=3)
    first = folds.folds(made)
    assert [sorted(set(fold.values.kind.tolist())) for fold in first[:2]] == [["a", "c"], ["b", "d"]]
    assert [fold.values.collection[0] for fold in first] == ["x", "x", "y", "y", "z", "z"]
    # Whatever stands in what is left out, and in its collection or its methods elsewhere, changes no other score.
    other = made._replace(found={**made.found, "noise": made.found["noise"].copy()})
    unseen = (made.collection == "x") & np.isin(made.kind, ["b", "d"])
    other.found["noise"][unseen] += 100
    np.testing.assert_array_equal(folds.folds(other)[0].scores, first[0].scores)


def test_the_table_has_those_that_failed_as_large(measured):
    _, rows = measured
    rule = {"mean_above": 0.6, "lower_end_above": 0.5}
    report = {"features": rows, "people": {"x": 6}, "images": 144, "no_face": 0, "rule": rule}
    text = table.markdown(report)
    for row in rows:
        assert text.count(f"| {row['name']} |") == 3
    assert text.count("tried and failed") == sum(not row["shown"] for row in rows)


def test_one_photograph_a_person_and_no_more_people_than_asked_for():
    faces = [Face(np.zeros((4, 4, 3), np.uint8), None, f"{number}.png", str(number // 2)) for number in range(20)]
    found = values.some(Config(each=6), faces)
    assert len({face.identity for face in found}) == len(found) == 6
    assert len(values.some(Config(each=60), faces)) == 10


def test_all_features_are_measured_where_there_is_a_face_and_none_where_there_is_not():
    found = values.look_at(np.stack([astronaut()[20:244, 120:344], np.zeros((224, 224, 3), np.uint8)]))
    assert set(found) == {feature.name for feature in FEATURES if feature.measure} | {values.POINTS}
    for name, each in found.items():
        assert np.isfinite(each[0]).all(), name
        assert np.isnan(each[1]).all(), name


def test_values_that_were_kept_stay_and_newer_features_are_added_to_the_same_images_only():
    points = np.arange(12.0).reshape(1, 6, 2)
    old, fresh = {"noise": np.ones(3), values.POINTS: points}, {"detail": np.zeros(3), values.POINTS: points + 1e-3}
    found = values.completed(old, fresh, Path("kept.npz"))
    assert found["noise"] is old["noise"]
    assert found["detail"] is fresh["detail"]
    assert found[values.POINTS] is points
    with pytest.raises(InputError, match=r"kept\.npz"):
        values.completed(old, {**fresh, values.POINTS: points + 1}, Path("kept.npz"))
    assert values.completed({}, fresh, Path("kept.npz")) == fresh
    picture = astronaut()[None, 20:244, 120:344]
    assert set(values.look_at(picture, names=["detail"])) == {"detail", values.POINTS}


def test_shuffled_weights_are_the_same_numbers_elsewhere_and_cells_are_means():
    made = Detector({"weights": np.arange(6.0).reshape(2, 3), "bias": np.arange(2.0)}, None, None, {})
    mixed = maps.shuffled(made, [0, 1])
    for one, other in zip(jax.tree.leaves(made.params), jax.tree.leaves(mixed.params), strict=True):
        np.testing.assert_array_equal(np.sort(np.ravel(one)), np.sort(np.ravel(other)))
    mask = np.zeros((8, 8))
    mask[:4, :2] = 1.0
    assert maps._cells(mask, 2).tolist() == [[0.5, 0.0], [0.0, 0.0]]
