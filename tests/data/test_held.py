"""Many images are held in a file instead of in memory, and nothing else changes."""

import numpy as np
import pytest
from PIL import Image

from metaforge.data import held
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.screening import from_run
from metaforge.screening.target_images import read_target


@pytest.fixture
def target(tmp_path):
    """Nine pictures in two classes; one lies twice in a class, one in both, one is broken."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, 256, (12, 12, 3), np.uint8) for _ in range(7)]
    for name, which in {"real": (0, 1, 2, 1, 3), "fake": (4, 5, 3, 6)}.items():
        (tmp_path / name).mkdir()
        for place, number in enumerate(which):
            Image.fromarray(drawn[number]).save(tmp_path / name / f"{name}{place}.png")
    (tmp_path / "real" / "z.png").write_bytes(b"none")
    return tmp_path


def test_a_target_in_a_file_is_the_target_in_memory(target, monkeypatch):
    plain, *others = read_target(str(target), size=8)
    monkeypatch.setattr(held, "IN_MEMORY", 0)
    filed, *same = read_target(str(target), size=8)
    assert isinstance(plain, np.ndarray)
    assert isinstance(filed, held.HeldImages)
    assert all(isinstance(part, np.memmap) for part in filed.parts)
    np.testing.assert_array_equal(np.asarray(filed), plain)
    labels, groups, skipped, notes, stems = others
    np.testing.assert_array_equal(same[4], stems)
    np.testing.assert_array_equal(same[0], labels)
    np.testing.assert_array_equal(same[1], groups)
    assert same[2:4] == [skipped, notes]
    assert from_run.digests(filed) == from_run.digests(plain)
    rows = np.array([4, 0, 3])
    assert filed.shape == plain.shape
    assert filed[rows].shape == (3, 8, 8, 3)
    np.testing.assert_array_equal(np.asarray(filed[rows][1:]), plain[rows][1:])
    np.testing.assert_array_equal(np.asarray(filed[np.arange(6) % 2 == 0]), plain[::2])
    scores = [
        TestSplit(Records.from_columns(image=images[rows], label=labels[rows])).score(
            lambda batch: batch.mean(axis=(1, 2, 3)) / 255, batch=2
        )
        for images in (plain, filed)
    ]
    np.testing.assert_array_equal(*scores)


def test_what_fits_into_memory_stays_there(monkeypatch):
    monkeypatch.setattr(held, "IN_MEMORY", 2 * 8 * 8 * 3)
    assert not isinstance(held.room(2, 8), np.memmap)
    assert isinstance(held.room(3, 8), np.memmap)
    parts = [held.room(1, 8), held.room(1, 8)]
    assert isinstance(held.together(parts), np.ndarray)
    assert isinstance(held.together([*parts, parts[0]]), held.HeldImages)
