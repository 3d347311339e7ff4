"""Crops land where closed forms say, and one transform serves two images."""

import numpy as np
import pytest
from PIL import Image
from skimage.transform import AffineTransform, SimilarityTransform, warp

from metaforge.data.crops import TEMPLATE, apply_crop, crop_transform, rescaled
from metaforge.data.images import square
from metaforge.errors import InputError

IMAGE = (200, 300)  # height, width


def corners(transform, size):
    """Where the crop's first and last corner lie in the image: x0, y0, x1, y1."""
    return np.concatenate([transform @ [0, 0, 1], transform @ [size, size, 1]])


def noise(height=40, width=60, seed=0):
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("convention", "box", "expected"),
    [
        ("ffpp", (100, 60, 140, 110), (87.5, 52.5, 152.5, 117.5)),  # 1.3 * 50 around (120, 85)
        ("ffpp", (5, 60, 45, 110), (0, 52.5, 65, 117.5)),  # moved inside, still of side 65
        ("ffpp", (250, 100, 290, 160), (231, 91, 300, 160)),  # side 78 from (231, 91): 69 are left to the right
        ("ffpp", (-20, -20, 280, 280), (0, 0, 200, 200)),
        ("sbi", (100, 60, 140, 108), (95, 54, 145, 114)),
        ("sbi", (0, 60, 40, 108), (0, 54, 45, 114)),
        ("selimsef", (90, 60, 150, 105), (70, 45, 170, 120)),
        ("selimsef", (270, 170, 300, 200), (260, 160, 300, 200)),
        ("whole", (0, 0, 1, 1), (50, 0, 250, 200)),
    ],
)
def test_a_crop_has_the_corners_of_its_convention(convention, box, expected):
    transform = crop_transform(box, None, convention=convention, size=64, image_size=IMAGE)
    assert transform.shape == (2, 3)
    assert transform.dtype == np.float64
    np.testing.assert_allclose(corners(transform, 64), expected, atol=1e-9)


def test_only_ffpp_and_whole_keep_the_aspect():
    for convention, ratio in (("ffpp", 1), ("sbi", 2), ("selimsef", 2), ("whole", 1)):
        transform = crop_transform((100, 50, 140, 130), None, convention=convention, size=32, image_size=IMAGE)
        np.testing.assert_allclose(transform[1, 1] / transform[0, 0], ratio)
        assert transform[0, 1] == transform[1, 0] == 0


@pytest.mark.parametrize("size", [112, 256])
@pytest.mark.parametrize(("scale", "angle", "shift"), [(1, 0, (0, 0)), (2.5, 0.3, (40, -7)), (0.4, -2.0, (100, 90))])
def test_dfb_takes_template_points_back_to_the_template(size, scale, angle, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = TEMPLATE @ turn.T + shift
    transform = crop_transform(None, points, convention="dfb", size=size, image_size=IMAGE)
    # The template with 15 % of its width on each side fills the crop.
    in_crop = (TEMPLATE + 0.15 * 112) * size / (1.3 * 112)
    np.testing.assert_allclose(in_crop @ transform[:, :2].T + transform[:, 2], points, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(transform[:, :2]), (scale * 1.3 * 112 / size) ** 2)


def test_dfb_is_the_similarity_that_scikit_image_estimates():
    points = TEMPLATE * 1.7 + np.random.default_rng(0).normal(0, 6, (5, 2))
    in_crop = (TEMPLATE + 0.15 * 112) * 256 / (1.3 * 112)
    expected = SimilarityTransform.from_estimate(points, in_crop).inverse.params[:2]
    transform = crop_transform(None, points, convention="dfb", size=256, image_size=IMAGE)
    np.testing.assert_allclose(transform, expected, atol=1e-9)


def test_a_whole_crop_is_the_square_that_images_cut():
    image = noise(30, 47)
    transform = crop_transform(None, None, convention="whole", size=30, image_size=(30, 47))
    np.testing.assert_array_equal(apply_crop(image, transform, 30), square(image, size=30))


@pytest.mark.parametrize(
    ("convention", "box", "points"),
    [
        ("sbi", None, None),
        ("sbi", (10, 10, 10, 30), None),
        ("ffpp", (10, 10, np.nan, 30), None),
        ("ffpp", (400, 10, 450, 30), None),
        ("selimsef", (-50, 10, -30, 30), None),
        ("dfb", (10, 10, 20, 20), None),
        ("dfb", None, np.ones((5, 2))),
        ("dfb", None, np.ones((68, 2))),
    ],
)
def test_boxes_and_points_that_are_none_are_one_line(convention, box, points):
    with pytest.raises(InputError, match=r"^crop: [^\n]*\.$"):
        crop_transform(box, points, convention=convention, size=32, image_size=IMAGE)


def test_a_crop_at_whole_pixels_is_a_slice_and_what_is_outside_is_black():
    image = noise()
    np.testing.assert_array_equal(apply_crop(image, np.array([[1.0, 0, 7], [0, 1, 5]]), 20), image[5:25, 7:27])
    crop = apply_crop(image, np.array([[1.0, 0, -4], [0, 1, 30]]), 20)
    np.testing.assert_array_equal(crop[:10, 4:], image[30:, :16])
    assert crop[10:].max() == crop[:, :4].max() == 0
    for far in (-1000.0, 1000.0):
        assert apply_crop(image, np.array([[1.0, 0, far], [0, 1, 0]]), 20).max() == 0


def test_a_coloured_square_lands_where_it_is_computed():
    image = np.zeros((*IMAGE, 3), np.uint8)
    image[60:110, 100:140] = (200, 100, 50)
    transform = crop_transform((100, 60, 140, 110), None, convention="selimsef", size=100, image_size=IMAGE)
    crop = apply_crop(image, transform, 100)
    # The box fills the middle three fifths of its crop.
    inside = np.zeros((100, 100), bool)
    inside[20:80, 20:80] = True
    edge = np.zeros((100, 100), bool)
    edge[18:82, 18:82] = True
    edge[22:78, 22:78] = False
    np.testing.assert_array_equal(crop[inside & ~edge], np.broadcast_to((200, 100, 50), (56 * 56, 3)))
    assert crop[~inside & ~edge].max() == 0


def test_enlarging_and_turning_is_bilinear_interpolation():
    image = noise(50, 50)
    turned = SimilarityTransform(scale=0.6, rotation=0.5, translation=(20, 4)).params
    crop = apply_crop(image, turned[:2], 30)
    # scikit-image counts from the centres of pixels.
    centre = AffineTransform(translation=(0.5, 0.5)).params
    expected = warp(image, np.linalg.inv(centre) @ turned @ centre, output_shape=(30, 30), order=1, preserve_range=True)
    np.testing.assert_allclose(crop, expected, atol=0.51)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_shrinking_by_whole_numbers_is_the_mean_of_blocks(factor):
    image = noise(16 * factor, 16 * factor)
    crop = apply_crop(image, np.array([[factor, 0, 0], [0, factor, 0]], float), 16)
    expected = image.reshape(16, factor, 16, factor, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(crop, expected, atol=0.51)


def test_shrinking_averages_fine_patterns():
    checks = (np.indices((300, 300)).sum(0) % 2 * 255).astype(np.uint8)
    transform = crop_transform((50, 50, 250, 250), None, convention="ffpp", size=40, image_size=(300, 300))
    crop = apply_crop(np.repeat(checks[..., None], 3, axis=-1), transform, 40)
    np.testing.assert_allclose(crop.astype(float), 127.5, atol=12)


def test_one_transform_keeps_two_images_on_each_other():
    real = noise(100, 100)
    fake = real.copy()
    fake[40:60, 40:60] = 255 - fake[40:60, 40:60]
    points = TEMPLATE * 0.5 + 22
    transform = crop_transform(None, points, convention="dfb", size=64, image_size=(100, 100))
    differs = (apply_crop(real, transform, 64) != apply_crop(fake, transform, 64)).any(-1)
    mask = np.zeros_like(real)
    mask[39:61, 39:61] = 255  # bilinear samples reach one pixel further
    assert differs.any()
    assert not differs[apply_crop(mask, transform, 64)[..., 0] == 0].any()


def test_a_crop_of_no_pixels_is_refused():
    with pytest.raises(InputError, match="size"):
        apply_crop(noise(), np.eye(2, 3), 0)
    with pytest.raises(InputError, match="finite"):
        apply_crop(noise(), np.full((2, 3), np.nan), 8)
    with pytest.raises(InputError, match="at least 1"):
        crop_transform(None, None, convention="whole", size=8, image_size=(0, 10))


@pytest.mark.parametrize("size", [(60, 90), (400, 600), (67, 100)])
def test_a_crop_of_another_resolution_is_that_of_the_resized_box(size):
    box, scale = np.array([100.0, 60, 140, 110]), np.array(size[::-1]) / IMAGE[::-1]
    real = crop_transform(box, None, convention="sbi", size=64, image_size=IMAGE)
    expected = crop_transform(box * np.tile(scale, 2), None, convention="sbi", size=64, image_size=size)
    np.testing.assert_allclose(rescaled(real, IMAGE, size), expected, atol=1e-9)
    turned = crop_transform(None, TEMPLATE, convention="dfb", size=64, image_size=IMAGE)
    for position in ([0, 0, 1], [64, 0, 1], [10, 50, 1]):
        np.testing.assert_allclose(rescaled(turned, IMAGE, size) @ position, turned @ position * scale, atol=1e-9)


def test_a_picture_of_another_shape_has_no_crop_in_common():
    with pytest.raises(InputError, match="200 x 200 pixels, where the real frame has 300 x 200"):
        rescaled(np.eye(2, 3), IMAGE, (200, 200))


@pytest.mark.parametrize("finer", [1, 2, 3])
def test_upright_crops_are_those_of_pillows_transform(finer):
    image = np.random.default_rng(finer).integers(0, 256, (60, 80, 3), np.uint8)
    size, step = 24, 0.9 * finer
    transform = np.array([[step, 0, -3.4], [0, 0.8 * step, 5.7]])
    crop = apply_crop(image, transform, size)
    matrix = np.column_stack([transform[:, :2] / finer, transform[:, 2]])
    for channel in range(3):
        samples = Image.fromarray(image[..., channel].astype(np.float32)).transform(
            (size * finer, size * finer), Image.Transform.AFFINE, tuple(matrix.ravel()), Image.Resampling.BILINEAR
        )
        means = np.asarray(samples, np.float64).reshape(size, finer, size, finer).mean(axis=(1, 3))
        # Rounding may fall to either side of a half.
        np.testing.assert_allclose(crop[..., channel], means, atol=0.501)
