"""Forged films: every method is smooth in time, pairs share motion and coding, and a landmark stays on its pixel."""

import itertools

import numpy as np
import pytest
from scipy.stats import kstest

from metaforge.data.embedded_faces import embedded_faces
from metaforge.data.film_clips import read_clips
from metaforge.errors import InputError
from metaforge.forgeries import FORGERIES, Face, make
from metaforge.forgeries.drifting import RATE, Drifting
from metaforge.forgeries.films import film_pairs, forge_film, write_h264
from metaforge.forgeries.moving import moving

SIZE, FRAMES = 48, 4


@pytest.fixture(scope="module")
def faces():
    return embedded_faces("london", size=SIZE, around=True)[:40]


def alike(some, other):
    return np.corrcoef(some.ravel(), other.ravel())[0, 1]


@pytest.mark.parametrize("method", FORGERIES)
def test_what_is_forged_changes_far_less_between_neighbouring_frames_than_between_two_draws(faces, method):
    forgery, near, apart = make(method, faces), [], []
    for seed in range(3):
        film = moving(np.random.default_rng(seed), faces[2 * seed], FRAMES)

        def residual(words, donor, film=film):
            real, fake, _ = forge_film(forgery, film, donor if forgery.needs_donor else None, words)
            return fake.astype(float) - real

        whole = residual([seed, 0], faces[2 * seed + 2])
        # As if every frame were forged by itself: other parameters, another donor.
        each = [residual([seed, 1 + draw], faces[2 * seed + 4 + 2 * draw])[draw] for draw in range(FRAMES)]
        near += [1 - alike(*pair) for pair in itertools.pairwise(whole)]
        apart += [1 - alike(*pair) for pair in itertools.pairwise(each)]
    assert np.mean(near) < np.mean(apart) / 3
    assert np.mean(near) < 0.1


def test_a_draw_is_distributed_at_every_moment_as_if_drawn_anew_and_moves_slowly():
    draws = {seconds: Drifting([3], seconds).uniform(-2, 5, 20_000) for seconds in (0.0, 0.04, 1.0, 7.5)}
    for values in draws.values():
        assert kstest(values, "uniform", (-2, 7)).pvalue > 0.01
    assert np.abs(draws[0.04] - draws[0.0]).max() <= 0.04 * RATE * 7 + 1e-12
    assert abs(alike(draws[7.5], draws[0.0])) < 0.6


def test_coins_whole_numbers_and_choices_hold_for_a_film():
    def drawn(seconds, words=(4, 5)):
        rng = Drifting(words, seconds)
        rng.uniform(size=(3, 2))
        return rng.random(), rng.integers(0, 100, 5).tolist(), rng.choice(["a", "b", "c"], 2).tolist()

    assert drawn(0.0) == drawn(3.0)
    assert drawn(0.0) != drawn(0.0, (4, 6))


def test_uniform_takes_ranges_as_numpy_does():
    rng = Drifting([0], 1.0)
    assert isinstance(rng.uniform(), float)
    assert isinstance(rng.uniform(2, 3), float)
    low, high = np.array([0.0, 10.0]), np.array([1.0, 20.0])
    assert ((rng.uniform(low, high) >= low) & (rng.uniform(low, high) <= high)).all()
    assert rng.uniform(0, 1, (4, 2)).shape == (4, 2)


@pytest.mark.parametrize("seed", range(4))
def test_a_landmark_stays_on_its_pixel_while_the_face_moves(seed):
    image = np.zeros((64, 64, 3), np.uint8)
    image[20:23, 40:43] = 255  # around column 41, row 21
    face = Face(image, np.array([[41, 21], [10, 50], [30, 30]], np.float32), "dot", "dot")
    for frame in moving(np.random.default_rng(seed), face, 5):
        bright = frame.image[..., 0].astype(float)
        bright = np.where(bright > bright.max() / 3, bright, 0)
        rows, columns = np.mgrid[:64, :64]
        found = [(columns * bright).sum() / bright.sum(), (rows * bright).sum() / bright.sum()]
        np.testing.assert_allclose(found, frame.landmarks[0], atol=0.4)


def test_the_usual_crop_is_where_the_frame_says():
    image = np.zeros((60, 60, 3), np.uint8)
    image[:, 30:] = 200
    face = Face(image, None, "half", "half")
    for frame in moving(np.random.default_rng(1), face, 3):
        inside = frame.frame
        middle = inside.left + inside.side / 2
        edge = np.abs(np.diff(frame.image[30, :, 0].astype(int))).argmax() + 1
        assert abs(edge - middle) < 4  # the turn is not in it


def test_pairs_share_motion_and_pixels_outside_the_mask(faces):
    for pair in film_pairs(faces[:4], methods=["warp", "swap"], variants=1, frames=3, seed=1, fit_faces=faces):
        outside = pair.mask == 0
        assert outside.any()
        assert (pair.real[outside] == pair.fake[outside]).all()
        assert (pair.real != pair.fake).any()
        assert 18 <= pair.crf <= 33


def test_neither_order_nor_other_methods_change_a_pair(faces):
    def of(some, methods):
        return {pair.name: pair for pair in film_pairs(some, methods=methods, variants=2, frames=2, seed=5)}

    once, again = of(faces[:4], ["splice", "warp"]), of(faces[3::-1], ["warp"])
    assert {name for name in once if name.startswith("warp")} == {*again}
    for name, pair in again.items():
        assert (pair.crf, pair.donor) == (once[name].crf, once[name].donor)
        np.testing.assert_array_equal(pair.fake, once[name].fake)
    assert (once[f"warp-{faces[0].name}-0"].real != once[f"warp-{faces[0].name}-1"].real).any()


def test_a_coded_film_is_the_same_again_and_near_what_was_coded(tmp_path, faces):
    film = np.stack([frame.image for frame in moving(np.random.default_rng(0), faces[0], 6)])
    for name in ("one.mp4", "two.mp4"):
        write_h264(tmp_path / name, film, 18)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    found = read_clips(tmp_path / "one.mp4", np.array([0]), frames=6, size=SIZE)[0]
    assert np.abs(found.astype(float) - film).mean() < 4


@pytest.mark.parametrize("colour", [(200, 50, 50), (30, 180, 90), (40, 60, 210)])
def test_a_coded_film_keeps_its_colours(tmp_path, colour):
    write_h264(tmp_path / "flat.mp4", np.full((2, 32, 32, 3), colour, np.uint8), 18)
    found = read_clips(tmp_path / "flat.mp4", np.array([0]), frames=2, size=32)
    # Read by another matrix than it was written by, red would be off by 14.
    np.testing.assert_allclose(found.reshape(-1, 3).mean(axis=0), colour, atol=2.5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": 0}, "0 frames. Give at least one"),
        ({"methods": ["blur"]}, "unknown 'blur'; known: self_blend"),
        ({"faces": [Face(np.zeros((25, 25, 3), np.uint8), None, "a", "a")]}, "even number of pixels"),
        ({"methods": ["swap"], "faces": [Face(np.zeros((24, 24, 3), np.uint8), None, "a", "a")]}, "not two people"),
    ],
)
def test_what_cannot_work_is_one_line(changes, said):
    asked = {"faces": [Face(np.zeros((24, 24, 3), np.uint8), None, "a", "a")], "methods": ["warp"], "frames": 2}
    asked |= changes
    with pytest.raises(InputError, match=said):
        list(film_pairs(asked.pop("faces"), **asked, variants=1, seed=0))
