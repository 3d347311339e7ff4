"""The five cues against closed forms and plain loops."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metaforge.captions.cues import CUES, blur, boundary, colour_difference, structure, texture

ALL = np.ones((64, 64), bool)


def grey(values):
    return np.repeat(np.round(values).astype(np.uint8)[..., None], 3, axis=-1)


def noise(seed=0, sigma=20.0):
    return grey(np.clip(128 + np.random.default_rng(seed).normal(0, sigma, (64, 64)), 0, 255))


def lightness(level):
    """L* of a grey sRGB level, from IEC 61966-2-1 and CIE 15."""
    linear = ((level / 255 + 0.055) / 1.055) ** 2.4
    return 116 * linear ** (1 / 3) - 16


def test_greys_differ_by_their_lightness():
    real, fake = grey(np.full((64, 64), 100.0)), grey(np.full((64, 64), 140.0))
    assert colour_difference(real, fake, ALL) == pytest.approx(lightness(140) - lightness(100), abs=0.02)


def test_only_the_colour_inside_the_mask_counts():
    real = grey(np.full((64, 64), 100.0))
    fake = real.copy()
    fake[:32] = (255, 0, 0)
    below = ALL.copy()
    below[:32] = False
    assert colour_difference(real, fake, below) == 0


def test_a_gaussian_weakens_a_wave_by_its_closed_form():
    # A wave of angular frequency w leaves a Gaussian of deviation s with exp(-(s w)^2 / 2) of its amplitude.
    frequency, sigma = 2 * np.pi / 8, 1.0
    wave = np.tile(100 * np.sin(frequency * np.arange(64)), (64, 1))
    softened = gaussian_filter(wave, sigma, mode="wrap")
    inside = np.zeros((64, 64), bool)
    inside[8:-8, 8:-8] = True  # whole periods, and away from the border
    expected = (sigma * frequency) ** 2 / np.log(2)
    assert blur(grey(128 + wave), grey(128 + softened), inside) == pytest.approx(expected, rel=0.02)
    assert blur(grey(128 + softened), grey(128 + wave), inside) == pytest.approx(-expected, rel=0.02)


def test_equal_images_differ_in_nothing():
    image = noise()
    square = np.zeros((64, 64), bool)
    square[20:40, 20:40] = True
    values = {name: cue.measure(image, image, square) for name, cue in CUES.items()}
    assert values == pytest.approx(dict.fromkeys(CUES, 0.0), abs=1e-12)


def test_gain_and_offset_are_no_structure():
    waves = noise(0, 30)[..., 0]
    softened = gaussian_filter(waves.astype(float), 3)
    softened = 128 + 60 * (softened - softened.mean()) / np.ptp(softened)
    assert structure(grey(softened), grey(0.5 * softened + 90), ALL) == pytest.approx(0, abs=0.01)  # whole grey levels
    assert structure(grey(np.full((64, 64), 100.0)), grey(np.full((64, 64), 150.0)), ALL) == pytest.approx(0, abs=1e-9)


def test_structure_is_the_correlation_under_a_gaussian_window():
    # At one pixel of an image of 64, by plain sums: smoothed by 0.6 pixels, windows of 1 pixel's deviation.
    images = noise(0, 40), noise(1, 40)
    off = np.arange(-4, 5)
    weights = np.exp(-(off[:, None] ** 2 + off[None] ** 2) / 2)
    weights /= weights.sum()
    ours, theirs = (gaussian_filter(image[..., 0].astype(float), 0.6)[28:37, 16:25] for image in images)
    means = (weights * ours).sum(), (weights * theirs).sum()
    variances = [(weights * (part - mean) ** 2).sum() for part, mean in zip((ours, theirs), means, strict=True)]
    together = (weights * (ours - means[0]) * (theirs - means[1])).sum()
    least = (0.03 * 255) ** 2 / 2
    mask = np.zeros((64, 64), bool)
    mask[32, 20] = True
    expected = 1 - (together + least) / (np.sqrt(variances[0] * variances[1]) + least)
    assert structure(*images, mask) == pytest.approx(expected, abs=1e-6)


def test_a_shift_lowers_the_structure_more_than_blur_and_noise():
    image = gaussian_filter(np.random.default_rng(0).normal(size=(96, 96)), 2.5)
    image = 128 + 100 * image / np.abs(image).max()
    mask = np.zeros((96, 96), bool)
    mask[20:-20, 20:-20] = True
    drawn = np.random.default_rng(1).normal(0, 8, image.shape)
    shifted, blurred, noisy = np.roll(image, 3, axis=1), gaussian_filter(image, 1.5), np.clip(image + drawn, 0, 255)
    moved, *others = (structure(grey(image), grey(fake), mask) for fake in (shifted, blurred, noisy))
    assert moved > 10 * max(others)


def contrast(image, mask):
    """The contrast of a symmetric co-occurrence, pair by pair."""
    levels = (image[..., 0].astype(float) * 32 / 256).astype(int)
    found = []
    for down, across in ((0, 1), (1, 1), (1, 0), (1, -1)):
        for y in range(64 - down):
            for x in range(max(0, -across), 64 - max(0, across)):
                if mask[y, x] and mask[y + down, x + across]:
                    found.append((levels[y, x] - levels[y + down, x + across]) ** 2)
    return np.mean(found)


def test_texture_is_the_contrast_counted_pair_by_pair():
    mask = np.zeros((64, 64), bool)
    mask[10:30, 12:40] = mask[25:50, 30:35] = True
    weak, strong = noise(0, 10), noise(1, 40)
    expected = np.log2((contrast(strong, mask) + 1 / 32) / (contrast(weak, mask) + 1 / 32))
    # Grey levels on the edge of a bin may be rounded into the other one.
    assert texture(weak, strong, mask) == pytest.approx(expected, rel=0.02)
    assert texture(weak, strong, mask) == pytest.approx(-texture(strong, weak, mask))


def test_a_hard_edge_shows_and_a_ramp_along_the_outline_does_not():
    real = grey(np.full((64, 64), 100.0))
    square = np.zeros((64, 64), bool)
    square[20:44, 20:44] = True
    pasted = real.copy()
    pasted[square] += 60
    # A seam of 60 levels between two flat sides: gradients of 30 a pixel on both sides of it, of about 4 pixels.
    assert 3 < boundary(real, pasted, square) < np.log2(31)
    half = np.zeros((64, 64), bool)
    half[:32] = True  # its outline runs across; the ramp does too
    ramp = grey(np.tile(100.0 + np.arange(64), (64, 1)))
    assert boundary(real, ramp, half) == pytest.approx(0, abs=1e-6)
    assert boundary(real, pasted, ALL) == 0
