"""Kept features: each image once, whoever asks, however often it was cut off."""

import numpy as np
import pytest

from metaforge.backbones.store import stored


class Counting:
    """Doubles images, counts them, and fails after some."""

    def __init__(self, fails_after=10**9):
        self.seen, self.fails_after = 0, fails_after

    def __call__(self, rows):
        self.seen += len(rows)
        if self.seen > self.fails_after:
            raise KeyboardInterrupt
        return rows.mean(axis=(1, 2)) * 2.0


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)


def test_each_image_is_computed_once_however_often_it_is_there(tmp_path):
    rows = images(10)
    some = rows[[3, 1, 3, 3, 9]]
    compute = Counting()
    found = stored(compute, some, folder=tmp_path, block=2)
    np.testing.assert_allclose(found, some.mean(axis=(1, 2)) * 2, rtol=1e-3)
    assert compute.seen == 3
    assert found.dtype == np.float16
    np.testing.assert_array_equal(stored(compute, rows, folder=tmp_path)[[3, 1, 3, 3, 9]], found)
    assert compute.seen == 10


def test_what_was_cut_off_goes_on(tmp_path):
    rows, reports = images(10), []
    with pytest.raises(KeyboardInterrupt):
        stored(Counting(fails_after=6), rows, folder=tmp_path, block=3)
    compute = Counting()
    found = stored(compute, rows, folder=tmp_path, block=3, progress=reports.append)
    assert compute.seen == 4
    assert reports == [3, 1]
    np.testing.assert_array_equal(found, stored(Counting(fails_after=0), rows, folder=tmp_path))
    assert not list(tmp_path.glob("*.tmp"))


def test_a_damaged_file_counts_as_missing(tmp_path):
    rows, compute = images(6), Counting()
    before = stored(compute, rows, folder=tmp_path, block=3)
    for path, content in zip(sorted(tmp_path.glob("*.npz")), (b"", b"PK\x03\x04 cut"), strict=True):
        path.write_bytes(content)
    np.testing.assert_array_equal(stored(compute, rows, folder=tmp_path, block=3), before)
    assert compute.seen == 12


def test_other_shapes_are_other_images(tmp_path):
    flat = np.zeros((1, 2, 8, 3), np.uint8)
    compute = Counting()
    stored(compute, flat, folder=tmp_path)
    stored(compute, flat.reshape(1, 4, 4, 3), folder=tmp_path)
    assert compute.seen == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e5])
def test_what_half_precision_cannot_hold_is_refused(tmp_path, value):
    with pytest.raises(ValueError, match="beyond what float16 holds"):
        stored(lambda rows: np.full((len(rows), 1), value), images(2), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no images"):
        stored(Counting(), images(0), folder=tmp_path)


def test_features_are_read_only_of_files_that_have_a_wanted_image(tmp_path, monkeypatch):
    rows, read = images(5), []
    stored(Counting(), rows, folder=tmp_path, block=1)
    whole = np.lib.npyio.NpzFile.__getitem__
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", lambda file, name: read.append(name) or whole(file, name))
    found = stored(Counting(fails_after=0), rows[2:3], folder=tmp_path)
    np.testing.assert_allclose(found, rows[2:3].mean(axis=(1, 2)) * 2, rtol=1e-3)
    assert sorted(read) == ["keys"] * 5 + ["values"]
