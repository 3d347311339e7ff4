"""Domains are filters, and the test split can be scored but not learned from."""

import numpy as np
import pytest

from metaforge.data.domains import TestSplit, by_method, split
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


@pytest.mark.parametrize(("column", "word"), [("video", "video"), ("identity", "person"), ("donor", "person")])
def test_what_stands_in_two_splits_is_refused(column, word):
    records = table(label=[0, 1], split=["train", "test"], **{column: ["same", "same"]})
    with pytest.raises(InputError, match=f"{word} 'same' is in the splits"):
        split(records)


def test_records_without_a_split_are_counted_and_refused():
    records = table(label=[0, 1, 1], split=["train", "", "test"])
    with pytest.raises(InputError, match=r"1 of 3 images are in no split\. Write train, validation or test"):
        split(records)
