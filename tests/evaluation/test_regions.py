"""Scores of regions, masks and types against values counted by hand."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from metaforge.errors import InputError
from metaforge.evaluation.regions import RegionScore, mask_iou, per_region, region_score, type_confusion

TRUE = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]], bool)
SAID = np.array([[1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]], bool)


def test_counted_by_hand():
    # Of 3 that were named 2 are true; of 4 that are true 2 were named.
    assert region_score(TRUE, SAID) == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    found = per_region(TRUE, SAID, ["eyes", "nose", "mouth", "chin"])
    assert found["eyes"] == pytest.approx((1.0, 0.5, 2 / 3))
    assert found["nose"] == (0.0, 0.0, 0.0)  # true once, never said
    assert found["mouth"] == pytest.approx((0.5, 1.0, 2 / 3))
    assert found["chin"] == RegionScore(1.0, 1.0, 1.0)  # never true, never said


def test_another_implementation_agrees():
    rng = np.random.default_rng(0)
    true, said = (rng.random((2, 50, 6)) < 0.4)[:]
    expected = precision_recall_fscore_support(true, said, average="micro")[:3]
    assert region_score(true, said) == pytest.approx(expected)
    names = list("abcdef")
    t, s = ([names[i] for i in rng.integers(0, 6, 80)] for _ in range(2))
    np.testing.assert_array_equal(type_confusion(t, s, names), confusion_matrix(t, s, labels=names))


def test_said_where_nothing_is_true_scores_nothing():
    assert region_score(np.zeros((2, 3), bool), np.ones((2, 3), bool)) == (0.0, 0.0, 0.0)


def test_the_overlap_of_two_squares():
    one, other = np.zeros((2, 20, 20), bool)
    one[0:10, 0:10] = other[5:15, 5:15] = True
    assert mask_iou(one, other) == pytest.approx(25 / 175)
    assert mask_iou(one, one) == 1
    assert mask_iou(one & False, one & False) == 1
    assert mask_iou(one, one & False) == 0


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(InputError, match=r"\(3, 4\) are true and \(3, 3\) said"):
        region_score(TRUE, SAID[:, :3])
    with pytest.raises(InputError, match="2 names for 4 regions"):
        per_region(TRUE, SAID, ["a", "b"])
    with pytest.raises(InputError, match="'c' is not among"):
        type_confusion(["c"], ["a"], ["a", "b"])
    with pytest.raises(InputError, match="1 true ones and 2 said"):
        type_confusion(["a"], ["a", "b"], ["a", "b"])
