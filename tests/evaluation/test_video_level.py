import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from metaforge.errors import InputError
from metaforge.evaluation import metrics
from metaforge.evaluation.video_level import RULES, video_scores

METHODS = ("Deepfakes", "FaceSwap", "Face2Face", "NeuralTextures")


def draw_frames(seed=0, *, videos=40):
    """A table of frames in no order, with videos of 1 to 40 frames, some of them decided; names shared by methods."""
    rng = np.random.default_rng(seed)
    table = []
    for number in range(videos):
        method = ("", "swap", "gan")[number % 3]
        key = (("ff", "dfdc")[number % 2], method, f"{number // 3:03d}")
        level = rng.choice([0.1, 0.5, 0.9])
        frames = np.clip(rng.normal(level, rng.choice([0.02, 0.3]), size=rng.integers(1, 41)), 0, 1).round(3)
        table += [(*key, int(method != ""), frame) for frame in frames]
    dataset, method, video, labels, scores = zip(*(table[i] for i in rng.permutation(len(table))), strict=True)
    return np.array(scores), np.array(labels), {"dataset": [*dataset], "method": [*method], "video": [*video]}


def by_hand(scores, labels, columns, rule):
    """The frames of every key, in a plain loop."""
    groups = {}
    for score, label, *key in zip(scores, labels, *columns.values(), strict=True):
        groups.setdefault(tuple(key), []).append((score, label))
    values = [rule(np.array([score for score, _ in groups[key]])) for key in sorted(groups)]
    return np.array(values), [groups[key][0][1] for key in sorted(groups)], sorted(groups)


def confident(frames, branches):
    """The rule as it is told: many sure frames, else nearly all clean, else the mean."""
    fake, real = frames[frames > 0.8], frames[frames < 0.2]
    if len(fake) > len(frames) // 2.5 and len(fake) > 11:
        branches.append("fake")
        return fake.mean()
    if len(real) > 0.9 * len(frames):
        branches.append("real")
        return real.mean()
    branches.append("mean")
    return frames.mean()


def faceforensics(seed=0, *, ids=140, frames=8):
    """The test split of FaceForensics++: 140 reals, and 140 pairs forged by four methods, of which two are seen."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(ids):
        rows.append(("", f"{number:03d}", 0, 0.0))
        pair = f"{number:03d}_{(number + 1) % ids:03d}"
        rows += [(method, pair, 1, seen) for method, seen in zip(METHODS, (3.5, 3.5, -0.3, -0.3), strict=True)]
    method, video, labels, centre = (np.repeat(column, frames) for column in zip(*rows, strict=True))
    logits = centre + np.repeat(rng.normal(size=len(rows)), frames) + rng.normal(0, 0.3, size=len(centre))
    return 1 / (1 + np.exp(-logits)), labels, {"dataset": "FaceForensics++", "method": method, "video": video}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rule", "plain"), [("mean", np.mean), ("max", np.max)])
def test_videos_are_grouped_by_data_set_method_and_name(rule, plain, seed):
    scores, labels, columns = draw_frames(seed)
    found = video_scores(scores, labels, **columns, rule=rule)
    values, kinds, keys = by_hand(scores, labels, columns, plain)
    np.testing.assert_allclose(found.scores, values, rtol=1e-14)
    np.testing.assert_array_equal(found.labels, kinds)
    assert [tuple(key) for key in found.keys.tolist()] == keys
    assert found.scores.dtype == np.float64
    assert found.labels.dtype == np.int32


def test_the_confident_rule_is_that_of_a_plain_loop_in_all_its_branches():
    branches = []
    for seed in range(4):
        scores, labels, columns = draw_frames(seed)
        values, _, _ = by_hand(scores, labels, columns, lambda frames: confident(frames, branches))
        found = video_scores(scores, labels, **columns, rule="confident").scores
        np.testing.assert_allclose(found, values, rtol=1e-14)
    assert min(branches.count(branch) for branch in ("fake", "real", "mean")) > 10


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([0.9] * 12 + [0.5] * 18, 0.66),  # 30 // 2.5 is 12: twelve sure frames are not more
        ([0.9] * 13 + [0.5] * 17, 0.9),
        ([0.9] * 11, 0.9),  # all frames alike: the mean of the sure ones is the mean
        ([0.9] * 11 + [0.4] * 9, 0.675),  # eleven are not more than eleven
        ([0.9] * 12 + [0.4] * 8, 0.9),
        ([0.8] * 12 + [0.4] * 8, 0.64),  # 0.8 is not above 0.8
        ([0.1] * 9 + [0.9], 0.18),  # nine of ten are not more than nine tenths
        ([0.1] * 19 + [0.9], 0.1),
    ],
)
def test_the_borders_of_the_confident_rule(frames, expected):
    found = video_scores(frames, [1] * len(frames), dataset="d", method="m", video="v", rule="confident")
    np.testing.assert_allclose(found.scores, [expected], rtol=1e-14)


def test_forgeries_of_one_pair_are_four_videos_and_merging_them_inflates_the_auc():
    scores, labels, columns = faceforensics()
    ours = video_scores(scores, labels, **columns)
    merged = video_scores(scores, labels, **columns, grouping="dfb_compat")
    assert (len(ours.labels), len(merged.labels)) == (700, 280)
    # The frames of a video are neighbours in this table, so its true groups are plain rows of 8.
    truth = roc_auc_score(labels[::8], scores.reshape(700, 8).mean(axis=1))
    assert 0.65 < truth < 0.75
    np.testing.assert_allclose(metrics.auc(ours.labels, ours.scores), truth, rtol=1e-12)
    assert metrics.auc(merged.labels, merged.scores) > truth + 0.1


def test_merged_videos_are_fake_if_all_of_their_frames_are():
    columns = {"dataset": ["a", "b", "a", "a"], "method": ["", "m", "m", "n"], "video": ["x/1", "y\\1", "2", "z/2/"]}
    found = video_scores([0.1, 0.3, 0.6, 0.8], [0, 1, 1, 1], **columns, grouping="dfb_compat")
    assert found.keys.tolist() == [["", "", "1"], ["", "", "2"]]
    assert found.labels.tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, [0.2, 0.7])


@pytest.mark.parametrize("grouping", ["video", "dfb_compat"])
@pytest.mark.parametrize("rule", RULES)
def test_a_shuffled_table_gives_the_same_numbers(rule, grouping):
    scores, labels, columns = draw_frames(2)
    rng = np.random.default_rng(1)
    plain = video_scores(scores, labels, **columns, rule=rule, grouping=grouping)
    for _ in range(5):
        order = rng.permutation(len(labels))
        shuffled = {name: np.array(column)[order] for name, column in columns.items()}
        found = video_scores(scores[order], labels[order], **shuffled, rule=rule, grouping=grouping)
        for before, after in zip(plain, found, strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("kind", [str, object, np.dtypes.StringDType(), list])
def test_columns_are_text_of_any_kind(kind):
    scores, labels, columns = draw_frames(1)
    expected = video_scores(scores, labels, **columns)
    given = {name: list(column) if kind is list else np.array(column, dtype=kind) for name, column in columns.items()}
    found = video_scores(scores, labels, **given)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_names_of_other_scripts_and_lengths_stay_apart():
    video = np.array(["ф", "фф", "a" * 300, "a" * 299, "A"], np.dtypes.StringDType())
    found = video_scores(np.arange(5) / 10, [0, 1, 0, 1, 0], dataset="d", method="", video=video)
    assert found.keys[:, 2].tolist() == sorted(video.tolist())


@pytest.mark.parametrize("rule", RULES)
def test_a_stack_of_scores_equals_one_call_each(rule):
    _, labels, columns = draw_frames(3)
    scores = np.random.default_rng(0).beta(0.3, 0.3, size=(2, 3, len(labels))).astype(np.float32)
    stacked = video_scores(scores, labels, **columns, rule=rule)
    assert stacked.scores.shape == (2, 3, len(stacked.labels))
    for i, j in np.ndindex(2, 3):
        one = video_scores(scores[i, j], labels, **columns, rule=rule)
        np.testing.assert_array_equal(stacked.scores[i, j], one.scores)


def test_a_video_of_two_labels_is_named():
    columns = {"dataset": "ff", "method": ["", "swap", "swap"], "video": ["000", "000_003", "000_003"]}
    with pytest.raises(InputError, match=r"\('ff', 'swap', '000_003'\)") as caught:
        video_scores([0.1, 0.2, 0.3], [0, 1, 0], **columns)
    assert "\n" not in str(caught.value)


def test_malformed_input_is_refused_in_one_line():
    good = {"dataset": "d", "method": ["", "m"], "video": ["1", "2"]}
    scores, labels = [0.1, 0.9], [0, 1]
    cases = [
        ("unknown rule 'median'", scores, labels, {**good, "rule": "median"}),
        ("grouping 'name'", scores, labels, {**good, "grouping": "name"}),
        ("probabilities", [-1.0, 3.0], labels, good),
        ("NaN", [0.1, np.nan], labels, good),
        ("neither 0", scores, [0, 2], good),
        ("do not match", scores, [0, 1, 1], good),
        ("has no video", scores, labels, {**good, "video": ["1", ""]}),
        ("column video must be text", scores, labels, {**good, "video": [1, 2]}),
        ("column method must be text", scores, labels, {**good, "method": np.array(["m", None])}),
        ("column method must be text", scores, labels, {**good, "method": ["m"]}),
        ("column dataset must be text", scores, labels, {**good, "dataset": [["d", "d"]]}),
    ]
    for message, given_scores, given_labels, columns in cases:
        with pytest.raises(InputError, match=message) as caught:
            video_scores(given_scores, given_labels, **columns)
        assert "\n" not in str(caught.value)
