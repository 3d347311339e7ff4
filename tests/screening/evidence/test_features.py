"""Features on faces that are drawn, whose light, noise, edges and shape are known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metaforge.data.detection import Detection, find_face
from metaforge.face_regions import MESH_MIRROR, OVAL
from metaforge.screening.evidence import (
    channels,
    contour,
    detail,
    lighting,
    noise,
    resampling,
    shape,
    symmetry,
    texture,
)
from metaforge.screening.evidence.continuity import continuity
from metaforge.screening.evidence.view import looked_at, neck, skin, view_of

SIDE = 200


@pytest.fixture(scope="module")
def mesh():
    """That of a photograph, made symmetric and laid into the middle."""
    from skimage.data import astronaut

    found = find_face(astronaut()).mesh.astype(float)
    mirrored = symmetry.laid_onto((found * [-1, 1])[MESH_MIRROR], found)
    both = (found + mirrored) / 2
    # A mirror image of the mean lies onto it by a turn alone; upright it is its own mirror image.
    tilt = both[263] - both[33]
    turn = np.array([[tilt[0], tilt[1]], [-tilt[1], tilt[0]]]) / np.linalg.norm(tilt)
    upright = (both - both.mean(axis=0)) @ turn.T
    return upright / np.ptp(upright[:, 0]) * 120 + SIDE / 2


def drawn(mesh, luma):
    return looked_at(np.repeat(np.asarray(luma, float)[..., None], 3, axis=-1), mesh)


def flat(value=120.0):
    return np.full((SIDE, SIDE), value)


def test_a_face_lit_from_a_known_direction_gives_that_direction(mesh):
    facing = lighting.normals(drawn(mesh, flat()))
    towards = np.array([30.0, -20.0, 50.0])
    view = drawn(mesh, np.nan_to_num(60 + facing @ towards, nan=60.0))
    found = lighting.fit_light(view.luma, facing, skin(view))
    np.testing.assert_allclose(found.towards, towards, atol=1e-6)
    assert found.ambient == pytest.approx(60)
    apart, explained, sides = lighting.direction(view)
    assert (apart, explained, sides) == (pytest.approx(0, abs=1e-6), pytest.approx(1), pytest.approx(0, abs=1e-6))


def test_a_middle_that_is_lit_from_the_other_side_is_told(mesh):
    view = drawn(mesh, flat())
    facing = lighting.normals(view)
    left, right = (np.nan_to_num(100 + facing @ [way, 0.0, 20.0], nan=100.0) for way in (-40.0, 40.0))
    swapped = drawn(mesh, np.where(view.depth > 0.3, left, right))
    scale = float(np.median(swapped.luma[skin(swapped)]))
    assert lighting.direction(swapped)[0] == pytest.approx(80 / scale, rel=1e-6)


def test_the_colour_of_a_face_differs_from_the_neck_by_what_was_laid_on(mesh):
    view = drawn(mesh, flat(100.0))
    image = view.image.copy()
    image[view.depth > 0.0, 0] = 140.0
    below, border, sides = lighting.colour(looked_at(image, mesh))
    assert neck(view).sum() > 100
    assert below == pytest.approx(np.log(144 / 104))
    assert (border, sides) == (pytest.approx(0), pytest.approx(0))


@pytest.mark.parametrize(("inside", "outside"), [(2.0, 6.0), (5.0, 5.0), (8.0, 2.0)])
def test_noise_of_known_deviations_gives_their_ratio(mesh, inside, outside):
    white = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    view = drawn(mesh, flat())
    noisy = drawn(mesh, 120 + white * np.where(view.depth > 0, inside, outside))
    assert noise.noise(noisy)[0] == pytest.approx(np.log(inside / outside), abs=0.1)


def test_texture_that_ends_inside_the_border_is_told(mesh):
    white = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    view = drawn(mesh, flat())
    whole = continuity(drawn(mesh, 120 + 5 * white))
    smoothed = continuity(
        drawn(mesh, np.where(view.depth > 0.18, 120 + gaussian_filter(5 * white, 1.5), 120 + 5 * white))
    )
    np.testing.assert_allclose(whole[:2], 0, atol=0.2)
    assert smoothed[0] < -2


def test_a_step_that_runs_along_the_contour_is_told_and_one_that_crosses_it_is_not(mesh):
    view = drawn(mesh, flat())
    along = contour.contour(drawn(mesh, np.where(view.depth > 0.2, 130.0, 120.0)))
    across = contour.contour(drawn(mesh, np.where(np.arange(SIDE) > SIDE / 2, 130.0, 120.0) + flat(0.0)))
    # A step of 10 grey levels, where there is no other: by the half level that is added to the spread.
    assert along[0] == pytest.approx(np.log(10 / 0.5 + 0.1))
    assert across[0] < along[0]


def test_skin_that_was_interpolated_has_neighbours_alike(mesh):
    white = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    sharp, soft = (texture.texture(drawn(mesh, 120 + 5 * each)) for each in (white, 3 * gaussian_filter(white, 1.0)))
    # The second difference of white noise along a row: (1, -2, 1) with itself, one pixel on.
    assert sharp[1] == pytest.approx(-2 / 3, abs=0.05)
    assert sharp[2] == pytest.approx(np.log(3), abs=0.1)
    assert soft[1] > sharp[1] + 0.3
    assert soft[0] < sharp[0]


@pytest.mark.parametrize("blur", [0.8, 1.2])
def test_a_smoothed_face_lacks_the_finest_octave_by_what_the_blur_takes_from_white_noise(mesh, blur):
    white = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    inside = drawn(mesh, flat()).depth > 0
    found = detail.detail(drawn(mesh, 120 + 50 * np.where(inside, gaussian_filter(white, blur), white)))
    # Powers of white noise in an octave, before and after the blur, over all frequencies of the plane.
    squared = np.add.outer(*[np.linspace(-np.pi, np.pi, 400, endpoint=False) ** 2] * 2)
    gauss = lambda scale: np.exp(-squared * scale**2 / 2)
    octaves = [gauss(near) - gauss(far) for near, far in ((0, 1), (1, 2), (2, 4))]
    fell = [np.log(((each * gauss(blur)) ** 2).mean() / (each**2).mean()) for each in octaves]
    np.testing.assert_allclose(found, [fell[0] - fell[1], fell[1] - fell[2], fell[0]], atol=0.25)


def test_louder_noise_alone_changes_no_octave_against_another(mesh):
    white = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    inside = drawn(mesh, flat()).depth > 0
    found = detail.detail(drawn(mesh, 120 + white * np.where(inside, 30, 10)))
    np.testing.assert_allclose(found, [0, 0, 2 * np.log(3)], atol=0.25)


def test_channels_that_share_a_known_part_of_their_noise_give_the_difference_of_z(mesh):
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(SIDE, SIDE, 1)), rng.normal(size=(SIDE, SIDE, 3))
    depth = drawn(mesh, flat()).depth[..., None]
    share = np.where(depth > 0, 0.2, 0.8)
    noisy = 120 + 5 * (np.sqrt(share) * common + np.sqrt(1 - share) * own)
    # The correlation of two channels is the share of their power that is common.
    np.testing.assert_allclose(channels.channels(looked_at(noisy, mesh)), np.arctanh(0.2) - np.arctanh(0.8), atol=0.1)
    grey = np.repeat(noisy[..., :1], 3, axis=-1)
    np.testing.assert_allclose(channels.channels(looked_at(grey, mesh)), 0, atol=1e-9)


@pytest.mark.parametrize(("steps", "beat"), [(2, 1 / 2), (3, 1 / 3), (4, 1 / 4)])
def test_interpolated_noise_beats_once_a_pixel_of_its_source(steps, beat):
    white = np.random.default_rng(0).normal(size=(120, 80))
    places = np.arange(0, 79, 1 / steps)
    rows = np.stack([np.interp(places, np.arange(80), row) for row in white])
    frequencies, strong = resampling.spectrum(resampling.sizes(100 * rows, np.ones(rows.shape, bool))[0])
    # Between two pixels a straight line has no second difference at all: a comb, whose overtones are as strong.
    place = np.argmin(abs(frequencies - beat))
    assert strong[place] > 10 * np.median(strong)
    assert strong[place] > 0.8 * strong.max()


def test_a_face_that_was_enlarged_has_a_rhythm_that_its_surroundings_lack(mesh):
    white = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    places = np.arange(SIDE) * 0.75
    along = np.stack([np.interp(places, np.arange(SIDE), row) for row in white])
    enlarged = np.stack([np.interp(places, np.arange(SIDE), column) for column in along.T]).T
    depth = drawn(mesh, flat()).depth
    laid_in = resampling.resampling(drawn(mesh, 120 + 10 * np.where(depth > 0, enlarged, white)))
    untouched, whole = (resampling.resampling(drawn(mesh, 120 + 10 * each)) for each in (white, enlarged))
    assert laid_in[0] > 0.5
    assert max(abs(untouched[0]), abs(whole[0])) < 0.5
    assert laid_in[2] == pytest.approx(whole[2], abs=0.2)


def test_a_mirrored_face_has_no_asymmetry_and_one_moved_point_has_what_it_was_moved(mesh):
    np.testing.assert_allclose(symmetry.asymmetry(mesh), 0, atol=1e-3)
    moved = mesh.copy()
    moved[61] += [0.0, 20.0]
    whole, mouth, eyes = symmetry.asymmetry(moved)
    # Two points, the moved one and its mirror image, lie 20 pixels off, but for what Procrustes takes up.
    assert whole == pytest.approx(20 * np.sqrt(2 / 468) / np.linalg.norm(mesh[33] - mesh[263]), rel=0.05)
    assert eyes < whole
    del mouth


def test_turn_scale_and_shift_change_neither_symmetry_nor_shape(mesh):
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rough = mesh + np.random.default_rng(0).normal(size=mesh.shape)
    np.testing.assert_allclose(symmetry.asymmetry(3 * rough @ turn + 50), symmetry.asymmetry(rough), rtol=1e-9)
    shapes = mesh[None, :68] + np.random.default_rng(1).normal(size=(60, 68, 2))
    prior = shape.fit_prior(shapes)
    one = shapes[0]
    np.testing.assert_allclose(shape.distances(prior, 3 * one @ turn + 50), shape.distances(prior, one), rtol=1e-6)


def test_shapes_like_those_learned_lie_at_about_one_and_a_torn_mouth_far(mesh):
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(3, 68, 2))
    make = lambda count: mesh[:68] + np.einsum("nk,kpd->npd", rng.normal(size=(count, 3)), directions)
    prior = shape.fit_prior(make(400), kept=3)
    seen = np.mean([shape.distances(prior, each)[0] for each in make(200)])
    assert seen == pytest.approx(1, abs=0.2)
    torn = make(1)[0]
    torn[48:68] += 15
    assert shape.distances(prior, torn)[0] > 5 * seen or shape.distances(prior, torn)[1] > 100
    read = shape.Prior.from_json(prior.as_json())
    np.testing.assert_allclose(shape.distances(read, torn), shape.distances(prior, torn), rtol=0.05)


def test_a_view_lies_where_the_face_is_and_small_faces_have_none(mesh):
    picture = np.random.default_rng(0).integers(0, 256, (400, 500, 3), np.uint8)
    there = mesh + np.array([180, 90])
    box = np.concatenate([there.min(axis=0), there.max(axis=0)])
    face = Detection(box, np.zeros((5, 2)), 1.0, there)
    view = view_of(picture, face)
    left, top = np.rint(there[0] - view.mesh[0]).astype(int)
    assert (view.image == picture[top : top + view.image.shape[0], left : left + view.image.shape[1]]).all()
    assert view_of(picture, face._replace(mesh=None)) is None
    assert view_of(picture[::4, ::4].copy(), face._replace(box=box / 4, mesh=there / 4)) is None
    large = view_of(np.kron(picture, np.ones((3, 3, 1), np.uint8)), face._replace(box=box * 3, mesh=there * 3))
    assert large.image.shape == (224, 224, 3)
    np.testing.assert_allclose(large.mesh / 224, view.mesh / view.image.shape[0], atol=0.01)
    assert (view.depth[skin(view)] > -0.02).all()
    assert len(OVAL) == 36
