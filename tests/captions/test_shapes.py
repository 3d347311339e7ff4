"""What is done to masks, against scipy and skimage, to the pixel."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab
from skimage.draw import polygon
from skimage.morphology import disk

from metaforge.captions.cues import _lab
from metaforge.captions.difference import _median
from metaforge.captions.shapes import (
    box_of,
    closed,
    inside_of,
    spread,
    without_holes,
    without_small_parts,
    without_spikes,
)


def blobs(seed, shape=(37, 52)):
    return gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.3) > 0.12


MASKS = [blobs(seed) for seed in range(4)] + [np.zeros((9, 7), bool), np.ones((9, 7), bool), np.eye(12, dtype=bool)]


@pytest.mark.parametrize("mask", MASKS)
def test_masks_are_treated_as_scipy_does(mask):
    for reach in (1, 2, 5, 60):
        np.testing.assert_array_equal(spread(mask, reach), ndimage.binary_dilation(mask, disk(reach)))
    for reach in (1, 3):
        room = ndimage.binary_closing(np.pad(mask, 2 * reach), disk(reach))[2 * reach : -2 * reach]
        np.testing.assert_array_equal(closed(mask, reach), room[:, 2 * reach : -2 * reach])
    np.testing.assert_array_equal(without_holes(mask), ndimage.binary_fill_holes(mask))
    np.testing.assert_array_equal(without_spikes(mask), ndimage.binary_opening(mask, np.ones((2, 2))))
    parts, count = ndimage.label(mask)
    kept = [part for part in range(1, count + 1) if (parts == part).sum() >= 5]
    np.testing.assert_array_equal(without_small_parts(mask, 5.0), np.isin(parts, kept))


def test_a_box_holds_the_mask_and_no_more():
    mask = blobs(0)
    inner = np.zeros((60, 80), bool)
    inner[10:47, 12:64] = mask
    rows, columns = np.nonzero(inner)
    assert box_of(inner, 0) == np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert inner[box_of(np.zeros((4, 4), bool), 3)].size == 0


@pytest.mark.parametrize("seed", range(5))
def test_outlines_are_filled_as_skimage_does(seed):
    # Also such that cross themselves, and that leave the image.
    corners = np.random.default_rng(seed).uniform(-8, 48, (9, 2))
    expected = np.zeros((40, 33), bool)
    expected[polygon(corners[:, 1], corners[:, 0], expected.shape)] = True
    np.testing.assert_array_equal(inside_of(corners, expected.shape), expected)
    assert not inside_of(corners + 100, expected.shape).any()


def test_two_outlines_share_an_edge_and_no_pixel():
    square = np.array([[1.0, 1], [4, 1], [4, 5], [1, 5]])
    left, right = inside_of(square, (8, 10)), inside_of(square + np.array([3, 0]), (8, 10))
    assert not (left & right).any()
    assert (left | right).sum() == 6 * 4


def test_the_median_is_scipys():
    image = np.random.default_rng(0).integers(0, 700, (31, 40)).astype(np.uint16)
    np.testing.assert_array_equal(_median(image), ndimage.median_filter(image, 3))


def test_lab_is_skimages():
    drawn = np.random.default_rng(0)
    colours = drawn.integers(0, 256, (500, 3)).astype(np.uint8)
    np.testing.assert_allclose(_lab(colours), rgb2lab(colours[None])[0], atol=1e-6)
