"""The pictures of a report: the whole with its faces framed, a face, and the map of what its score comes from."""

import base64
import io
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from metaforge.screening.verdicts.record import FaceVerdict

WHOLE, FACE = 880, 224
"""Pixels of the longer side of the whole, and of a face."""

COLOURS = {"fake": (196, 42, 38), "cannot tell": (160, 108, 0), "real": (33, 122, 64)}
_MORE, _LESS = np.array([214.0, 64, 24]), np.array([40.0, 96, 214])
_STRENGTH = 0.6


class Pictures(NamedTuple):
    """What is shown of a face.

    Attributes:
        crop: as the detector takes it.
        heat: how far the logit falls where each part is covered.
    """

    crop: UInt8[np.ndarray, "size size 3"]
    heat: Float[np.ndarray, "grid grid"]


def framed(picture: UInt8[np.ndarray, "height width 3"], faces: tuple[FaceVerdict, ...]) -> str:
    """The picture with a frame and a number for each face, as the address of an image."""
    shown = Image.fromarray(np.ascontiguousarray(picture))
    scale = min(1.0, WHOLE / max(shown.size))
    if scale < 1:
        shown = shown.resize((max(round(shown.width * scale), 1), max(round(shown.height * scale), 1)))
    pen = ImageDraw.Draw(shown)
    wide = max(2, round(max(shown.size) / 250))
    for face in faces:
        if face.box is None:
            continue
        x0, y0, x1, y1 = (side * scale for side in face.box)
        colour = COLOURS[face.decision]
        pen.rectangle((x0, y0, x1, y1), outline=colour, width=wide)
        # A number in a box of its own can be read on any picture.
        words, high = str(face.number), max(14, 6 * wide)
        font = ImageFont.load_default(size=high)
        room = pen.textlength(words, font=font) + 8
        top = max(y0 - high - 6, 0)
        pen.rectangle((x0, top, x0 + room, top + high + 6), fill=colour)
        pen.text((x0 + 4, top + 1), words, fill=(255, 255, 255), font=font)
    return address(shown)


def face_picture(crop: UInt8[np.ndarray, "size size 3"]) -> str:
    """A face as the detector takes it, as the address of an image."""
    return address(_enlarged(crop))


def heat_picture(pictures: Pictures) -> str:
    """The same in grey, red where covering lowers the score and blue where it raises it."""
    grey = np.asarray(_enlarged(pictures.crop).convert("L").convert("RGB"), np.float64)
    heat = pictures.heat / max(float(abs(pictures.heat).max()), 1e-9)
    # Smooth between cells: a cell has no border in the face.
    share = np.asarray(
        Image.fromarray(heat.astype(np.float32)).resize(grey.shape[1::-1], Image.Resampling.BICUBIC), np.float64
    ).clip(-1, 1)[..., None]
    found = grey + _STRENGTH * abs(share) * (np.where(share > 0, _MORE, _LESS) - grey)
    return address(Image.fromarray(found.round().clip(0, 255).astype(np.uint8)))


def address(shown: Image.Image) -> str:
    """An image that stands in the page itself."""
    held = io.BytesIO()
    shown.convert("RGB").save(held, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(held.getvalue()).decode()


def _enlarged(crop: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(crop)).resize((FACE, FACE), Image.Resampling.BICUBIC)
