"""What is done to a photograph of a face, by known amounts, and which flag it should raise."""

import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import map_coordinates

from metaforge.data.detection import Detection

Make = Callable[[Image.Image, Detection], bytes]
"""A picture and the face in it to the bytes of a file."""


class Treatment(NamedTuple):
    """What is done.

    Attributes:
        flag: which it is about.
        name: what is done, in words.
        raised: whether the flag should be raised; `None` where that is a matter of taste.
        make: does it.
    """

    flag: str
    name: str
    raised: bool | None
    make: Make


def saved(image: Image.Image, form: str = "PNG", **how) -> bytes:
    """The bytes of a file."""
    held = io.BytesIO()
    image.save(held, form, **how)
    return held.getvalue()


def fresh(image: Image.Image) -> Image.Image:
    """Scaled by an odd factor, so that nothing is left of the blocks of an earlier compression."""
    return image.resize((round(0.83 * image.width), round(0.83 * image.height)), Image.Resampling.LANCZOS)


def treatments() -> Iterator[Treatment]:
    """All of them."""
    yield Treatment("", "as it is", False, lambda image, face: saved(fresh(image)))
    for side in (90, 70, 56, 40):
        yield Treatment(
            "small", f"face of {side} pixels", side < 64, lambda image, face, side=side: _small(image, face, side)
        )
    for share in (0.0, 0.02, 0.1, 0.2):
        yield Treatment("cut off", f"{100 * share:.0f} % of the face beyond the border", share > 0.05,
                        lambda image, face, share=share: _cut(image, face, share))  # fmt: skip
    for share in (0.01, 0.02, 0.04, 0.06):
        yield Treatment("blurred", f"Gaussian of {100 * share:.0f} % of the face's width", share > 0.03,
                        lambda image, face, share=share: _blurred(image, face, share))  # fmt: skip
    for quality in (90, 70, 40, 30, 20):
        yield Treatment("over-compressed", f"JPEG of quality {quality}", quality <= 30,
                        lambda image, face, q=quality: saved(fresh(image), "JPEG", quality=q))  # fmt: skip
    for quality in (90, 70, 40, 30, 20, 10):
        yield Treatment("over-compressed", f"JPEG of quality {quality}, cropped and saved as PNG", quality <= 30,
                        lambda image, face, q=quality: saved(_again(fresh(image), q, at=(3, 5))))  # fmt: skip
    for second in (70, 80, 90, 95):
        yield Treatment("re-compressed", f"JPEG of quality {second}", False,
                        lambda image, face, q=second: saved(fresh(image), "JPEG", quality=q))  # fmt: skip
        for first in (50, 75, 85, 95):
            if first != second:
                yield Treatment("re-compressed", f"JPEG of quality {first}, then {second}", True,
                                lambda image, face, a=first, b=second: saved(
                                    _again(fresh(image), a), "JPEG", quality=b))  # fmt: skip
    yield Treatment("re-compressed", "JPEG of quality 50, cropped, then 90", True,
                    lambda image, face: saved(_again(fresh(image), 50, at=(3, 5)), "JPEG", quality=90))  # fmt: skip
    for degrees in (15, 25, 45, 70):
        yield Treatment("tilted", f"turned in the picture by {degrees} degrees", degrees > 35,
                        lambda image, face, d=degrees: saved(image.rotate(d, Image.Resampling.BICUBIC)))  # fmt: skip
    for degrees in (0, 15, 30, 45, 60):
        yield Treatment("turned away", f"turned to the side by {degrees} degrees", degrees >= 45,
                        lambda image, face, d=degrees: saved(turned(image, face, d)))  # fmt: skip
    for name in ("mouth and nose covered", "eyes covered", "one half covered"):
        yield Treatment("covered", name, True, lambda image, face, name=name: saved(_covered(image, face, name)))


def turned(image: Image.Image, face: Detection, degrees: float) -> Image.Image:
    """A face turned to the side as if its surface were an ellipsoid, as deep as it is wide; what was hidden is grey.

    The picture around it stays. It is a rough likeness of a turned head, whose angle is known.
    """
    pixels, (low, high) = np.asarray(image, np.float64), (face.box[:2], face.box[2:])
    centre, radius = (low + high) / 2, (high - low) / 2 * 1.15
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    x, y = (columns - centre[0]) / radius[0], (rows - centre[1]) / radius[1]
    inside = x**2 + y**2 < 1
    depth = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    angle = np.radians(degrees)
    before, front = x * np.cos(angle) - depth * np.sin(angle), x * np.sin(angle) + depth * np.cos(angle) > 0
    source = [rows - 0.5, before * radius[0] + centre[0] - 0.5]
    moved = np.stack([map_coordinates(pixels[..., each], source, order=1, mode="nearest") for each in range(3)], -1)
    moved = np.where(front[..., None], moved, 110.0)
    return Image.fromarray(np.where(inside[..., None], moved, pixels).round().astype(np.uint8))


def _small(image: Image.Image, face: Detection, side: float) -> bytes:
    share = side / float((face.box[2:] - face.box[:2]).max())
    return saved(image.resize((max(round(share * image.width), 1), max(round(share * image.height), 1)),
                              Image.Resampling.LANCZOS))  # fmt: skip


def _cut(image: Image.Image, face: Detection, share: float) -> bytes:
    left = face.box[0] + share * (face.box[2] - face.box[0])
    return saved(image.crop((max(round(float(left)), 0), 0, image.width, image.height)))


def _blurred(image: Image.Image, face: Detection, share: float) -> bytes:
    return saved(image.filter(ImageFilter.GaussianBlur(share * float(face.box[2] - face.box[0]))))


def _again(image: Image.Image, quality: int, *, at: tuple[int, int] = (0, 0)) -> Image.Image:
    """After a compression, and without its first columns and rows."""
    again = Image.open(io.BytesIO(saved(image, "JPEG", quality=quality))).convert("RGB")
    return again.crop((*at, again.width, again.height))


def _covered(image: Image.Image, face: Detection, name: str) -> Image.Image:
    pixels = np.array(image)
    x0, y0, x1, y1 = np.clip(face.box, 0, None).astype(int)
    eyes, apart = face.points[:2].mean(axis=0), float(np.linalg.norm(face.points[1] - face.points[0]))
    if name == "mouth and nose covered":
        pixels[int(eyes[1] + 0.4 * apart) : y1, x0:x1] = (120, 160, 200)
    elif name == "eyes covered":
        pixels[int(eyes[1] - 0.25 * apart) : int(eyes[1] + 0.25 * apart), x0:x1] = (20, 20, 20)
    else:
        pixels[y0:y1, x0 : (x0 + x1) // 2] = (90, 80, 70)
    return Image.fromarray(pixels)
