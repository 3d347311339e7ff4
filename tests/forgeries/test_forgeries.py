"""What holds for every forgery method, as one table; then what is particular to each."""

import json

import numpy as np
import pytest

from metaforge.data.faces import load_faces
from metaforge.data.records import check_splits_are_disjoint
from metaforge.errors import InputError
from metaforge.face_regions import REGIONS
from metaforge.forgeries import ACQUISITIONS, FORGERIES, Face, acquire, augment, forge_pairs, make, synthesise
from metaforge.forgeries.alignment import align
from metaforge.forgeries.base import is_grey
from metaforge.forgeries.masks import face_mask, region_mask, sbi_blend_mask
from metaforge.forgeries.reconstruction import principal_components, project
from metaforge.forgeries.swap import poisson_blend
from metaforge.forgeries.traces import up_convolve


def coloured(count=6, size=32, landmarks=False, seed=0):
    """Smooth random colour pictures, with a ring of points as landmarks."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = size / 2 + 0.32 * size * np.column_stack([np.cos(angle), np.sin(angle)])
    faces = []
    for n in range(count):
        image = gaussian_filter(rng.uniform(0, 255, (size, size, 3)), (1.5, 1.5, 0))
        image = (image - image.min()) / (image.max() - image.min()) * 255
        marks = (ring + rng.normal(0, size / 60, ring.shape)).astype(np.float32) if landmarks else None
        faces.append(Face(image.astype(np.uint8), marks, f"f{n}", f"p{n}"))
    return faces


KINDS = {
    "grey 32": lambda: load_faces("lfw", size=32).faces[:6],
    "colour 24": lambda: coloured(size=24),
    "colour 64 with landmarks": lambda: coloured(size=64, landmarks=True),
    "odd size": lambda: coloured(size=33),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", FORGERIES)
def test_every_method_forges_inside_its_mask_and_nowhere_else(method, kind):
    faces = KINDS[kind]()
    before = [face.image.copy() for face in faces]
    changes = []
    for pair in forge_pairs(faces, methods=[method], variants=2, seed=0):
        fake, real, mask, parameters = pair.forged
        assert fake.dtype == real.dtype == np.uint8
        assert fake.shape == real.shape == faces[0].image.shape
        assert mask.dtype == np.float32
        assert mask.min() >= 0
        assert mask.max() <= 1
        assert 0 < (mask > 0).mean() < 0.9
        np.testing.assert_array_equal(fake[mask == 0], real[mask == 0])
        changes.append(np.abs(fake.astype(float) - real)[mask > 0.5 * mask.max()].mean())
        if is_grey(pair.face.image):
            assert is_grey(fake)
            assert is_grey(real)
        json.dumps(parameters)
    assert np.mean(changes) > 1.5
    for face, image in zip(faces, before, strict=True):
        np.testing.assert_array_equal(face.image, image)


@pytest.mark.parametrize("method", FORGERIES)
def test_a_pair_depends_on_seed_domain_face_and_variant_alone(method):
    faces = coloured()
    options = {"variants": 2, "split": "train", "fit_faces": faces}
    alone = synthesise(faces, methods=[method], seed=3, **options)
    among = synthesise(faces, methods=[*FORGERIES][::-1], seed=3, **options).where(domain=method)
    np.testing.assert_array_equal(alone.image, among.image)
    assert not np.array_equal(alone.image, synthesise(faces, methods=[method], seed=4, **options).image)
    first, second = alone.where(frame=0).image, alone.where(frame=1).image
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("method", FORGERIES)
def test_donors_are_other_people_and_only_where_they_are_needed(method):
    records = synthesise(coloured(), methods=[method], variants=3, seed=0, split="train")
    fakes = records.where(label=1)
    assert (records.where(label=0).donor == "").all()
    if make(method, coloured()).needs_donor:
        assert (fakes.donor != "").all()
        assert (fakes.donor != fakes.identity).all()
    else:
        assert (fakes.donor == "").all()


def test_records_say_what_they_are():
    records = synthesise(coloured(), methods=["warp"], acquisitions=("none", "jpeg"), variants=2, seed=0, split="test")
    assert records.domains() == ["warp", "warp/jpeg"]
    assert set(records.compression) == {"none", "jpeg"}
    assert set(records.method) == {"warp"}
    assert len(records) == 6 * 2 * 2 * 2
    for pair in set(records.pair.tolist()):
        assert sorted(records.where(pair=pair).label) == [0, 1]
    check_splits_are_disjoint(records)


@pytest.mark.parametrize("method", FORGERIES)
def test_masks_are_asked_for_and_hold_every_pixel_that_was_forged(method):
    options = {"methods": [method], "variants": 1, "seed": 0, "split": "train"}
    plain, records = synthesise(coloured(), **options), synthesise(coloured(), masks=True, **options)
    assert plain.mask is None
    np.testing.assert_array_equal(plain.image, records.image)
    real, fake = records.where(label=0), records.where(label=1)
    assert real.pair.tolist() == fake.pair.tolist()
    assert not real.mask.any()
    assert fake.mask.any(axis=(1, 2)).all()
    changed = (real.image != fake.image).any(axis=-1)
    assert not (changed & (fake.mask == 0)).any()


def test_a_grey_face_stays_grey_whoever_the_donor_is():
    grey = load_faces("lfw", size=32).faces[0]
    for method in ("swap", "poisson_swap", "splice"):
        forged = make(method, []).forge(np.random.default_rng(0), grey, coloured(1)[0])
        assert is_grey(forged.fake)


def test_the_order_of_the_faces_changes_nothing():
    faces = coloured()
    options = {"methods": ["swap"], "variants": 1, "seed": 0, "split": "train"}
    one, other = synthesise(faces, **options), synthesise(faces[::-1], **options)
    for pair in set(one.pair.tolist()):
        np.testing.assert_array_equal(one.where(pair=pair).image, other.where(pair=pair).image)


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), 500 + np.eye(5)[:, :2]])
def test_landmarks_that_enclose_nothing_are_refused_by_name(points):
    face = coloured(1)[0]._replace(landmarks=points.astype(np.float32))
    with pytest.raises(InputError, match="'f0'"):
        face_mask(np.random.default_rng(0), face)


def test_unknown_names_and_useless_faces_are_one_line():
    faces = coloured(2)
    options = {"variants": 1, "seed": 0}
    with pytest.raises(InputError, match="known: self_blend, swap"):
        list(forge_pairs(faces, methods=["oops"], **options))
    with pytest.raises(InputError, match="known: none, jpeg"):
        list(forge_pairs(faces, methods=["warp"], acquisitions=["oops"], **options))
    with pytest.raises(InputError, match="not two people"):
        list(forge_pairs([faces[0], faces[1]._replace(identity="p0")], methods=["swap"], **options))
    with pytest.raises(InputError, match="one name"):
        list(forge_pairs([faces[0], faces[0]], methods=["warp"], **options))
    with pytest.raises(InputError, match="several sizes"):
        list(forge_pairs([faces[0], *coloured(1, size=24)], methods=["warp"], **options))
    with pytest.raises(InputError, match="nothing to forge"):
        synthesise(faces, methods=[], split="train", **options)


@pytest.mark.parametrize("kind", ACQUISITIONS)
def test_an_acquisition_treats_real_and_fake_alike(kind):
    image = coloured(1)[0].image
    (one, other), drawn = acquire(np.random.default_rng(0), [image, image], kind)
    np.testing.assert_array_equal(one, other)
    assert one.shape == image.shape
    assert (one == image).all() == (kind == "none")
    json.dumps(drawn)


def test_a_varied_acquisition_draws_all_its_treatments_and_the_same_for_all():
    image, seen = coloured(1)[0].image, set()
    for seed in range(40):
        (one, other), drawn = acquire(np.random.default_rng(seed), [image, image], "varied")
        np.testing.assert_array_equal(one, other)
        seen |= set(drawn)
    assert seen == {"colour", "contrast", "downscale", "blur", "noise", "quality"}


def test_a_flip_moves_landmarks_with_the_image():
    size = 32
    image = np.zeros((size, size, 3), np.uint8)
    image[12, 20] = 255
    face = Face(image, np.array([[20, 12]], np.float32), "a", "a")
    for seed in range(8):
        moved = augment(np.random.default_rng(seed), face)
        row, column = np.unravel_index(moved.image[..., 0].argmax(), (size, size))
        np.testing.assert_array_equal(moved.landmarks[0], [column, row])


def test_poisson_blending_has_the_donors_laplacian_inside_and_the_target_outside():
    rng = np.random.default_rng(0)
    content, target = rng.uniform(0, 255, (2, 16, 16, 3))
    inside = np.zeros((16, 16), bool)
    inside[3:12, 4:13] = rng.random((9, 9)) < 0.8
    blended = poisson_blend(content, target, inside)
    np.testing.assert_array_equal(blended[~inside], target[~inside])

    def laplacian(image):
        return 4 * image[1:-1, 1:-1] - image[:-2, 1:-1] - image[2:, 1:-1] - image[1:-1, :-2] - image[1:-1, 2:]

    np.testing.assert_allclose(
        laplacian(blended)[inside[1:-1, 1:-1]], laplacian(content)[inside[1:-1, 1:-1]], atol=1e-8
    )


def test_all_components_reconstruct_the_training_faces_and_fewer_reconstruct_worse():
    images = np.stack([face.image for face in coloured(8)]).astype(float)
    mean, components = principal_components(images)
    np.testing.assert_allclose(components @ components.T, np.eye(len(components)), atol=1e-8)
    np.testing.assert_allclose(project(images[3], mean, components), images[3], atol=1e-6)
    errors = [np.abs(project(images[3], mean, components[:k]) - images[3]).mean() for k in (1, 3, 5, 7)]
    assert errors == sorted(errors, reverse=True)
    # The components are those of a singular value decomposition.
    _, values, _ = np.linalg.svd(images.reshape(8, -1) - mean, full_matrices=False)
    np.testing.assert_allclose(np.linalg.norm((images.reshape(8, -1) - mean) @ components.T, axis=0), values[:7])


def test_reconstruction_learns_from_the_fit_faces_alone():
    faces, others = coloured(6, seed=1), coloured(6, seed=2)
    one = synthesise(faces, methods=["reconstruction"], variants=1, seed=0, split="test", fit_faces=others)
    same = synthesise(faces[:3], methods=["reconstruction"], variants=1, seed=0, split="test", fit_faces=others)
    np.testing.assert_array_equal(one.image[:6], same.image)


def test_the_sbi_mask_peaks_at_its_ratio():
    mask = face_mask(np.random.default_rng(0), coloured(1)[0])
    for seed in range(10):
        soft, drawn = sbi_blend_mask(np.random.default_rng(seed), mask)
        assert soft.max() == pytest.approx(drawn["ratio"], abs=1e-6)
        assert 192 <= drawn["side"] <= 256
        assert all(5 <= k <= 25 and k % 2 for k in drawn["kernels"])


def test_an_even_up_convolution_leaves_a_ramp_alone_and_an_uneven_one_a_checkerboard():
    flat = np.full((16, 16, 3), 100, np.uint8)
    np.testing.assert_allclose(up_convolve(flat, factor=2.0, uneven=0.0), 100.0)
    board = up_convolve(flat, factor=2.0, uneven=0.1)[..., 0]
    np.testing.assert_allclose(board[0::2, 0::2], 121.0)
    np.testing.assert_allclose(board[1::2, 1::2], 81.0)


def test_the_hull_follows_the_landmarks():
    face = coloured(1, size=64, landmarks=True)[0]
    shifted = face._replace(landmarks=face.landmarks + np.array([8, 0], np.float32))
    centre = lambda f: np.average(np.arange(64), weights=face_mask(np.random.default_rng(0), f).sum(axis=0))
    assert centre(shifted) - centre(face) == pytest.approx(8, abs=0.6)


def test_alignment_lays_landmarks_onto_landmarks():
    target = coloured(1, size=64, landmarks=True)[0]
    image = np.zeros((64, 64, 3), np.uint8)
    points = ((target.landmarks - 32) * 0.8 + 34).astype(np.float32)  # smaller, and moved
    x, y = np.round(points[5]).astype(int)
    image[y - 1 : y + 2, x - 1 : x + 2] = 255
    moved = align(target, Face(image, points, "d", "d"))
    row, column = np.unravel_index(moved[..., 0].argmax(), (64, 64))
    assert np.hypot(column - target.landmarks[5][0], row - target.landmarks[5][1]) < 2.5


def test_a_region_is_cut_out_by_landmarks_that_have_outlines():
    mesh = np.full((468, 2), 20.0, np.float32)
    # A mouth whose outline is a square: its corners 18, 2 and the sides between them.
    square = np.array([[20, 30], [40, 30], [40, 50], [20, 50]], np.float32)
    mouth = REGIONS["mouth"].mesh
    for place, point in enumerate(mouth):
        mesh[point] = square[place * 4 // len(mouth)]
    face = coloured(1, size=64)[0]._replace(landmarks=mesh)
    mask = region_mask(np.random.default_rng(0), face, ["mouth"])
    assert mask[35:46, 25:36].min() > 0.9
    outside = mask.copy()
    outside[24:57, 14:47] = 0
    assert outside.max() < 0.05
    ellipse = region_mask(np.random.default_rng(0), face._replace(landmarks=None), ["mouth"])
    assert not np.array_equal(ellipse, mask)
