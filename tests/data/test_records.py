"""Records: filters, and the rule that splits share nobody."""

import numpy as np
import pytest

from metaforge.data.aside import set_aside
from metaforge.data.domains import by_method, split, spread_frames
from metaforge.data.files import ImageFiles
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


def masked(count, **columns):
    """Record i has the label i % 2, and i everywhere in its image and its mask."""
    filled = np.arange(count, dtype=np.uint8)[:, None, None]
    mask = np.broadcast_to(filled, (count, 2, 2))
    image = np.broadcast_to(filled[..., None], (count, 2, 2, 3))
    return Records.from_columns(image=image, label=np.arange(count) % 2, mask=mask, **columns)


def test_a_mask_goes_where_its_image_goes():
    video, method = [f"s/real/{n}" for n in range(40)], ["real", "a"] * 20
    records = masked(40, video=video, method=method, split=["test"] * 40, frame=np.arange(40))
    parts = split(records)
    tables = [
        records.take([3, 1, 2]),
        records.take(records.label == 1),
        records.where(label=0),
        concatenate([records.take([5, 4]), records.take([0])]),
        by_method(records),
        spread_frames(records, 1),
        set_aside(records, shots=2),
        parts.train,
    ]
    for table in tables:
        np.testing.assert_array_equal(table.mask[..., 0, 0], table.image[..., 0, 0, 0])
    assert tables[0].mask[:, 1, 1].tolist() == [3, 1, 2]
    assert tables[3].mask[:, 1, 1].tolist() == [5, 4, 0]


def test_masks_are_of_all_images_or_of_none():
    assert make(label=[0, 1]).take([1]).mask is None
    assert concatenate([make(label=[0]), make(label=[1])]).mask is None
    with pytest.raises(InputError, match="some tables have masks"):
        concatenate([make(label=[0]), masked(1)])
    with pytest.raises(ValueError, match="different lengths"):
        make(label=[0, 1], mask=np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match=r"\(4, 4\) for images of shape \(2, 2\)"):
        make(label=[0], mask=np.zeros((1, 4, 4)))


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"identity": ["a", "a"]}, "person 'a'"),
        ({"identity": ["a", "b"], "donor": ["b", ""]}, "person 'b'"),
        ({"identity": ["a", "b"], "video": ["v", "v"]}, "video 'v'"),
        # A fake and its original, of people whom nobody named.
        ({"video": ["s/real/a", "s/swap/a"], "pair": ["s/real/a#0", "s/real/a#7"]}, "video 's/real/a'"),
        ({"video": ["s/real/a", "s/swap/a"], "pair": ["", "s/real/a#7"]}, "video 's/real/a'"),
        ({"identity": ["a", ""], "pair": ["s/real/a#0", "s/real/a#7"]}, "video 's/real/a'"),
        ({"video": ["s/real/a#1", "s/swap/b"], "pair": ["s/real/a#1#0", "s/real/a#1#7"]}, "video 's/real/a#1'"),
    ],
)
def test_a_person_donor_or_video_in_two_splits_is_refused(columns, word):
    with pytest.raises(InputError, match=word):
        check_splits_are_disjoint(make(label=[0, 1], split=["train", "test"], **columns))


def test_disjoint_splits_pass():
    check_splits_are_disjoint(make(label=[0, 1], split=["train", "test"], identity=["a", "b"], video=["v", "w"]))


def test_people_who_are_named_apart_may_share_an_original():
    # As Celeb-DF has it with disjoint="video": who is who was decided, and said.
    pair = ["s/real/a#0", "s/real/a#7"]
    records = make(label=[0, 1], split=["test", "train"], identity=["a", "a@train"], pair=pair)
    check_splits_are_disjoint(records)
    assert records.originals().tolist() == ["", ""]


def test_originals_are_named_where_somebody_is_unknown():
    pair = ["r#0", "r#1", "q#0", "q#0", "", "plain"]
    records = make(label=[0, 1] * 3, identity=["", "a", "b", "b", "", ""], pair=pair)
    assert records.originals().tolist() == ["r", "r", "", "", "", "plain"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": [0, 1, 1, 1]}, "the file 'a.png' is both real and fake"),
        ({"split": ["train", "train", "test", "train"]}, "the file 'a.png' is in the splits 'train' and 'test'"),
        ({}, ""),
    ],
)
def test_a_file_has_one_label_and_one_split(changes, message):
    columns = {"label": [0, 1, 0, 1], "split": ["train"] * 4, "video": list("vwxy")} | changes
    records = Records.from_columns(image=ImageFiles(["a.png", "b.png", "a.png", "c.png"], size=2), **columns)
    if not message:
        check_splits_are_disjoint(records)
        return
    with pytest.raises(InputError, match=message):
        check_splits_are_disjoint(records)
