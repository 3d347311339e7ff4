"""The acquisition "wild": all its steps happen, to both of a pair alike, and tell neither from the other."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from metaforge.data.faces import load_faces
from metaforge.forgeries import Face, acquire, forge_pairs, periphery_auc, synthesise
from metaforge.forgeries.treatments import KERNELS, TREATMENTS, larger, rescaled
from metaforge.forgeries.wild import CHANCES, COMPRESSIONS, journey


def picture(size=48, seed=0):
    noise = gaussian_filter(np.random.default_rng(seed).normal(0, 1, (size, size, 3)), (1, 1, 0))
    return np.clip(128 + 90 * noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", TREATMENTS)
def test_every_treatment_is_pure_and_keeps_the_size(name):
    image = picture(37)
    before = image.copy()
    for seed in range(3):
        treatment = TREATMENTS[name](np.random.default_rng(seed))
        one, other = treatment.apply(image), treatment.apply(image.copy())
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.uint8
        assert one.shape == image.shape
        json.dumps(treatment.drawn)
    np.testing.assert_array_equal(image, before)
    assert (one != image).any()


def test_a_treatment_at_a_larger_size_is_pure_too():
    treatment = larger(np.random.default_rng(0), TREATMENTS["photograph"](np.random.default_rng(1)))
    image = picture(37)
    np.testing.assert_array_equal(treatment.apply(image), treatment.apply(image.copy()))
    assert treatment.apply(image).shape == image.shape
    assert set(treatment.drawn) == {"jpeg", "larger"}


def test_what_is_drawn_stays_inside_the_ranges_that_are_said():
    drawn = {name: [TREATMENTS[name](np.random.default_rng(s)).drawn for s in range(200)] for name in TREATMENTS}
    crfs = [d["h264"][0] for d in drawn["video"]]
    assert 18 <= min(crfs) < 20
    assert 36 < max(crfs) <= 40
    assert 22 <= np.median(crfs) <= 29
    assert {d["h264"][1] for d in drawn["video"]} == {1, 2, 3, 4}
    assert {d["jpeg"][1] for d in drawn["photograph"]} == {"4:4:4", "4:2:2", "4:2:0"}
    qualities = [d["jpeg"][0] for d in drawn["photograph"]]
    assert (min(qualities) >= 30, max(qualities) <= 95) == (True, True)
    for place in (2, 3):  # the grid's rows and columns
        assert {d["first_jpeg"][place] for d in drawn["photograph_twice"]} == set(range(8))
    scales = [d["rescaling"] for d in drawn["rescaling"]]
    assert min(s[0] for s in scales) >= 1.1
    assert max(s[0] for s in scales) <= 3
    assert {s[1] for s in scales} == set(KERNELS)
    assert {s[2] for s in scales} == set(KERNELS) - {"area"}  # to enlarge by area repeats pixels


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_keeps_the_mean_and_takes_away_what_is_too_fine(kernel):
    image = np.repeat(np.random.default_rng(0).integers(60, 190, (60, 60, 1), np.uint8), 3, axis=-1)
    found = rescaled(image, 1 / 3, KERNELS[kernel], Image.Resampling.BICUBIC)
    # Means of pixels are rounded twice, to half a level each at worst; the border weighs a little more or less.
    assert found.mean() == pytest.approx(image.mean(), abs=1.0)
    assert found.std() < 0.6 * image.std()
    smooth = rescaled(picture(60), 1 / 1.1, KERNELS[kernel], Image.Resampling.BICUBIC)
    assert np.abs(smooth.astype(float) - picture(60)).mean() < 6


def test_a_reduction_by_area_is_the_mean_of_the_pixels():
    image = picture(60)
    means = image.reshape(30, 2, 30, 2, 3).mean(axis=(1, 3))
    small = np.asarray(Image.fromarray(image).resize((30, 30), KERNELS["area"]))
    assert np.abs(small - means).max() <= 1


def test_each_step_is_taken_as_often_as_it_is_said():
    journeys = [[set(step.drawn) for step in journey(np.random.default_rng(seed))] for seed in range(1500)]
    # Three standard deviations of a share of 1,500 are at most 0.039.
    for name, chance in CHANCES.items():
        assert np.mean([any(name in step for step in steps) for steps in journeys]) == pytest.approx(chance, abs=0.039)
    seen = {
        "photograph_twice": np.mean([any("first_jpeg" in step for step in steps) for steps in journeys]),
        "video_twice": np.mean([any("first_h264" in step for step in steps) for steps in journeys]),
        "": np.mean([not any({"jpeg", "h264"} & step for step in steps) for steps in journeys]),
    }
    for name, share in seen.items():
        assert share == pytest.approx(COMPRESSIONS[name], abs=0.039)
    assert sum(COMPRESSIONS.values()) == pytest.approx(1)


def test_equal_images_stay_equal_and_a_seed_is_a_seed():
    image = picture()
    for seed in range(12):
        (one, other), drawn = acquire(np.random.default_rng(seed), [image, image], "wild")
        np.testing.assert_array_equal(one, other)
        (again,), same = acquire(np.random.default_rng(seed), [image], "wild")
        np.testing.assert_array_equal(one, again)
        assert drawn == same
        json.dumps(drawn)


def test_pairs_are_the_same_alone_and_among_others():
    faces = [Face(picture(32, seed), None, f"f{seed}", f"p{seed}") for seed in range(4)]
    options = {"acquisitions": ["wild"], "variants": 2, "seed": 0, "split": "train"}
    one = synthesise(faces, methods=["smooth"], **options)
    other = synthesise(faces, methods=["warp", "smooth"], **options).where(method="smooth")
    np.testing.assert_array_equal(one.image, other.image)
    assert one.domains() == ["smooth/wild"]


def test_pixels_outside_the_mask_do_not_tell_real_from_fake():
    # What is coded anew differs a little everywhere. So one AUC of 60 pairs is 0.5 to some hundredths; here is a mean.
    faces = load_faces("lfw", size=64).faces[:60]
    found = [
        periphery_auc(forge_pairs(faces, methods=[m], acquisitions=["wild"], variants=1, seed=0), dilation=4)
        for m in ("swap", "smooth")
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.04)
