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


def test_structure_follows_the_formula_where_the_windows_are_flat():
    # Of flat windows SSIM is its luminance term, (2ab + C1) / (a^2 + b^2 + C1), with C1 = (0.01 * 255)^2.
    a, b, c = 100.0, 150.0, (0.01 * 255) ** 2
    expected = 1 - (2 * a * b + c) / (a * a + b * b + c)
    found = structure(grey(np.full((64, 64), a)), grey(np.full((64, 64), b)), ALL)
    assert found == pytest.approx(expected, abs=1e-6)


def test_independent_noise_has_another_structure():
    assert structure(noise(0), noise(1), ALL) > 0.9


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
