"""A contact sheet of annotated pairs: real, forged, how far they differ, the mask with the named parts, the words."""

import functools
import importlib.util
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from metaforge.captions.annotation import Annotation
from metaforge.face_regions import region_outline

FOUND = (230, 90, 0)
"""The colour of a mask that was found."""

TITLES = ("real", "forged", "difference, eight-fold", "mask found")

_HEAD, _WORDS, _LINE, _LETTER = 16, 330, 50, 11  # pixels above and beside the images; letters in a line; their height


def pair_panels(
    real: UInt8[np.ndarray, "height width 3"],
    fake: UInt8[np.ndarray, "rows columns 3"],
    found: Annotation,
    landmarks: Float[np.ndarray, "points 2"] | None = None,
    *,
    size: int = 0,
) -> list[np.ndarray]:
    """The images of a row, as `TITLES` names them.

    Args:
        real: uint8 RGB.
        fake: likewise.
        found: their annotation.
        landmarks: of the real face, to draw the outlines of the named parts.

    Other Arguments:
        size: side that a sheet fits images into. The mask of smaller ones is enlarged to it before outlines are drawn,
            which would be enlarged with it otherwise.

    Example:
        >>> from metaforge.captions.annotation import annotate
        >>> real = np.full((48, 48, 3), 90, np.uint8); fake = real.copy(); fake[20:30, 20:30] += 40
        >>> [panel.shape for panel in pair_panels(real, fake, annotate(real, fake))]
        [(48, 48, 3), (48, 48, 3), (48, 48, 3), (48, 48, 3)]
    """
    none = np.zeros(real.shape[:2])
    soft = np.clip(8 * (none if found.soft is None else found.soft), 0, 255).astype(np.uint8)
    mask = Image.fromarray(tinted(real, none > 0 if found.mask is None else found.mask, FOUND))
    scale = max(1.0, size / max(mask.size))
    mask = _fitted(mask, scale)
    draw = ImageDraw.Draw(mask)
    for name in found.regions if landmarks is not None else ():
        outline = region_outline(np.asarray(landmarks), name)
        if outline is not None:
            corners = (outline + 0.5) * scale - 0.5  # 0 is the first pixel's middle
            draw.polygon([(float(x), float(y)) for x, y in corners], outline="white")
    return [real, fake, np.repeat(soft[..., None], 3, axis=2), np.asarray(mask)]


def tinted(
    image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"], colour: tuple[int, int, int]
) -> UInt8[np.ndarray, "height width 3"]:
    """A grey image, half of it coloured where the mask is.

    Example:
        >>> tinted(np.full((1, 2, 3), 90, np.uint8), np.array([[True, False]]), (190, 90, 10))[0].tolist()
        [[140, 90, 50], [90, 90, 90]]
    """
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return np.where(mask[..., None], 0.5 * grey + 0.5 * np.array(colour), grey).astype(np.uint8)


def contact_sheet(
    rows: Sequence[tuple[Sequence[np.ndarray], Sequence[str]]], *, size: int, titles: Sequence[str] = TITLES
) -> Any:
    """Rows of images, each with its words beside it.

    Args:
        rows: for each, uint8 RGB images, and paragraphs.

    Other Arguments:
        size: side of the square that an image is fitted into, in pixels.
        titles: of the columns of images.

    Returns:
        An image of Pillow's.

    Example:
        >>> contact_sheet([([np.zeros((40, 20, 3), np.uint8)] * 4, ["Forged: the mouth."])], size=64).size
        (586, 80)
    """
    columns = len(titles)
    sheet = Image.new("RGB", (columns * size + _WORDS, _HEAD + len(rows) * size), "white")
    draw = ImageDraw.Draw(sheet)
    for place, title in enumerate((*titles, "words")):
        draw.text((place * size + 4, 2), title, fill="black", font=_font())
    for row, (images, paragraphs) in enumerate(rows):
        top = _HEAD + row * size
        for place, image in enumerate(images):
            shown = Image.fromarray(np.ascontiguousarray(image))
            if max(shown.size) != size:
                shown = _fitted(shown, size / max(shown.size))
            sheet.paste(shown, (place * size, top))
        lines = [line for paragraph in paragraphs for line in [*textwrap.wrap(paragraph, _LINE), ""]]
        draw.multiline_text((columns * size + 8, top + 8), "\n".join(lines[:-1]), fill="black", font=_font())
    return sheet


def _fitted(image: Image.Image, scale: float) -> Image.Image:
    sides = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image if sides == image.size else image.resize(sides, Image.Resampling.LANCZOS)


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with Matplotlib: at this size the spaces of Pillow's own font are hardly seen."""
    spec = importlib.util.find_spec("matplotlib")  # not imported: that takes longer than to draw a sheet
    assert spec is not None
    assert spec.origin is not None
    return ImageFont.truetype(Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf", _LETTER)
