"""Faces in the frames of one film: every few frames all of it is looked at, and between them where faces were.

Between two proper looks a quick one is enough as long as it finds whoever was there (`find_again`), and as long as the
second proper look finds as many faces as the first. Else somebody came or went, and the frames between them are looked
at properly too. So a small face is overlooked only if it comes and goes between two proper looks.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from metaforge.data.detection import Detection

EVERY = 4
"""Of so many frames one is looked at properly."""

Find = Callable[[np.ndarray], list[Detection]]
"""An image, uint8 RGB, to the faces in it, the largest first."""

Again = Callable[[np.ndarray, Sequence[Detection]], list[Detection] | None]
"""The same, told of the faces in the frame before; `None` where a proper look is needed."""


class Found(NamedTuple):
    """A frame and the faces in it."""

    number: int
    image: np.ndarray
    faces: list[Detection]


def faces_of_film(frames: Iterable[tuple[int, np.ndarray]], *, find: Find, again: Again | None) -> Iterator[Found]:
    """The faces in each frame. As many frames as a quick look is taken of after each other are held, three.

    Args:
        frames: their numbers and pixels, in order.

    Other Arguments:
        find: the proper look.
        again: the quick one; `None` if each frame is looked at properly.

    Example:
        >>> looks = []
        >>> find = lambda image: [looks.append(int(image)), []][1]
        >>> found = faces_of_film(((n, np.array(n)) for n in range(7)), find=find, again=lambda image, before: [])
        >>> [each.number for each in found], looks
        ([0, 1, 2, 3, 4, 5, 6], [0, 4, 6])
    """
    first: Found | None = None
    held: list[Found] = []
    for number, image in frames:
        before = held[-1] if held else first
        quick = None
        if again is not None and before is not None and len(held) < EVERY - 1:
            quick = again(image, before.faces)
        if quick is not None:
            held.append(Found(number, image, quick))
            continue
        last = Found(number, image, find(image))
        yield from _settled(first, held, last, find)
        yield last
        first, held = last, []
    if held:
        last = held[-1]._replace(faces=find(held[-1].image))
        yield from _settled(first, held[:-1], last, find)
        yield last


def _settled(first: Found | None, held: list[Found], last: Found, find: Find) -> Iterator[Found]:
    """What lies between two proper looks: as it was found quickly, or properly where they differ."""
    same = first is not None and len({len(each.faces) for each in (first, *held, last)}) == 1
    yield from held if same else (each._replace(faces=find(each.image)) for each in held)
