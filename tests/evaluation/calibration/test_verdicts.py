import json

import numpy as np
import pytest

from metaforge.errors import InputError
from metaforge.evaluation.calibration import (
    Bands,
    Calibration,
    Familiarity,
    Judge,
    Verdict,
    doubted,
    fit_judge,
    track_verdict,
    uncalibrated_verdict,
    verdicts,
)

BANDS = Bands(0.2, 0.8, {"found": {"fpr": 0.05, "fnr": 0.1}})
JUDGE = Judge(Calibration(2.0, 1.0), BANDS, Familiarity((0.0, 10.0)))


def source(seed, *, rows=600):
    """Images of five collections: logits that are too sure and biased by collection, and their distances."""
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(2, size=rows), rng.choice(5, size=rows, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    logits = 4 * (rng.normal(2.0 * labels - 1, 1.0) + 0.3 * groups)
    return logits, labels, rng.gamma(3.0, size=rows), groups


def test_on_the_rows_of_the_fit_they_make_just_the_mistakes_that_are_told():
    logits, labels, distances, groups = source(0)
    judge = fit_judge(logits, labels, distances=distances, groups=groups, fpr=0.05, fnr=0.1)
    said = np.array([each.decision for each in verdicts(logits, distances, judge)])
    told = judge.bands.fitted_on
    for name in range(5):
        for kind, wrong, share in ((0, "fake", "fpr"), (1, "real", "fnr")):
            rows = (labels == kind) & (groups == name)
            assert (said[rows] == wrong).mean() == pytest.approx(told["groups"][str(name)][share])
    assert 0.04 < told["found"]["fpr"] <= 0.05 + 1e-12
    assert 0.09 < told["found"]["fnr"] <= 0.10 + 1e-12
    assert {*said} == {"real", "cannot tell", "fake"}


def test_logits_are_calibrated_with_each_collection_and_class_counted_the_same():
    logits, labels, distances, groups = source(1, rows=200)
    # Whole numbers of copies of each row, so that each collection and class has as many.
    counts = np.array([[((groups == g) & (labels == c)).sum() for c in (0, 1)] for g in range(5)])
    copies = np.rint(4_000 / counts[groups, labels]).astype(int)
    copied = fit_judge(*(np.repeat(each, copies) for each in (logits, labels)), spreads=(1e3, 1e3)).calibration
    np.testing.assert_allclose(
        fit_judge(logits, labels, groups=groups, spreads=(1e3, 1e3)).calibration, copied, rtol=0.01
    )
    # Distances have no say in it.
    assert fit_judge(logits, labels, distances=distances).calibration == fit_judge(logits, labels).calibration


def test_doubt_only_ever_ends_in_cannot_tell():
    logits = np.linspace(-4, 4, 33)
    near = [each.decision for each in verdicts(logits, np.zeros(33), JUDGE)]
    assert {*near} == {"real", "cannot tell", "fake"}
    before = near
    for distance in (5.0, 9.0, 9.1, 9.5, 9.7, 9.8, 11.0):
        now = [each.decision for each in verdicts(logits, np.full(33, distance), JUDGE)]
        assert all(new in (old, "cannot tell") for old, new in zip(before, now, strict=True))
        before = now
        if distance <= 9.0:
            assert now == near
    assert {*before} == {"cannot tell"}
    assert {each.p_fake for each in verdicts(logits, np.full(33, 11.0), JUDGE)} == {0.5}


def test_a_camera_that_shifts_every_score_accuses_nobody_if_it_is_far():
    logits, labels, distances, groups = source(2)
    judge = fit_judge(logits, labels, distances=distances, groups=groups)
    rng = np.random.default_rng(3)
    shifted = 4 * rng.normal(4.0, 1.0, 200)
    assert sum(each.decision == "fake" for each in verdicts(shifted, rng.gamma(3.0, size=200), judge)) > 150
    assert not [each for each in verdicts(shifted, 30 + rng.gamma(3.0, size=200), judge) if each.decision == "fake"]


def test_p_fake_is_the_logistic_function_of_the_calibrated_logit():
    (found,) = verdicts([-0.25], [2.5], JUDGE)
    assert found.p_fake == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert found.familiarity == pytest.approx(0.75)
    # Farther than 94 % of the source: half of the evidence is left.
    (found,) = verdicts([0.5], [9.4], JUDGE)
    assert found.p_fake == pytest.approx(1 / (1 + np.exp(-1.0)))


@pytest.mark.parametrize(
    ("logit", "distance", "decision", "reason"),
    [
        (3.0, 1.0, "fake", "above the threshold 0.80, as 5 % of the real source photographs are"),
        (-3.0, 1.0, "real", "below the threshold 0.20, as 10 % of the fake source photographs are"),
        (-0.5, 1.0, "cannot tell", "between the thresholds 0.20 and 0.80"),
        (-0.5, 99.0, "cannot tell", "between the thresholds 0.20 and 0.80"),  # it would not be told if it were near
        (3.0, 9.98, "cannot tell", "unlike 99.8 % of the source photographs"),
        (-3.0, 9.96, "cannot tell", "unlike 99.6 % of the source photographs"),
        (3.0, 9.999, "cannot tell", "unlike more than 99.9 % of the source photographs"),
        (3.0, np.inf, "cannot tell", "unlike more than 99.9 % of the source photographs"),
        (90.0, 9.7, "fake", "above the threshold 0.80, as 5 % of the real source photographs are"),
        (np.nan, 1.0, "cannot tell", "the detector gives no number"),
    ],
)
def test_the_reason_is_that_of_the_decision(logit, distance, decision, reason):
    (found,) = verdicts([logit], [distance], JUDGE)
    assert (found.decision, found.reason) == (decision, reason)


def test_a_threshold_near_1_is_not_printed_as_1():
    judge = Judge(Calibration(), Bands(0.0004, 0.99996, {"found": {"fpr": 0.0, "fnr": 1.0}}), None)
    low, middle, high = (found.reason for found in verdicts([-20.0, 0.0, 20.0], None, judge))
    assert low == "below the threshold 0.0004, as 100 % of the fake source photographs are"
    assert middle == "between the thresholds 0.0004 and 0.99996"
    assert high == "above the threshold 0.99996, as 0 % of the real source photographs are"


def test_without_distances_nothing_is_doubted():
    judge = JUDGE._replace(familiarity=None)
    (found,) = verdicts([3.0], None, judge)
    assert found == verdicts([3.0], [0.0], JUDGE)[0]._replace(familiarity=None)


def test_a_person_in_a_video_has_one_verdict_that_no_stray_frame_and_no_length_changes():
    rng = np.random.default_rng(5)
    logits, distances = rng.normal(size=9), rng.uniform(0, 8, size=9)
    one = track_verdict(logits, distances, JUDGE)
    assert one.p_fake == pytest.approx(1 / (1 + np.exp(-(2 * logits.mean() + 1))))
    assert one.familiarity == pytest.approx(1 - np.median(distances) / 10)
    twice = track_verdict(np.tile(logits, 2), np.tile(distances, 2), JUDGE)
    assert twice.p_fake == pytest.approx(one.p_fake)
    stray = np.where(distances == distances.max(), np.inf, distances)
    assert track_verdict(logits, stray, JUDGE).familiarity == one.familiarity
    for logit, distance in zip(logits, distances, strict=True):
        assert track_verdict([logit], [distance], JUDGE) == verdicts([logit], [distance], JUDGE)[0]


@pytest.mark.parametrize(
    ("p_fake", "decision"), [(0.51, "fake"), (0.5, "real"), (0.1, "real"), (np.nan, "cannot tell")]
)
def test_a_detector_that_was_not_calibrated_decides_at_one_half_and_says_so(p_fake, decision):
    found = uncalibrated_verdict(p_fake)
    assert (found.decision, found.familiarity) == (decision, None)
    assert ("not calibrated" in found.reason) == (not np.isnan(p_fake))


def test_a_judge_is_json():
    logits, labels, distances, groups = source(4, rows=80)
    for given in (distances, None):
        judge = fit_judge(logits, labels, distances=given, groups=groups)
        assert Judge.from_json(json.loads(json.dumps(judge.as_json()))) == judge


def test_bad_input_is_one_line():
    for message, call in [
        ("Give both", lambda: verdicts([1.0], None, JUDGE)),
        ("Give both", lambda: verdicts([1.0], [1.0], JUDGE._replace(familiarity=None))),
        ("one for each image", lambda: verdicts([[1.0]], [[1.0]], JUDGE)),
        ("one frame or more", lambda: track_verdict([], [], JUDGE)),
        ("without real rows", lambda: fit_judge([1.0], [1])),
        ("groups of", lambda: fit_judge([1.0, 2.0], [0, 1], groups=["a"])),
        ("distances of", lambda: fit_judge([1.0, 2.0], [0, 1], distances=[1.0])),
        ("object of calibration, bands, familiarity", lambda: Judge.from_json({"scale": 1.0})),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("decision", "notes", "expected", "said"),
    [
        ("fake", ["small"], "cannot tell", "the face is small; what is lost can look like a forgery"),
        ("fake", ["blurred", "cut off"], "cannot tell", "the face is cut off and blurred; what is lost"),
        ("fake", ["small", "blurred", "cut off"], "cannot tell", "the face is small, cut off and blurred; what"),
        ("fake", ["blurred", "perhaps no face"], "cannot tell", "perhaps no face"),
        ("real", ["perhaps no face"], "cannot tell", "perhaps no face"),
        ("cannot tell", ["perhaps no face"], "cannot tell", "perhaps no face"),
        ("real", ["small", "blurred"], "real", "why"),
        ("cannot tell", ["blurred"], "cannot tell", "why"),
        ("fake", [""], "fake", "why"),
        ("fake", ["the largest of 2 faces"], "fake", "why"),
    ],
)
def test_a_face_of_which_pixels_are_missing_is_not_called_fake(decision, notes, expected, said):
    found = doubted(Verdict(0.9, 0.3, decision, "why"), notes)
    assert (found.p_fake, found.familiarity, found.decision) == (0.9, 0.3, expected)
    assert found.reason.startswith(said)
