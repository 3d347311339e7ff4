"""Augmentations against closed forms and libjpeg."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.data import augmentation
from metaforge.data.augmentation import AUGMENTATIONS, RATE, augmented, named
from metaforge.errors import InputError
from metaforge.forgeries.compression import jpeg as libjpeg

SIZE = 24


def photograph(size=SIZE, seed=0):
    """Something smooth with edges, uint8."""
    rng, at = np.random.default_rng(seed), np.arange(size) / size
    waves = 90 * np.sin(6 * at[:, None, None] * rng.uniform(0.5, 2, 3) + 4 * at[None, :, None] + rng.uniform(0, 6, 3))
    image = 128 + waves + rng.normal(0, 3, (size, size, 3))
    image[size // 4 : size // 2, size // 3 : 2 * size // 3] += 40
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


IMAGES = jnp.asarray(np.stack([photograph(seed=seed) for seed in range(6)]))


ENDS = jnp.asarray(np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (2, SIZE, SIZE, 3)))


@pytest.fixture(scope="module")
def each():
    """Every augmentation alone at no rate, at full rate, and as it is; all in one program."""
    keys = jax.random.split(jax.random.key(0), len(ENDS))

    @jax.jit
    def run(rate):
        return {
            name: (augmented(jax.random.key(1), IMAGES, (name,), rate=rate), jax.vmap(one)(keys, ENDS.astype(float)))
            for name, one in AUGMENTATIONS.items()
        }

    return run(0.0), run(1.0)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_at_no_rate_an_image_stays_as_it_is_and_at_full_rate_it_does_not(each, name):
    never, always = (np.asarray(found[name][0]) for found in each)
    np.testing.assert_array_equal(never, IMAGES)
    assert always.dtype == np.uint8
    assert (always != np.asarray(IMAGES)).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_values_stay_within_bytes_where_they_would_leave_them(each, name):
    found = each[0][name][1]
    assert found.min() >= -1e-3
    assert found.max() <= 255 + 1e-3


def test_half_of_the_images_are_mirrored_and_the_rest_are_as_they_were():
    count = 4000
    # An image whose left and right differ, so small that many of them cost nothing.
    images = jnp.tile(jnp.array([[[0] * 3, [255] * 3]], jnp.uint8), (count, 1, 1, 1))
    found = np.asarray(augmented(jax.random.key(0), images, ("flip",)))[:, 0, 0, 0]
    assert set(found.tolist()) == {0, 255}
    # Four standard deviations of a coin that is thrown so often.
    assert abs((found == 255).mean() - RATE) < 4 * np.sqrt(RATE * (1 - RATE) / count)


def test_each_image_has_its_own_draw_and_a_key_gives_it_again():
    same = jnp.tile(IMAGES[:1], (8, 1, 1, 1))
    run = jax.jit(lambda key: augmented(key, same, ("crop", "contrast")))
    first = np.asarray(run(jax.random.key(0)))
    np.testing.assert_array_equal(first, run(jax.random.key(0)))
    assert len({image.tobytes() for image in first}) >= 5  # a quarter of them are left as they are
    assert (first != np.asarray(run(jax.random.key(1)))).any()


def test_a_crop_is_a_linear_piece_of_a_ramp():
    ramp = jnp.broadcast_to(jnp.arange(50.0)[:, None, None], (50, 50, 3))
    for seed in range(5):
        rows = np.asarray(augmentation.crop(jax.random.key(seed), ramp))[:, 0, 0]
        steps = np.diff(rows)[1:-1]  # bilinear interpolation keeps a ramp a ramp, but for repeated edges
        np.testing.assert_allclose(steps, steps[0], atol=1e-3)
        assert 0.8 - 1e-3 <= steps[0] <= 1 + 1e-3
        assert rows.min() >= -1e-3
        assert rows.max() <= 49 + 1e-3


def test_a_blur_keeps_the_sum_of_a_point_and_spreads_it_as_a_gaussian():
    point = jnp.zeros((41, 41, 3)).at[20, 20].set(1000.0)
    found = np.asarray(augmentation.blur(jax.random.key(3), point))[..., 0]
    deviation = float(jax.random.uniform(jax.random.key(3), minval=0.3, maxval=1.2))
    weights = np.exp(-0.5 * np.square(np.arange(-20, 21) / deviation))
    np.testing.assert_allclose(found, 1000 * np.outer(weights, weights) / weights.sum() ** 2, atol=1e-2)


def test_what_is_erased_is_one_rectangle_of_one_level():
    found = np.asarray(augmentation.erase(jax.random.key(2), jnp.full((60, 60, 3), -1.0)))
    covered = found[..., 0] >= 0
    rows, columns = covered.any(axis=1), covered.any(axis=0)
    np.testing.assert_array_equal(covered, rows[:, None] & columns[None])
    assert np.ptp(np.flatnonzero(rows)) + 1 == rows.sum()
    assert 5 <= rows.sum() <= 25
    assert len(np.unique(found[covered])) == 1


def test_jpeg_is_libjpegs_within_rounding():
    ours = jax.jit(augmentation.compressed)
    colour = photograph(45)  # not a multiple of its blocks
    grey = np.repeat(np.round(colour.mean(axis=-1, keepdims=True)).astype(np.uint8), 3, axis=-1)
    for quality in (30, 75, 95):
        for image, most in ((grey, 0.25), (colour, 1.25)):  # colours are rounded twice as often, and weigh up to 1.8
            expected = libjpeg(image, quality).astype(int)
            away = np.abs(np.asarray(ours(jnp.asarray(image, jnp.float32), jnp.asarray(float(quality)))) - expected)
            assert away.mean() < most
            assert away.mean() < 0.4 * np.abs(image.astype(int) - expected).mean()


def test_names_are_those_of_the_table_in_its_order():
    assert named("erase, flip") == ("flip", "erase")
    for text, word in (("turn", "unknown 'turn'"), ("", "unknown ''"), ("flip,flip", "twice"), ("light,jpeg", "light")):
        with pytest.raises(InputError, match=word):
            named(text)
