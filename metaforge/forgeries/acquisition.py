"""How an image reached us: what happens to real and fake alike after the forgery."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from metaforge.errors import InputError
from metaforge.forgeries.compression import check_h264
from metaforge.forgeries.wild import wild

WILD = "wild"
"""The one whose faces are also framed anew, before they are forged."""

ACQUISITIONS = ("none", "jpeg", "downscale", "varied", WILD)
"""Nothing; JPEG compression at quality 40 to 90; a reduction by 1.3 to 2 and back; "varied", what may have happened to
any image on its way: a draw of colours, resolution, sharpness, noise and compression (`varied`); or "wild", what
happens to images of strangers: these, other framings, other filters, and compression as photographs and videos have it,
also twice (`metaforge.forgeries.wild`)."""


def acquire(rng: np.random.Generator, images: list[np.ndarray], kind: str) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Passes images through one acquisition with one draw of its parameters.

    Args:
        rng: draws the parameters, once for all images.
        images: uint8 RGB; a fake and its real pair, say.
        kind: one of `ACQUISITIONS`.

    Returns:
        The images, of the same sizes, and what was drawn.

    Raises:
        InputError: for an unknown kind, listing the known ones; for "wild" without PyAV.

    Example:
        >>> image = np.zeros((16, 16, 3), np.uint8)
        >>> (one, other), drawn = acquire(np.random.default_rng(0), [image, image], "jpeg")
        >>> bool((one == other).all()), 40 <= drawn["quality"] <= 90
        (True, True)
    """
    if kind == "none":
        return images, {}
    if kind == "jpeg":
        quality = int(rng.integers(40, 91))
        return [_jpeg(image, quality) for image in images], {"quality": quality}
    if kind == "downscale":
        factor = float(rng.uniform(1.3, 2.0))
        return [_downscale(image, factor) for image in images], {"downscale": round(factor, 2)}
    if kind == "varied":
        return varied(rng, images)
    if kind == WILD:
        return wild(rng, images)
    raise InputError(f"acquisitions: unknown '{kind}'; known: {', '.join(ACQUISITIONS)}.")


def check_acquisitions(kinds: Sequence[str], *, what: str = "acquisitions") -> None:
    """Holds that images can be treated in all these ways.

    Args:
        kinds: names out of `ACQUISITIONS`.

    Other Arguments:
        what: what an error says of where they were given.

    Raises:
        InputError: for an unknown one, listing the known ones; for "wild" if H.264 cannot be coded.

    Example:
        >>> check_acquisitions(["none", "jpeg"])
    """
    for kind in kinds:
        if kind not in ACQUISITIONS:
            raise InputError(f"{what}: unknown '{kind}'; known: {', '.join(ACQUISITIONS)}.")
    if WILD in kinds:
        check_h264(what=what)


def varied(rng: np.random.Generator, images: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The same random treatment for all images, so that nothing of it tells a fake from the real one beside it.

    In this order, each drawn anew: each colour is scaled by 0.85 to 1.15 and all are mixed with their grey by up to
    0.3 (half of the images); contrast by 0.8 to 1.2 (half); a reduction by 1.3 to 3 and back (a third); a Gaussian blur
    of 0.3 to 1.2 pixels, or sharpening (a third); Gaussian noise of 1 to 6 of 255, the same field for all (a fifth);
    and JPEG at quality 30 to 95 (four of five).

    Args:
        rng: draws, once for all images.
        images: uint8 RGB of one size.

    Returns:
        The images, of the same size, and what was drawn.

    Example:
        >>> image = np.full((16, 16, 3), 90, np.uint8)
        >>> (one, other), drawn = varied(np.random.default_rng(0), [image, image])
        >>> bool((one == other).all()), sorted(drawn)
        (True, ['blur', 'contrast', 'downscale'])

    References:
        The treatments of Shiohara and Yamasaki, *Detecting Deepfakes with Self-Blended Images*, CVPR 2022, section 4.1,
        are of these kinds; ranges and noise are our own.
    """
    drawn: dict[str, Any] = {}
    chance = rng.random(6)
    rows = [image.astype(np.float64) for image in images]
    if chance[0] < 1 / 2:
        gains, grey = rng.uniform(0.85, 1.15, 3), float(rng.uniform(0, 0.3))
        rows = [(1 - grey) * gains * image + grey * image.mean(axis=-1, keepdims=True) for image in rows]
        drawn["colour"] = [round(float(gain), 2) for gain in gains]
    if chance[1] < 1 / 2:
        drawn["contrast"] = contrast = float(rng.uniform(0.8, 1.2))
        rows = [128 + contrast * (image - 128) for image in rows]
    found = [_bytes(image) for image in rows]
    if chance[2] < 1 / 3:
        drawn["downscale"] = factor = float(rng.uniform(1.3, 3.0))
        found = [_downscale(image, factor) for image in found]
    if chance[3] < 1 / 3:
        drawn["blur"] = radius = float(rng.uniform(-1.2, 1.2))
        treat = ImageFilter.GaussianBlur(max(radius, 0.3)) if radius > 0 else ImageFilter.UnsharpMask(2, 80, 2)
        found = [np.asarray(Image.fromarray(image).filter(treat)) for image in found]
    if chance[4] < 1 / 5:
        drawn["noise"] = deviation = float(rng.uniform(1, 6))
        field = rng.normal(0, deviation, found[0].shape)
        found = [_bytes(image + field) for image in found]
    if chance[5] < 4 / 5:
        drawn["quality"] = quality = int(rng.integers(30, 96))
        found = [_jpeg(image, quality) for image in found]
    return found, drawn


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _downscale(image: np.ndarray, factor: float) -> np.ndarray:
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((round(width / factor), round(height / factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
