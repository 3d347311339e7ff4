"""Pictures without a face: textures and things that scikit-image brings along, and drawings."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

THINGS = (
    "brick", "cell", "chelsea", "checkerboard", "clock", "coffee", "coins", "colorwheel", "grass", "gravel", "horse",
    "hubble_deep_field", "immunohistochemistry", "logo", "microaneurysms", "moon", "page", "retina", "rocket",
    "shepp_logan_phantom", "text",
)  # fmt: skip
"""Of `skimage.data`: what is in its wheel and shows no person; a cat is among them."""
SIZE = 640, 480


def background(rng: np.random.Generator) -> np.ndarray:
    """A picture of 640 x 480 without a face, uint8 RGB; another one at each call."""
    kind = rng.integers(6)
    drawn = (_noise, _gradient, _drawing, _stripes)[kind](rng) if kind < 4 else _thing(rng)
    return np.ascontiguousarray(drawn)


def _thing(rng: np.random.Generator) -> np.ndarray:
    image = np.asarray(getattr(data, THINGS[rng.integers(len(THINGS))])())
    if image.dtype != np.uint8:
        image = (np.clip(image.astype(np.float64), 0, 1) * 255).astype(np.uint8)
    image = np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image[..., :3]
    picture = Image.fromarray(image)
    share = rng.uniform(0.4, 1.0)
    wide, high = (max(8, int(length * share)) for length in picture.size)
    left, top = int(rng.integers(picture.width - wide + 1)), int(rng.integers(picture.height - high + 1))
    scale = max(SIZE[0] / wide, SIZE[1] / high)
    part = picture.crop((left, top, left + wide, top + high)).resize(
        (max(SIZE[0], round(wide * scale)), max(SIZE[1], round(high * scale))), Image.Resampling.BILINEAR
    )
    part = part.crop((0, 0, *SIZE))
    return np.asarray(part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part)


def _noise(rng: np.random.Generator) -> np.ndarray:
    """Clouds: noise of several sizes, added."""
    total = np.zeros((SIZE[1], SIZE[0], 3))
    for cells in (3, 9, 30, 90):
        small = rng.normal(0, 60 / np.sqrt(cells), (cells, cells, 3))
        for channel in range(3):
            grown = Image.fromarray(small[..., channel].astype(np.float32)).resize(SIZE, Image.Resampling.BICUBIC)
            total[..., channel] += np.asarray(grown)
    return np.clip(rng.uniform(50, 200, 3) + total, 0, 255).astype(np.uint8)


def _gradient(rng: np.random.Generator) -> np.ndarray:
    first, last = rng.uniform(0, 255, (2, 3))
    across, down = np.meshgrid(np.linspace(0, 1, SIZE[0]), np.linspace(0, 1, SIZE[1]))
    share = rng.uniform() * (across - down) / 2 + down
    return np.clip(first + share[..., None] * (last - first), 0, 255).astype(np.uint8)


def _drawing(rng: np.random.Generator) -> np.ndarray:
    """Ellipses, boxes and lines, filled and not."""
    picture = Image.new("RGB", SIZE, _colour(rng))
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.integers(10, 60)):
        (x0, x1), (y0, y1) = np.sort(rng.integers(0, SIZE[0], 2)), np.sort(rng.integers(0, SIZE[1], 2))
        shape: Callable = (pen.ellipse, pen.rectangle, pen.line)[rng.integers(3)]
        shape([int(x0), int(y0), int(x1), int(y1)], fill=_colour(rng))
    return np.asarray(picture)


def _stripes(rng: np.random.Generator) -> np.ndarray:
    across, down = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 80)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (across * np.cos(angle) + down * np.sin(angle)) / period)
    first, last = rng.uniform(0, 255, (2, 3))
    return (first + wave[..., None] * (last - first)).astype(np.uint8)


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3)
    return int(red), int(green), int(blue)
