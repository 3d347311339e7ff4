"""What may have happened to a picture on its way, one small step each: a draw of it, then the same for all pictures.

Each of `TREATMENTS` takes a generator and returns a `Treatment`, which does to every picture what was drawn.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from metaforge.forgeries.compression import Subsampling, h264, jpeg

KERNELS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""The filters that make pictures smaller. To enlarge by area repeats pixels, which nobody does to a photograph."""

_SUBSAMPLINGS: tuple[Subsampling, ...] = ("4:4:4", "4:2:2", "4:2:0")


class Treatment(NamedTuple):
    """A step with what was drawn for it.

    Attributes:
        apply: uint8 RGB to uint8 RGB of the same size; pure.
        drawn: its parameters, JSON-able.
    """

    apply: Callable[[np.ndarray], np.ndarray]
    drawn: dict[str, Any]


def colour(rng: np.random.Generator) -> Treatment:
    """Each colour is scaled by 0.85 to 1.15, and all are mixed with their grey by up to 0.3; ranges of `varied`."""
    gains, grey = rng.uniform(0.85, 1.15, 3), float(rng.uniform(0, 0.3))

    def apply(image: np.ndarray) -> np.ndarray:
        return _bytes((1 - grey) * gains * image + grey * image.mean(axis=-1, keepdims=True))

    return Treatment(apply, {"colour": [round(float(gain), 2) for gain in gains], "grey": round(grey, 2)})


def contrast(rng: np.random.Generator) -> Treatment:
    """Contrast by 0.8 to 1.2 around the middle grey; the range of `varied`."""
    factor = float(rng.uniform(0.8, 1.2))
    return Treatment(
        lambda image: _bytes(128 + factor * (image.astype(np.float64) - 128)), {"contrast": round(factor, 2)}
    )


def sharpening(rng: np.random.Generator) -> Treatment:
    """An unsharp mask of radius 0.5 to 1.5 pixels and 20 to 100 %: what cameras and editors do; ranges are our own."""
    radius, percent = float(rng.uniform(0.5, 1.5)), int(rng.integers(20, 101))
    mask = ImageFilter.UnsharpMask(radius, percent, 2)
    drawn = {"sharpening": [round(radius, 2), percent]}
    return Treatment(lambda image: np.asarray(Image.fromarray(image).filter(mask)), drawn)


def blur(rng: np.random.Generator) -> Treatment:
    """A Gaussian blur of 0.3 to 1.2 pixels; the range of `varied`."""
    radius = float(rng.uniform(0.3, 1.2))
    gaussian = ImageFilter.GaussianBlur(radius)
    drawn = {"blur": round(radius, 2)}
    return Treatment(lambda image: np.asarray(Image.fromarray(image).filter(gaussian)), drawn)


def rescaling(rng: np.random.Generator) -> Treatment:
    """A reduction by 1.1 to 3 (evenly in its logarithm) and back, each by a filter of its own out of `KERNELS`.

    DeepfakeBench's IsotropicResize draws among such filters; its range of sizes is wider, for larger crops.
    """
    factor = float(np.exp(rng.uniform(np.log(1.1), np.log(3.0))))
    names = list(KERNELS)
    down, up = names[rng.integers(4)], names[1 + rng.integers(3)]
    drawn = {"rescaling": [round(factor, 2), down, up]}
    return Treatment(lambda image: rescaled(image, 1 / factor, KERNELS[down], KERNELS[up]), drawn)


def noise(rng: np.random.Generator) -> Treatment:
    """Gaussian noise of 1 to 6 of 255, the same field for all pictures; the range of `varied`."""
    deviation, seed = float(rng.uniform(1, 6)), int(rng.integers(2**32))

    def apply(image: np.ndarray) -> np.ndarray:
        return _bytes(image + np.random.default_rng(seed).normal(0, deviation, image.shape))

    return Treatment(apply, {"noise": round(deviation, 2)})


def photograph(rng: np.random.Generator) -> Treatment:
    """JPEG at quality 30 to 95, with colours for each pixel, two or four; DeepfakeBench draws qualities 40 to 100."""
    quality, kept = int(rng.integers(30, 96)), _SUBSAMPLINGS[rng.integers(3)]
    drawn = {"jpeg": [quality, kept]}
    return Treatment(lambda image: jpeg(image, quality, subsampling=kept), drawn)


def photograph_twice(rng: np.random.Generator) -> Treatment:
    """JPEG at quality 50 to 95 with its grid anywhere, then as `photograph`: saved, cut and saved again."""
    first, down, across = int(rng.integers(50, 96)), int(rng.integers(8)), int(rng.integers(8))
    kept = _SUBSAMPLINGS[rng.integers(3)]
    second = photograph(rng)

    def apply(image: np.ndarray) -> np.ndarray:
        return second.apply(jpeg(image, first, subsampling=kept, offset=(down, across)))

    return Treatment(apply, {"first_jpeg": [first, kept, down, across], **second.drawn})


def video(rng: np.random.Generator) -> Treatment:
    """H.264 at a CRF of 18 to 40, most often near 23, of one to four frames that move by up to 2 pixels each.

    FaceForensics++ has compressed its videos at 23 and 40.
    """
    crf, frames = int(np.rint(rng.triangular(18, 23, 40))), int(rng.integers(1, 5))
    motion = (int(rng.integers(-2, 3)), int(rng.integers(-2, 3)))
    drawn = {"h264": [crf, frames, *motion]}
    return Treatment(lambda image: h264(image, crf, frames=frames, motion=motion), drawn)


def video_twice(rng: np.random.Generator) -> Treatment:
    """As `video`, at CRFs drawn anew: a video that a platform has compressed once more."""
    first, second = video(rng), video(rng)
    return Treatment(
        lambda image: second.apply(first.apply(image)), {"first_h264": first.drawn["h264"], **second.drawn}
    )


def rescaled(
    image: np.ndarray,
    factor: float,
    there: Image.Resampling,
    back: Image.Resampling,
    *,
    between: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """A picture at `factor` times its size and back; `between` is done to it there.

    Example:
        >>> flat = np.full((9, 7, 3), 50, np.uint8)
        >>> bool((rescaled(flat, 1 / 2, Image.Resampling.BOX, Image.Resampling.BICUBIC) == flat).all())
        True
    """
    height, width = image.shape[:2]
    other = np.asarray(
        Image.fromarray(image).resize((max(1, round(width * factor)), max(1, round(height * factor))), there)
    )
    return np.asarray(Image.fromarray(between(other) if between else other).resize((width, height), back))


def larger(rng: np.random.Generator, treatment: Treatment) -> Treatment:
    """A treatment at 1 to 2 times the size: most pictures are compressed before they are made as small as a crop."""
    factor = float(rng.uniform(1.0, 2.0))
    names = list(KERNELS)
    up, down = names[1 + rng.integers(3)], names[rng.integers(4)]

    def apply(image: np.ndarray) -> np.ndarray:
        return rescaled(image, factor, KERNELS[up], KERNELS[down], between=treatment.apply)

    return Treatment(apply, {**treatment.drawn, "larger": [round(factor, 2), up, down]})


TREATMENTS: dict[str, Callable[[np.random.Generator], Treatment]] = {
    "colour": colour,
    "contrast": contrast,
    "sharpening": sharpening,
    "blur": blur,
    "rescaling": rescaling,
    "noise": noise,
    "photograph": photograph,
    "photograph_twice": photograph_twice,
    "video": video,
    "video_twice": video_twice,
}
"""All of them by name, in the order in which they happen."""


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
