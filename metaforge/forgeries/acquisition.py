"""How an image reached us: what happens to real and fake alike after the forgery."""

import io
from typing import Any

import numpy as np
from PIL import Image

from metaforge.errors import InputError

ACQUISITIONS = ("none", "jpeg", "downscale")
"""Nothing, JPEG compression at quality 40 to 90, or a reduction by 1.3 to 2 and back."""


def acquire(rng: np.random.Generator, images: list[np.ndarray], kind: str) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Passes images through one acquisition with one draw of its parameters.

    Args:
        rng: draws the parameters, once for all images.
        images: uint8 RGB; a fake and its real pair, say.
        kind: one of `ACQUISITIONS`.

    Returns:
        The images, of the same sizes, and what was drawn.

    Raises:
        InputError: for an unknown kind, listing the known ones.

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
    raise InputError(f"acquisitions: unknown '{kind}'; known: {', '.join(ACQUISITIONS)}.")


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _downscale(image: np.ndarray, factor: float) -> np.ndarray:
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((round(width / factor), round(height / factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
