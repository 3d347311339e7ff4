"""Forged parts: what is touched is the part, and what is true follows from the parameters."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab

from metaforge.captions.regions import region_masks
from metaforge.data.embedded_faces import embedded_faces
from metaforge.errors import InputError
from metaforge.forgeries.base import Face
from metaforge.forgeries.parts import EDGES, PARTS, STRENGTHS, forge_part, part_mask, true_types

SIZE = 80


@pytest.fixture(scope="module")
def faces():
    return embedded_faces("london", size=SIZE)[:4:2]


@pytest.mark.parametrize("part", [part for part, names in PARTS.items() if names])
def test_the_mask_of_a_part_is_its_regions(faces, part):
    regions = region_masks(faces[0].landmarks, (SIZE, SIZE))
    expected = np.any([regions[name] for name in PARTS[part]], axis=0)
    found = part_mask(faces[0], part) > 0.5
    assert (found & expected).sum() > 0.93 * (found | expected).sum()  # pixels on the outline fall either way


def test_two_halves_are_the_face(faces):
    left, right = (part_mask(faces[0], half) for half in ("left_half", "right_half"))
    regions = region_masks(faces[0].landmarks, (SIZE, SIZE))
    assert ((left + right > 0.5) & regions["face"]).sum() > 0.97 * regions["face"].sum()
    assert left[regions["left_cheek"]].mean() > 0.95
    assert left[regions["right_cheek"]].mean() == 0
    assert right[regions["right_eye"]].mean() > 0.95


@pytest.mark.parametrize("change", STRENGTHS)
def test_nothing_is_touched_beyond_the_mask_and_two_draws_of_one_seed_are_equal(faces, change):
    one, other = (forge_part(np.random.default_rng(3), faces[0], "mouth", change, donor=faces[1]) for _ in range(2))
    np.testing.assert_array_equal(one.fake, other.fake)
    assert one.parameters == other.parameters
    assert (one.fake == one.real)[one.mask == 0].all()
    assert (one.fake != one.real)[one.mask > 0.9].mean() > 0.3
    low, high = STRENGTHS[change]
    scale = SIZE / 160 if change in ("blur", "structure") else 1
    assert low * scale - 1e-3 <= one.parameters["strength"] <= high * scale + 1e-3
    assert EDGES[0] / 2 - 1e-3 <= one.parameters["edge"] <= EDGES[1] / 2 + 1e-3


def test_a_colour_moves_by_its_strength():
    marks = embedded_faces("london", size=SIZE)[0].landmarks
    grey = Face(np.full((SIZE, SIZE, 3), (120, 130, 140), np.uint8), marks, "a", "a")
    forged = forge_part(np.random.default_rng(0), grey, "left_half", "colour")
    inside = forged.mask > 0.999
    moved = np.linalg.norm((rgb2lab(forged.fake) - rgb2lab(forged.real))[inside], axis=-1)
    assert np.median(moved) == pytest.approx(forged.parameters["strength"], abs=0.5)  # whole grey levels


def test_a_blur_is_that_of_its_strength(faces):
    forged = forge_part(np.random.default_rng(1), faces[0], "right_half", "blur")
    sigma = forged.parameters["strength"]
    expected = gaussian_filter(faces[0].image.astype(float), (sigma, sigma, 0))
    inside = forged.mask > 0.999
    assert np.abs(forged.fake - expected)[inside].max() < 1.1


def test_truth_follows_from_parameters():
    said = lambda change, strength, edge: true_types({"change": change, "strength": strength, "edge": edge}, size=160)
    assert said("colour", 2.0, 0.5) == ()
    assert said("colour", 4.0, 0.5) == ("colour",)
    assert said("colour", 6.0, 0.5) == ("colour", "boundary")
    assert said("structure", 2.0, 2.0) == ("structure",)
    assert said("splice", 1.0, 0.9) == ("structure", "boundary")
    assert said("blur", 1.0, 0.5) == ("blur",)
    assert said("texture", 4.0, 0.5) == ()
    # Half the pixels, half the lengths.
    assert true_types({"change": "blur", "strength": 0.4, "edge": 1.0}, size=80) == ("blur",)
    assert true_types({"change": "blur", "strength": 0.4, "edge": 1.0}, size=160) == ()


def test_what_cannot_be_forged_is_refused(faces):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="unknown 'ear'; known: mouth"):
        forge_part(rng, faces[0], "ear", "blur")
    with pytest.raises(InputError, match="unknown 'fog'; known: colour"):
        forge_part(rng, faces[0], "mouth", "fog")
    with pytest.raises(InputError, match="needs the 468 or 68"):
        forge_part(rng, faces[0]._replace(landmarks=None), "mouth", "blur")
    with pytest.raises(InputError, match="Give a donor"):
        forge_part(rng, faces[0], "mouth", "splice")
