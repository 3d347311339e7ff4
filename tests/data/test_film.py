"""Between two proper looks a quick one is enough only while nobody comes or goes."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from metaforge.data.detection import Detection, find_again, find_faces
from metaforge.data.film import EVERY, faces_of_film
from metaforge.data.png import png_of
from metaforge.data.shots import change


def face(left):
    box = np.array([left, 0, left + 10, 10], np.float32)
    return Detection(box, np.zeros((5, 2), np.float32), 1.0)


class Film:
    """Whoever stands in a row of `people` is in its frame; a quick look sees those of the frame before alone."""

    def __init__(self, *people):
        self.people, self.proper = people, []

    def find(self, image):
        self.proper.append(int(image))
        return [face(who) for who in self.people[int(image)]]

    def again(self, image, before):
        there = self.people[int(image)]
        known = [one for one in before if one.box[0] in there]
        return known if len(known) == len(before) else None

    def run(self):
        frames = ((number, np.array(number)) for number in range(len(self.people)))
        return [
            sorted(int(one.box[0]) for one in found.faces)
            for found in faces_of_film(frames, find=self.find, again=self.again)
        ]


@pytest.mark.parametrize("length", [1, 2, EVERY, EVERY + 1, EVERY + 2, 3 * EVERY])
def test_whoever_stays_is_looked_at_properly_now_and_then_and_at_the_end(length):
    film = Film(*[[1, 2]] * length)
    assert film.run() == [[1, 2]] * length
    assert film.proper == sorted({*range(0, length, EVERY), length - 1})


@pytest.mark.parametrize("comes", range(1, 10))
def test_whoever_comes_and_stays_is_seen_from_the_first_frame_on(comes):
    people = [[1]] * comes + [[1, 2]] * (11 - comes)
    assert Film(*people).run() == people


@pytest.mark.parametrize("goes", range(1, 10))
def test_whoever_goes_is_gone_from_that_frame_on(goes):
    people = [[1, 2]] * goes + [[2]] * (11 - goes)
    assert Film(*people).run() == people


def test_without_a_quick_look_every_frame_is_looked_at_properly():
    looked = []
    find = lambda image: [looked.append(int(image)), []][1]
    assert len(list(faces_of_film(((n, np.array(n)) for n in range(6)), find=find, again=None))) == 6
    assert looked == list(range(6))


def on_grey(picture, side, left, top):
    sheet = np.full((360, 640, 3), 128, np.uint8)
    sheet[top : top + side, left : left + side] = np.asarray(Image.fromarray(picture).resize((side, side)))
    return sheet


def agrees(one, other):
    return np.abs(one.mesh - other.mesh).max() < 0.12 * (other.box[3] - other.box[1])


def test_a_quick_look_finds_large_faces_anywhere_and_small_ones_where_they_were():
    head = astronaut()[:256, 96:352]
    large, moved = (find_faces(on_grey(head, 250, left, 60)) for left in (60, 330))
    found = find_again(on_grey(head, 250, 330, 60), large) or []
    assert len(found) == len(moved) == 1
    assert agrees(found[0], moved[0])
    small, nearly, far = (find_faces(on_grey(head, 60, left, 100)) for left in (100, 104, 400))
    found = find_again(on_grey(head, 60, 104, 100), small) or []
    assert len(found) == len(nearly) == len(far) == 1
    assert agrees(found[0], nearly[0])
    assert find_again(on_grey(head, 60, 400, 100), small) is None
    assert find_again(on_grey(head, 60, 400, 100), []) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3), (6, 4)])
def test_a_png_is_read_back_to_the_bit(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    read = Image.open(io.BytesIO(png_of(image)))
    assert read.mode == ("RGB" if len(shape) == 3 else "L")
    np.testing.assert_array_equal(np.asarray(read), image)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_of(image[::-1, ::-1])))), image[::-1, ::-1])


def test_a_change_is_the_median_of_the_blocks():
    one, other = np.random.default_rng(0).uniform(0, 255, (2, 9, 16))
    assert change(one, other) == np.median(np.abs(one - other))
