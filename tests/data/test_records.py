"""Records: filters, and the rule that splits share nobody."""

import numpy as np
import pytest

from metaforge.data.records import Records, check_splits_are_disjoint, concatenate
from metaforge.errors import InputError


def make(**columns):
    count = len(columns["label"])
    return Records.from_columns(image=np.zeros((count, 2, 2, 3), np.uint8), **columns)


def test_filters_combine_and_accept_several_values():
    records = make(label=[0, 1, 0, 1], domain=["a", "a", "b", "c"])
    assert records.rows(domain=("a", "b"), label=0).tolist() == [0, 2]
    assert records.where(domain="c").label.tolist() == [1]
    assert records.domains() == ["a", "b", "c"]


def test_unknown_or_uneven_columns_are_refused():
    with pytest.raises(ValueError, match="unknown columns"):
        make(label=[0], colour=["red"])
    with pytest.raises(ValueError, match="different lengths"):
        make(label=[0, 1], domain=["a"])


def test_concatenate_keeps_order_and_refuses_mixed_sizes():
    one, two = make(label=[0], domain=["a"]), make(label=[1], domain=["b"])
    assert concatenate([one, two]).domain.tolist() == ["a", "b"]
    big = Records.from_columns(image=np.zeros((1, 4, 4, 3), np.uint8), label=[0])
    with pytest.raises(InputError, match="different sizes"):
        concatenate([one, big])


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"identity": ["a", "a"]}, "person 'a'"),
        ({"identity": ["a", "b"], "donor": ["b", ""]}, "person 'b'"),
        ({"identity": ["a", "b"], "video": ["v", "v"]}, "video 'v'"),
    ],
)
def test_a_person_donor_or_video_in_two_splits_is_refused(columns, word):
    with pytest.raises(InputError, match=word):
        check_splits_are_disjoint(make(label=[0, 1], split=["train", "test"], **columns))


def test_disjoint_splits_pass():
    check_splits_are_disjoint(make(label=[0, 1], split=["train", "test"], identity=["a", "b"], video=["v", "w"]))
