"""Known faces in pictures: turned, small, dark, covered, tight, blurred, in groups, with their boxes and points."""

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from experiments.finders.backgrounds import SIZE, background
from experiments.finders.known import Known


class Picture(NamedTuple):
    """A picture and its faces.

    Attributes:
        image: uint8 RGB.
        boxes: x0, y0, x1, y1, float64 `(faces, 4)`.
        points: float64 `(faces, 5, 2)`, or `None` where they are not known.
        people: who they are; of a picture without faces, a name of its own.
        variant: what was done.
        low: whether faces are so small that the smallest share is lowered.
    """

    image: np.ndarray
    boxes: np.ndarray
    points: np.ndarray | None
    people: list[str]
    variant: str
    low: bool = False


def _placed(
    known: Known, canvas: np.ndarray, middle: np.ndarray, height: float, *, degrees: float = 0.0, around: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """A face put on a canvas, turned to the left: the picture, its box and its points.

    Args:
        known: the face.
        canvas: what it is put on.
        middle: where to, x and y.
        height: of its upright box.

    Other Arguments:
        degrees: the turn.
        around: side of what is taken along, a square in an upright photograph, in heights of the box.
    """
    low, high = known.outline.min(axis=0), known.outline.max(axis=0)
    from_middle, scale = (low + high) / 2, height / (high[1] - low[1])
    radians = np.deg2rad(degrees)
    turn = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    there = lambda points: (points - from_middle) * scale @ turn.T + middle
    # Shrunk by averages first: the transform looks at four pixels for one.
    photo, factor = Image.fromarray(known.image), max(1, int(0.7 / scale))
    photo = photo.reduce(factor)
    back = turn.T / (scale * factor)
    corner = from_middle / factor - back @ middle
    coefficients = (*back[0], corner[0], *back[1], corner[1])
    size = canvas.shape[1::-1]
    moved = photo.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    reach = around / 2 * (high[1] - low[1])
    inside = np.zeros(known.image.shape[:2], np.uint8)
    (x0, y0), (x1, y1) = (np.clip(from_middle + sign * reach, 0, None).astype(int) for sign in (-1, 1))
    inside[y0:y1, x0:x1] = 255
    mask = Image.fromarray(inside).reduce(factor).transform(size, Image.Transform.AFFINE, coefficients)
    made = Image.fromarray(canvas)
    made.paste(moved, mask=mask)
    outline = there(known.outline)
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    return np.asarray(made), box, None if known.points is None else there(known.points)


def _alone(known: Known, rng: np.random.Generator, variant: str, height: float, **how) -> Picture:
    low = how.pop("low", False)
    reach = min(height, 0.45 * SIZE[1])
    middle = np.array([rng.uniform(reach * 0.8, length - reach * 0.8) for length in SIZE])
    image, box, points = _placed(known, background(rng), middle, height, **how)
    return Picture(image, box[None], None if points is None else points[None], [known.person], variant, low)


def _plain(known: Known, rng: np.random.Generator, variant: str = "plain") -> Picture:
    return _alone(known, rng, variant, rng.uniform(130, 220))


def _turned(degrees: float) -> Callable[[Known, np.random.Generator], Picture]:
    def made(known, rng):
        sign = rng.choice([-1, 1])
        return _alone(known, rng, f"turned {degrees:.0f}", rng.uniform(130, 220), degrees=sign * degrees)

    return made


def _small(height: float) -> Callable[[Known, np.random.Generator], Picture]:
    return lambda known, rng: _alone(known, rng, f"small {height:.0f}", height, low=True)


def _dark(known: Known, rng: np.random.Generator) -> Picture:
    picture = _plain(known, rng, "dark")
    light = picture.image * 0.08 + rng.normal(0, 3, picture.image.shape)
    return picture._replace(image=np.clip(light, 0, 255).astype(np.uint8))


def _covered(what: str) -> Callable[[Known, np.random.Generator], Picture]:
    def made(known, rng):
        picture = _plain(known, rng, what)
        left_eye, right_eye, nose, left_mouth, right_mouth = picture.points[0]  # type: ignore[index]
        x0, _, x1, y1 = picture.boxes[0]
        eyes = right_eye[0] - left_eye[0]
        drawn = Image.fromarray(picture.image)
        pen = ImageDraw.Draw(drawn)
        if what == "mask":
            top, bridge = (left_eye[1] + nose[1]) / 2, (left_eye[1] + 2 * nose[1]) / 3
            edge = [
                (x0, top),
                (nose[0], bridge),
                (x1, top),
                (right_mouth[0] + eyes / 3, y1),
                (left_mouth[0] - eyes / 3, y1),
            ]
            pen.polygon(edge, fill=(170, 200, 220))
        elif what == "hand":
            colour = tuple(int(part) for part in np.median(picture.image[int(nose[1]) - 3 : int(nose[1]) + 3,
                           int(nose[0]) - 3 : int(nose[0]) + 3].reshape(-1, 3), axis=0) * 0.85)  # fmt: skip
            for finger in range(4):
                y = nose[1] + (finger - 0.4) * eyes * 0.32
                pen.rounded_rectangle([nose[0] - eyes * 0.1, y, x1 + eyes, y + eyes * 0.3], eyes * 0.14, fill=colour)
        else:
            middle = (left_eye[1] + right_eye[1]) / 2
            pen.rounded_rectangle([x0, middle - eyes * 0.3, x1, middle + eyes * 0.3], eyes * 0.2, fill=(15, 15, 18))
        return picture._replace(image=np.asarray(drawn))

    return made


def _tight(known: Known, rng: np.random.Generator) -> Picture:
    """The box is the whole picture."""
    low, high = np.floor(known.outline.min(axis=0)).astype(int), np.ceil(known.outline.max(axis=0)).astype(int)
    low = np.maximum(low, 0)
    image = np.ascontiguousarray(known.image[low[1] : high[1], low[0] : high[0]])
    outline = known.outline - low
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    points = None if known.points is None else (known.points - low)[None]
    return Picture(image, box[None], points, [known.person], "tight")


def _blurred(known: Known, rng: np.random.Generator) -> Picture:
    picture = _plain(known, rng, "blurred")
    radius = float(0.05 * (picture.boxes[0, 3] - picture.boxes[0, 1]))
    return picture._replace(image=np.asarray(Image.fromarray(picture.image).filter(ImageFilter.GaussianBlur(radius))))


def _jpeg(known: Known, rng: np.random.Generator) -> Picture:
    picture, kept = _plain(known, rng, "JPEG 20"), io.BytesIO()
    Image.fromarray(picture.image).save(kept, "JPEG", quality=20)
    return picture._replace(image=np.asarray(Image.open(kept).convert("RGB")))


VARIANTS: tuple[Callable[[Known, np.random.Generator], Picture], ...] = (
    _plain, _turned(30), _turned(60), _turned(90), _turned(180), _small(60), _small(40), _small(28), _small(20),
    _small(14), _dark, _covered("mask"), _covered("hand"), _covered("sunglasses"), _tight, _blurred, _jpeg,
)  # fmt: skip
"""Each makes a picture of one face."""


def group(people: list[Known], rng: np.random.Generator) -> Picture:
    """Six faces in two rows."""
    canvas, boxes, points = background(rng), [], []
    for index, known in enumerate(people[:6]):
        middle = np.array([107 + 213 * (index % 3), 120 + 240 * (index // 3)]) + rng.uniform(-15, 15, 2)
        canvas, box, five = _placed(known, canvas, middle, rng.uniform(60, 110), around=1.6)
        boxes.append(box)
        points.append(five)
    return Picture(canvas, np.stack(boxes), np.stack(points), [known.person for known in people[:6]], "six faces")


def as_it_is(known: Known) -> Picture:
    """The photograph itself."""
    box = np.concatenate([known.outline.min(axis=0), known.outline.max(axis=0)])
    return Picture(known.image, box[None], None, [known.person], known.source)


def empty(rng: np.random.Generator, index: int, known: Known | None = None) -> Picture:
    """A picture without a face: a background, or a photograph whose face is painted over."""
    none = np.zeros((0, 4))
    if known is None:
        return Picture(background(rng), none, None, [f"empty {index}"], "no face")
    drawn = Image.fromarray(known.image)
    (x0, y0), (x1, y1) = known.outline.min(axis=0), known.outline.max(axis=0)
    wide, high = x1 - x0, y1 - y0
    colour = tuple(int(part) for part in rng.integers(0, 256, 3))
    ImageDraw.Draw(drawn).rectangle([x0 - wide * 0.2, y0 - high * 0.2, x1 + wide * 0.2, y1 + high * 0.2], fill=colour)
    return Picture(np.asarray(drawn), none, None, [known.person], "no face")
