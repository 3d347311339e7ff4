"""What two images are to each other, and where they differ."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from metaforge.captions import (
    Thresholds,
    aligned,
    annotate,
    caption,
    coarse_regions,
    derivation,
    difference,
    region_masks,
    sentence,
)
from metaforge.captions.alignment import phase_shift
from metaforge.captions.annotation import SCATTERED, TELLING, types_of
from metaforge.captions.excess import excess
from metaforge.captions.exchange import NOTE, detail_rise
from metaforge.captions.regions import outside_of
from metaforge.captions.turning import turn_and_scale
from metaforge.captions.words import _where
from metaforge.data.embedded_faces import embedded_faces
from metaforge.errors import InputError
from metaforge.face_regions import REGIONS
from metaforge.forgeries.compression import jpeg

SIZE = 96


@pytest.fixture(scope="module")
def faces():
    return [face for face in embedded_faces("london", size=SIZE)[:4:2]]


def noisy(image, seed, sigma=3.0):
    drawn = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.round(image + drawn), 0, 255).astype(np.uint8)


def pasted(image, rows, columns, by=50):
    fake = image.astype(int)
    fake[rows, columns] += np.where(fake[rows, columns] > 128, -by, by)
    return fake.astype(np.uint8)


def test_a_pasted_square_is_found_within_a_pixel():
    real = np.full((SIZE, SIZE, 3), 90, np.uint8)
    found = annotate(noisy(real, 0), noisy(pasted(real, slice(40, 60), slice(30, 55)), 1))
    assert found.answer == "forged"
    rows, columns = np.flatnonzero(found.mask.any(axis=1)), np.flatnonzero(found.mask.any(axis=0))
    assert np.abs(np.array([rows[0], rows[-1], columns[0], columns[-1]]) - [40, 59, 30, 54]).max() <= 1
    inner = np.zeros((SIZE, SIZE), bool)
    inner[42:58, 32:53] = True
    assert found.mask[inner].all()


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_noise_alone_is_no_forgery(sigma):
    real = np.full((SIZE, SIZE, 3), 90, np.uint8)
    found = annotate(noisy(real, 0, sigma), noisy(real, 1, sigma))
    assert (found.answer, found.types, found.cues) == ("noise", (), {})
    assert sentence(found) == "No forgery found: the two images differ by no more than their noise."


def test_the_noise_floor_is_that_of_the_noise():
    # The mean over three channels of the absolute difference of two normal noises of deviation s: 2 s / sqrt(pi).
    real = np.full((SIZE, SIZE, 3), 90, np.uint8)
    outside = outside_of(None, (SIZE, SIZE))
    for sigma in (3.0, 6.0):
        limits = Thresholds(noise=1e-6, least=1e-6)
        found = difference(noisy(real, 0, sigma), noisy(real, 1, sigma), outside, thresholds=limits)
        assert found.noise == pytest.approx(2 * sigma / np.sqrt(np.pi), rel=0.06)


def test_a_reencoded_face_is_no_forgery(faces):
    for face in faces:
        found = annotate(face.image, jpeg(face.image, 80), face.landmarks)
        assert found.mask.mean() < 0.01
        assert found.regions == ()


def test_what_stands_out_from_the_rest_is_its_multiple_of_what_is_as_busy():
    busy, mask = np.ones((SIZE, SIZE)), np.zeros((SIZE, SIZE), bool)
    busy[:, SIZE // 2 :] = 9.0
    mask[40:50, 60:70] = True  # among the busy ones
    soft = np.where(mask, 12.0, np.where(busy > 5, 4.0, 1.0))
    whole = np.ones_like(mask)
    assert excess(soft, busy, mask, whole) == pytest.approx(3.0)
    # Where the rest does not differ at all there is an end; where nothing is left, or nothing found, no answer.
    assert excess(np.where(mask, 12.0, 0.0), busy, mask, whole) == pytest.approx(40.0)
    assert excess(soft, busy, whole, whole) is None
    assert excess(soft, busy, mask & ~whole, whole) is None


def test_a_copy_whose_edges_alone_differ_is_noise_and_says_so(faces):
    never = Thresholds(least=2.0, excess=1e-9, excess_named=1e-9)
    before = after = 0
    for face in faces:
        copy = jpeg(face.image, 60)
        with_rule = annotate(face.image, copy, face.landmarks, thresholds=Thresholds(least=2.0))
        before += annotate(face.image, copy, face.landmarks, thresholds=never).answer == "forged"
        after += with_rule.answer == "forged"
        if with_rule.answer == "noise" and with_rule.excess is not None:
            assert not with_rule.mask.any()
            assert sentence(with_rule) == f"No forgery found: {SCATTERED[0].lower()}{SCATTERED[1:]}"
            row = next(row for row in derivation(with_rule) if row["name"] == "excess")
            assert row["value"] < row["threshold"]
    assert after < before


def test_a_whole_face_that_was_forged_is_found_though_nothing_is_left_of_it(faces):
    face = faces[0]
    fake, inside = face.image.astype(int), region_masks(face.landmarks, (SIZE, SIZE))["face"]
    fake[inside] += np.where(fake[inside] > 128, -30, 30)
    found = annotate(face.image, fake.astype(np.uint8), face.landmarks)
    assert (found.answer, found.excess) == ("forged", None)


def test_identical_images_and_other_sizes_have_their_own_answers(faces):
    real = faces[0].image
    assert sentence(annotate(real, real.copy())) == "No forgery found: the two images are identical."
    smaller = annotate(real, np.ascontiguousarray(real[:-6]))
    assert smaller.answer == "size"
    assert smaller.mask is None
    assert sentence(smaller) == "Not compared: the real image is 96 x 96 pixels, the forged one 96 x 90."


def test_a_shift_is_named(faces):
    big = embedded_faces("london", size=SIZE + 16)[0].image
    real, fake = big[8:-8, 8:-8], big[10:-6, 5:-11]  # what was at x is now at x + 3, and at y is now at y - 2
    found = annotate(np.ascontiguousarray(real), jpeg(np.ascontiguousarray(fake), 85))
    assert (found.answer, found.shift) == ("shifted", (3, -2))
    assert sentence(found) == (
        "Not compared: the forged image lies 3 pixels right and 2 pixels above of the real one: they are not aligned."
    )


def test_the_phase_correlation_finds_every_shift():
    image = gaussian_filter(np.random.default_rng(0).normal(size=(48, 40)), 1.0, mode="wrap")
    for right, down in ((0, 0), (3, -2), (-4, 1), (0, 5)):
        assert phase_shift(image, np.roll(image, (down, right), axis=(0, 1))) == (right, down)


def turned(image, degrees, scale):
    """Turned clockwise about its middle and larger, by inverse mapping of each pixel."""
    angle, middle = np.deg2rad(degrees), (SIZE - 1) / 2
    y, x = (np.indices((SIZE, SIZE)) - middle) / scale
    places = [np.cos(angle) * y - np.sin(angle) * x + middle, np.sin(angle) * y + np.cos(angle) * x + middle]
    return np.stack([map_coordinates(image[..., k], places, order=1, mode="nearest") for k in range(3)], axis=-1)


def test_what_is_turned_here_is_turned_clockwise():
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[10:20, SIZE // 2 - 5 : SIZE // 2 + 5] = 255  # above the middle
    found = turned(image, 90, 1.0)[..., 0]
    assert found.nonzero()[1].min() > SIZE / 2 + 20  # right of it


@pytest.mark.parametrize(
    ("degrees", "scale", "said"),
    [
        (4.0, 1.0, "turned by # degrees clockwise"),
        (-6.0, 1.05, "turned by # degrees counter-clockwise and larger by # %"),
        (0.0, 0.92, "smaller by # %"),
    ],
)
def test_a_turn_and_another_scale_are_named(degrees, scale, said):
    face = embedded_faces("london", size=SIZE)[0]
    found = annotate(face.image, jpeg(turned(face.image, degrees, scale), 90), face.landmarks)
    assert (found.answer, found.mask) == ("shifted", None)
    words = found.reason.split()
    numbers = [float(word) for word in words if word[0].isdigit()]
    np.testing.assert_allclose(numbers, [abs(degrees)] * (degrees != 0) + [abs(scale - 1) * 100] * (scale != 1), atol=1)
    told = " ".join("#" if word[0].isdigit() else word for word in words)
    assert told == f"The forged image is {said} beside the real one: they are not aligned."


def test_turn_and_scale_are_found_to_half_a_degree_and_a_hundredth():
    # Of a texture so smooth that a spline knows it between its points.
    texture = gaussian_filter(np.random.default_rng(0).normal(size=(240, 240)), 1.5)

    def texture_of(degrees, scale):
        y, x = (np.indices((128, 128)) - 63.5) / scale
        angle = np.deg2rad(degrees)
        places = [np.cos(angle) * y - np.sin(angle) * x + 121, np.sin(angle) * y + np.cos(angle) * x + 118]
        return map_coordinates(texture, places, order=5)

    plain = texture_of(0.0, 1.0)
    for degrees, scale in ((0.0, 1.0), (3.0, 1.0), (-7.5, 1.06), (1.0, 0.95)):
        found = turn_and_scale(plain, texture_of(degrees, scale))
        assert found == (pytest.approx(degrees, abs=0.5), pytest.approx(scale, abs=0.01))


def test_exchanged_images_are_noted_where_content_moved_and_lost_detail(faces):
    face = faces[0]
    inside = region_masks(face.landmarks, (SIZE, SIZE))["face"]
    moved = np.roll(gaussian_filter(face.image.astype(float), (1.2, 1.2, 0)), 4, axis=1)
    fake = np.where(inside[..., None], moved, face.image).round().astype(np.uint8)
    assert NOTE not in annotate(face.image, fake, face.landmarks).reason
    assert annotate(fake, face.image, face.landmarks).reason == NOTE
    rise = detail_rise(face.image, fake, inside)
    assert rise < -0.3
    assert detail_rise(fake, face.image, inside) == pytest.approx(-rise)
    redder = np.clip(face.image + np.array([30.0, 0, 0]), 0, 255).astype(np.uint8)
    coloured = np.where(inside[..., None], redder, face.image)
    assert annotate(face.image, coloured, face.landmarks).reason == ""
    assert annotate(coloured, face.image, face.landmarks).reason == ""


def test_only_rgb_of_whole_levels_is_taken(faces):
    image = faces[0].image
    for wrong in (image[..., 0], image.astype(np.float32), np.concatenate([image, image[..., :1]], axis=2)):
        for pair in ((wrong, wrong), (image, wrong)):
            with pytest.raises(InputError, match="Give uint8 RGB, height x width x 3; a grey image as three") as error:
                annotate(*pair)
            assert "\n" not in str(error.value)


def test_the_foot_of_a_soft_edge_is_not_in_the_mask():
    # Of a step of 60 levels behind an edge of 2 pixels the half lies where it was drawn, and 4 levels 3 pixels further.
    real = np.full((SIZE, SIZE, 3), 90, np.uint8)
    square = np.zeros((SIZE, SIZE))
    square[30:66, 30:66] = 1
    fake = np.round(90 + 60 * gaussian_filter(square, 2.0))[..., None].repeat(3, axis=2).astype(np.uint8)
    outside = outside_of(None, (SIZE, SIZE))
    found, wide = (
        difference(real, fake, outside, thresholds=Thresholds(half=half)).mask[48].nonzero()[0] for half in (0.5, 0.01)
    )
    np.testing.assert_allclose([found[0], found[-1]], [30, 65], atol=1.1)
    assert wide[0] <= 27
    assert wide[-1] >= 68


def test_a_forged_face_is_not_a_shift(faces):
    face, other = faces
    inside = ~outside_of(face.landmarks, (SIZE, SIZE))
    fake = np.where(inside[..., None], other.image, face.image)
    assert aligned(face.image, fake, ~inside).answer == "aligned"


def test_another_person_is_refused_and_a_lit_copy_is_not(faces):
    face, other = faces
    with pytest.raises(InputError, match="not of one photograph: outside the face their gradients correlate by") as one:
        annotate(face.image, other.image, face.landmarks)
    assert "\n" not in str(one.value)
    lit = np.clip(face.image.astype(int) + 25, 0, 255).astype(np.uint8)
    assert aligned(face.image, lit, outside_of(face.landmarks, (SIZE, SIZE))).answer == "aligned"


@pytest.mark.parametrize("name", ["left_eye", "mouth", "right_cheek"])
def test_a_region_that_is_changed_is_the_one_that_is_named(faces, name):
    face = faces[0]
    inside = region_masks(face.landmarks, (SIZE, SIZE))[name]
    fake = face.image.astype(int)
    fake[inside] += np.where(fake[inside] > 128, -40, 40)
    found = annotate(face.image, fake.astype(np.uint8), face.landmarks)
    assert found.regions == (name,)
    assert found.coverage[name] > 0.9
    assert f"the {name.replace('_', ' ')}," in sentence(found)
    assert "colour" in found.types


def test_region_masks_are_unions_and_what_is_left(faces):
    found = region_masks(faces[0].landmarks, (SIZE, SIZE))
    assert set(REGIONS) < set(found)
    np.testing.assert_array_equal(found["cheeks"], found["left_cheek"] | found["right_cheek"])
    assert not (found["skin"] & (found["eyes"] | found["brows"] | found["mouth"])).any()
    # The regions tile the oval; pixels on an edge that two share may be in both.
    parts = np.sum([found[name] for name in REGIONS], axis=0)
    assert ((parts > 0) & found["face"]).sum() > 0.97 * found["face"].sum()
    assert found["left_eye"].nonzero()[1].mean() < found["right_eye"].nonzero()[1].mean()


def test_two_runs_say_the_same_and_leave_the_images(faces):
    real, fake = faces[0].image.copy(), pasted(faces[0].image, slice(40, 60), slice(30, 55))
    first, second = (annotate(real, fake, faces[0].landmarks) for _ in range(2))
    assert (sentence(first), derivation(first)) == (sentence(second), derivation(second))
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_array_equal(real, faces[0].image)


def test_the_derivation_holds_what_the_sentence_says(faces):
    found = annotate(faces[0].image, pasted(faces[0].image, slice(40, 60), slice(30, 55)), faces[0].landmarks)
    rows = derivation(found)
    said = {(row["step"], row["name"]) for row in rows if row["said"]}
    assert {name for step, name in said if step == "region"} == set(found.regions)
    assert {name for step, name in said if step == "cue"} == set(found.types)
    for row in rows:
        if row["step"] in ("region", "cue"):
            assert row["said"] == (row["value"] > row["threshold"]) or row["name"] not in {*REGIONS, *TELLING}


def test_words_join_both_sides_and_all_parts(faces):
    found = annotate(faces[0].image, pasted(faces[0].image, slice(40, 60), slice(30, 55)), faces[0].landmarks)
    assert _where(found._replace(regions=("left_eye", "right_eye", "mouth"))) == "the mouth and the eyes"
    assert _where(found._replace(regions=("left_eye",))) == "the left eye"
    assert _where(found._replace(regions=tuple(REGIONS))) == "the whole face"
    assert _where(found._replace(regions=())) == "a part of the face"


def test_a_caption_tells_neither_class_nor_share_and_is_empty_where_nothing_was_found(faces):
    found = annotate(faces[0].image, pasted(faces[0].image, slice(40, 60), slice(30, 55)), faces[0].landmarks)
    words = caption(found)
    assert words
    assert words in sentence(found).replace(f", {100 * found.mask.mean():.1f} % of the image", "")
    assert not {"forged", "forgery", "%"} & set(words.lower().split())
    assert not any(sign.isdigit() for sign in words)
    # Masks of another size that cover the same parts are told by the same words.
    assert caption(found._replace(mask=~found.mask)) == words
    for answer in ("noise", "identical", "size", "shifted"):
        assert caption(found._replace(answer=answer)) == ""


def test_the_coarse_regions_are_named_with_the_finer_ones(faces):
    marks, shape = faces[0].landmarks, (SIZE, SIZE)
    parts = region_masks(marks, shape)
    for names, expected in (
        (("left_eye",), ("eyes",)),
        (("mouth",), ("mouth",)),
        (("left_cheek",), ()),
        (("nose", "left_cheek", "right_cheek", "mouth"), ("mouth", "nose", "face")),
    ):
        fake = faces[0].image.astype(int)
        inside = np.any([parts[name] for name in names], axis=0)
        fake[inside] += np.where(fake[inside] > 128, -40, 40)
        assert coarse_regions(annotate(faces[0].image, fake.astype(np.uint8), marks)) == expected


def test_types_stand_in_the_order_of_their_excess():
    limits = Thresholds(colour=2.0, blur=1.0, structure=0.1, texture=0.5, boundary=0.5)
    cues = {"colour": 5.0, "blur": 4.0, "structure": 0.1, "texture": 0.6, "boundary": 9.0}
    # 4, 2.5 and 1.2 times; equal does not exceed, and a boundary is not said.
    assert types_of(cues, limits) == ("blur", "colour", "texture")
    assert types_of({"texture": -3.0}, limits) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda image, marks: (image[:8], image, None), "fewer than 16 pixels"),
        (lambda image, marks: (image, image, np.full((68, 2), np.nan)), "not all are finite"),
        (lambda image, marks: (image, image, marks * 0 + 5), "enclose no area"),
        (lambda image, marks: (image, pasted(image, slice(40, 60), slice(30, 55)), marks + 1000), "enclose no pixel"),
    ],
)
def test_bad_input_is_refused_in_one_line(faces, change, said):
    with pytest.raises(InputError, match=said) as error:
        annotate(*change(faces[0].image, faces[0].landmarks))
    assert "\n" not in str(error.value)


def test_thresholds_are_positive():
    with pytest.raises(InputError, match="region is 0"):
        Thresholds(region=0)
