"""Domains are filters, and the test split can be scored but not learned from."""

import numpy as np
import pytest

from metaforge.data.domains import TestSplit, by_method, split, spread_frames
from metaforge.data.records import Records
from metaforge.errors import InputError


def table(**columns):
    count = len(columns["label"])
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    return Records.from_columns(image=images, **columns)


def test_reals_stand_beside_every_method_that_has_no_pairs():
    records = table(label=[0, 0, 1, 1, 1], method=["real", "real", "a", "a", "b"])
    domains = by_method(records, prefix="set/")
    assert domains.domains() == ["set/a", "set/b"]
    assert domains.rows(domain="set/a", label=0).size == 2
    assert domains.image[domains.rows(domain="set/b")][:, 0, 0, 0].tolist() == [0, 1, 4]


def test_pairs_choose_the_reals_of_a_domain():
    records = table(label=[0, 0, 0, 1, 1], method=["real"] * 3 + ["a", "b"], pair=["x", "y", "z", "x", "y"])
    domains = by_method(records)
    assert domains.image[domains.rows(domain="a", label=0)][:, 0, 0, 0].tolist() == [0]
    assert domains.image[domains.rows(domain="b", label=0)][:, 0, 0, 0].tolist() == [1]


def clips(**frames):
    """Videos by name, the real one "r", each with the frames given, all of one unit."""
    rows = [(video, frame) for video, numbers in frames.items() for frame in numbers]
    return table(
        label=[int(video != "r") for video, _ in rows],
        method=["real" if video == "r" else video for video, _ in rows],
        video=[video for video, _ in rows],
        pair=[f"r#{frame}" for _, frame in rows],
        frame=[frame for _, frame in rows],
    )


def test_a_real_video_with_a_pair_is_there_with_all_of_its_frames():
    domains = by_method(clips(r=[0, 10, 20, 30], swap=[0, 5]))
    assert domains.frame[domains.label == 0].tolist() == [0, 10, 20, 30]


def test_spreading_keeps_pairs_and_fills_up_with_a_videos_own():
    # 0, 20 and 40 are common; spread by itself, r would give 0, 20, 50 and swap 0, 25, 45.
    whole = clips(r=[0, 10, 20, 30, 40, 50], swap=[0, 20, 25, 40, 45], other=[0, 20, 40])
    of = lambda records, video: records.frame[records.rows(video=video)].tolist()
    assert [of(spread_frames(whole, 3), video) for video in ("r", "swap", "other")] == [[0, 20, 40]] * 3
    assert [of(spread_frames(whole, 2), video) for video in ("r", "swap", "other")] == [[0, 40]] * 3
    four = spread_frames(whole, 4)
    assert [of(four, video) for video in ("r", "swap", "other")] == [[0, 10, 20, 40], [0, 20, 25, 40], [0, 20, 40]]


def test_spreading_takes_no_more_than_asked_where_frames_have_no_number():
    records = table(label=[0] * 6, video=["a"] * 4 + ["b"] * 2, pair=["r#0"] * 6)
    assert np.unique(spread_frames(records, 3).video, return_counts=True)[1].tolist() == [3, 2]


def test_a_method_without_fakes_is_named_with_those_that_have_some():
    with pytest.raises(InputError, match=r"no fakes of method 'c'; there are: a, b"):
        by_method(table(label=[0, 1, 1], method=["real", "a", "b"]), ["c"])


def test_the_test_split_gives_scores_and_hands_out_no_image():
    records = table(label=[0, 1, 1, 0], split=["train", "validation", "test", "test"], video=list("abcd"))
    splits = split(records)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (1, 1, 2)
    assert isinstance(splits.test, TestSplit)
    assert not isinstance(splits.test, Records)
    assert not any(hasattr(splits.test, name) for name in ("image", "records", "take", "rows", "where"))
    seen = []
    scores = splits.test.score(lambda images: seen.append(images.shape) or images[:, 0, 0, 0] / 255.0, batch=1)
    np.testing.assert_allclose(scores, [2 / 255, 3 / 255])
    assert seen == [(1, 4, 4, 3)] * 2


def test_images_are_dealt_to_batches_of_one_size_the_same_every_time():
    test = TestSplit(table(label=[0, 1] * 5))
    seen: list[list[int]] = []

    def scorer(images):
        seen.append(images[:, 0, 0, 0].tolist())
        return images[:, 0, 0, 0] / 255

    expected = np.arange(10) / 255
    for _ in range(2):
        np.testing.assert_allclose(test.score(scorer, batch=4, deal=0), expected)
    assert seen[:3] == seen[3:]
    assert [len(batch) for batch in seen[:3]] == [4, 3, 3]
    dealt = [value for batch in seen[:3] for value in batch]
    assert sorted(dealt) == list(range(10))
    assert dealt != list(range(10))
    np.testing.assert_allclose(test.score(scorer, batch=4), expected)
    assert seen[6:] == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert TestSplit(table(label=[])).score(scorer).shape == (0,)


@pytest.mark.parametrize(("column", "word"), [("video", "video"), ("identity", "person"), ("donor", "person")])
def test_what_stands_in_two_splits_is_refused(column, word):
    records = table(label=[0, 1], split=["train", "test"], **{column: ["same", "same"]})
    with pytest.raises(InputError, match=f"{word} 'same' is in the splits"):
        split(records)


def test_records_without_a_split_are_counted_and_refused():
    records = table(label=[0, 1, 1], split=["train", "", "test"])
    with pytest.raises(InputError, match=r"1 of 3 images are in no split\. Write train, validation or test"):
        split(records)
