"""From what Pillow makes of a file to the colours that a person sees: 8 bits, sRGB, nothing transparent."""

import functools
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms

_BITS, _PHOTOMETRIC, _FORMAT, _KIND, _DNG = 258, 262, 339, 254, 50706  # tags of TIFF
_SIGNED, _WHITE_IS_ZERO, _PREVIEW = 2, 0, 1  # and what they may say
_STRIP = 1 << 20  # pixels that are handed over at once
_SAME = 2  # grey levels: a profile that changes no colour by more is sRGB, of which there are many spellings


class Unreadable(ValueError):
    """Why the picture cannot be shown, and what to do."""


def tiff_tags(image: Image.Image) -> dict[int, Any]:
    """The tags of a TIFF; none of another file. They are lost when an image is turned.

    Raises:
        Unreadable: where the file begins with a preview of its picture, or its numbers have a sign.
    """
    tags = dict(getattr(image, "tag_v2", {})) if image.format == "TIFF" else {}
    if tags.get(_KIND, 0) & _PREVIEW or _DNG in tags:
        raise Unreadable("it is a camera's raw file, or begins with a preview. Develop it, and save it as JPEG or PNG.")
    bits, kind = (_first(tags.get(tag, default)) for tag, default in ((_BITS, 8), (_FORMAT, 1)))
    if kind == _SIGNED and bits < 32:
        raise Unreadable("its numbers have a sign, and which is white is not said. Save it with 8 bits, without sign.")
    return tags


def to_rgb(image: Image.Image, tags: Mapping[int, Any]) -> UInt8[np.ndarray, "height width 3"]:
    """An image in any of Pillow's modes, as `metaforge.data.images.read_image` says.

    Args:
        image: decoded.
        tags: of `tiff_tags`.

    Raises:
        Unreadable: for numbers beyond the range that their kind has.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(image, tags)
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        converted: Any = ImageCms.profileToProfile(image, lab, ImageCms.createProfile("sRGB"), outputMode="RGB")
        return np.array(converted)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        full = _keyed(image).convert("RGBA")
        alpha = np.asarray(full)[..., 3:]
        return over_black(np.concatenate([_in_srgb(full, grey=image.mode in ("L", "LA", "La")), alpha], axis=-1))
    return _in_srgb(image, grey=image.mode in ("1", "L"))


def over_black(pixels: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 3"]:
    """Transparent pixels, red, green, blue and alpha that is not multiplied in, laid over black.

    Example:
        >>> over_black(np.array([[[200, 100, 50, 255], [200, 100, 50, 128], [9, 9, 9, 0]]], np.uint8)).tolist()
        [[[200, 100, 50], [100, 50, 25], [0, 0, 0]]]
    """
    wide = pixels.astype(np.int32)
    return ((wide[..., :3] * wide[..., 3:] + 127) // 255).astype(np.uint8)


def _eight_bits(image: Image.Image, tags: Mapping[int, Any]) -> Image.Image:
    """A grey image of more than 8 bits, as "L"; what its key makes transparent is black."""
    values = np.asarray(image)
    if image.mode == "F":
        white = 1.0
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= white):
            raise Unreadable("it has floating-point values outside [0, 1]. Scale them, or save it with 8 bits.")
    else:
        white = 4095 if _first(tags.get(_BITS, 16)) == 12 else 65535
        if values.min() < 0 or values.max() > white:
            raise Unreadable(f"it has whole numbers outside [0, {white}]. Scale them, or save it with 8 bits.")
    shown = white - values.astype(np.float32) if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else values
    grey = np.rint(shown * np.float32(255 / white))
    key = image.info.get("transparency")
    grey = np.where(values == key, 0, grey) if isinstance(key, int) else grey
    made = Image.fromarray(grey.astype(np.uint8))
    made.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return made


def _keyed(image: Image.Image) -> Image.Image:
    """With the transparent colour in the 8 bits that Pillow kept of 16."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        image = image.copy()
        image.info["transparency"] = tuple(part >> 8 for part in key)
    return image


def _pixels(image: Any) -> np.ndarray:
    """An RGB image as an array. NumPy would ask for all of it as bytes, twice; so it is asked for strip by strip."""
    found = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP // max(image.width, 1))
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        found[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return found


def _in_srgb(image: Image.Image, *, grey: bool) -> np.ndarray:
    """The colours, by the profile that the file brings, or by its gamma."""
    profile = image.info.get("icc_profile")
    if profile:
        transform, mode = _transform(bytes(profile))
        fits = mode == "RGB" or (mode == "L" and grey) or mode == image.mode
        if transform is not None and fits:
            return _pixels(ImageCms.applyTransform(image.convert(mode), transform))
    pixels = _pixels(image if image.mode == "RGB" else image.convert("RGB"))
    gamma = float(image.info.get("gamma", 0) or 0)
    if not profile and "srgb" not in image.info and 0.1 < gamma < 10 and abs(gamma * 2.2 - 1) > 0.05:
        return np.rint(255 * (np.arange(256) / 255) ** (1 / (gamma * 2.2))).astype(np.uint8)[pixels]
    return pixels


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[Any, str]:
    """From a profile's colours to sRGB, and Pillow's mode of these; (`None`, "") where nothing is to be done.

    A broken profile is passed over, as browsers do.
    """
    try:
        known: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[known.profile.xcolor_space.strip()]
        made = ImageCms.buildTransform(known, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError, TypeError):
        return None, ""
    if mode != "CMYK":
        steps = np.linspace(0, 255, 18).astype(np.uint8)
        grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 18, 3) if mode == "RGB" else steps[None]
        found = np.asarray(ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(grid)), made)).astype(int)
        if np.abs(found - (grid if mode == "RGB" else grid[..., None])).max() <= _SAME:
            return None, ""
    return made, mode


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)
