"""JPEG and H.264 do what they are known to do: lose more at lower quality, and fine colours before fine brightness."""

import sys
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metaforge.errors import InputError
from metaforge.forgeries import acquire, forge_pairs
from metaforge.forgeries.compression import check_h264, from_yuv420, h264, jpeg, to_yuv420


def texture(height=64, width=64, seed=0):
    noise = gaussian_filter(np.random.default_rng(seed).normal(0, 1, (height, width, 3)), (1, 1, 0))
    return np.clip(128 + 100 * noise, 0, 255).astype(np.uint8)


def error(image, other):
    return float(((image.astype(float) - other) ** 2).mean())


def stripes(first, second):
    """Columns of two colours in turn: the finest pattern that there is."""
    image = np.empty((32, 32, 3), np.uint8)
    image[:, ::2], image[:, 1::2] = first, second
    return image


def brightness(image):
    return image @ np.array([0.299, 0.587, 0.114])


# Equally bright by JPEG's weights to a grey level, for 0.299 * 100 = 0.587 * 51 to 0.04.
RED, GREEN = (150, 77, 100), (50, 128, 100)


@pytest.mark.parametrize(("frames", "motion"), [(1, (0, 0)), (4, (1, -2))])
def test_a_higher_crf_loses_more(frames, motion):
    # Grey, so that what is lost is not that of the colours, which is the same at every CRF.
    image = np.repeat(texture()[..., :1], 3, axis=-1)
    lost = [error(image, h264(image, crf, frames=frames, motion=motion)) for crf in (10, 18, 26, 34, 42)]
    assert lost == sorted(lost)
    assert lost[0] < lost[-1] / 10


def test_a_video_that_loses_nothing_shows_its_last_frame_where_it_was():
    # Grey, so that only brightness counts; CRF 0 in 8 bits loses no brightness but by the rounding to 16 to 235.
    image = np.repeat(texture()[..., :1], 3, axis=-1)
    for motion in ((0, 0), (2, -1), (-2, 2)):
        assert np.abs(h264(image, 0, frames=3, motion=motion).astype(int) - image).max() <= 1


@pytest.mark.parametrize("shape", [(16, 16), (33, 40), (40, 33), (17, 19)])
def test_any_size_comes_back_as_it_was(shape):
    image = texture(*shape)
    assert h264(image, 20, frames=2, motion=(1, 1)).shape == jpeg(image, 80, offset=(3, 7)).shape == image.shape
    assert error(image, h264(image, 15)) < 400


def test_the_same_picture_is_coded_the_same_whatever_was_coded_before():
    image = texture()
    first = h264(image, 28, frames=3, motion=(1, 0))
    h264(texture(seed=1), 35, frames=4)
    with ThreadPoolExecutor(2) as pool:
        for again in pool.map(lambda _: h264(image, 28, frames=3, motion=(1, 0)), range(4)):
            np.testing.assert_array_equal(first, again)


def test_a_whole_picture_in_the_coding_of_videos_is_exact_in_brightness_and_smooth_colours():
    ramp = np.tile(np.arange(40, 200, 5, dtype=np.uint8)[:, None, None], (1, 32, 3))
    assert np.abs(from_yuv420(to_yuv420(ramp)).astype(int) - ramp).max() <= 1
    assert np.abs(from_yuv420(to_yuv420(np.full((8, 8, 3), RED, np.uint8))).astype(int) - RED).max() <= 2
    # BT.709: white, black and pure red in numbers that its tables print.
    for colour, expected in (
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
    ):
        planes = to_yuv420(np.full((2, 2, 3), colour, np.uint8)).ravel()
        assert (planes[0], planes[4], planes[5]) == expected


def test_colours_for_four_pixels_lose_the_finest_colours_and_keep_the_finest_brightness():
    coloured, lit = stripes(RED, GREEN), stripes((60, 60, 60), (180, 180, 180))
    spread = lambda image: (image[..., 0].astype(float) - image[..., 1])[:, 8:24].std()
    for through in (
        lambda i: jpeg(i, 95, subsampling="4:2:0"),
        lambda i: from_yuv420(to_yuv420(i)),
        lambda i: h264(i, 5),
    ):
        assert spread(through(coloured)) < 0.1 * spread(coloured)
        assert brightness(through(lit)).std() > 0.95 * brightness(lit).std()
    assert spread(jpeg(coloured, 95, subsampling="4:4:4")) > 0.9 * spread(coloured)
    # One value for two pixels of a row: stripes across the rows stay, those along them do not.
    assert spread(jpeg(coloured, 95, subsampling="4:2:2")) < 0.1 * spread(coloured)
    turned = jpeg(coloured.transpose(1, 0, 2), 95, subsampling="4:2:2").transpose(1, 0, 2)
    assert spread(turned) > 0.9 * spread(coloured)


def test_the_grid_of_blocks_begins_where_it_is_told():
    image = texture()
    blocks = jpeg(image, 30, subsampling="4:4:4", offset=(3, 5)).astype(float).mean(axis=-1)
    steps = np.abs(np.diff(blocks, axis=0)).mean(axis=1)
    # A step from one block to the next is between rows 8 n - 4 and 8 n - 3.
    assert np.argmax([steps[place::8].mean() for place in range(8)]) == 8 - 3 - 1
    np.testing.assert_array_equal(jpeg(image, 30, offset=(0, 0)), jpeg(image, 30))


def test_who_has_no_h264_is_told_before_a_face_is_forged(monkeypatch):
    forge = lambda: next(forge_pairs([], methods=["warp"], acquisitions=["wild"], variants=1, seed=0))
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(InputError, match=r"'wild' needs H.264, which this PyAV was built without\. Install"):
        forge()
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        InputError, match=r"'wild' compresses as videos are, which needs PyAV\. Install the extra `video`"
    ):
        check_h264()
    image = texture()
    assert acquire(np.random.default_rng(0), [image], "varied")
