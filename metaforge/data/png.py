"""PNG files of crops, written quickly: Pillow tries five filters for each row, which takes half of its time.

The form is that of the W3C's PNG specification, third edition, sections 9 (filters) and 11 (chunks).
"""

import struct
import zlib

import numpy as np
from jaxtyping import UInt8

_UP = 2  # the filter that stores what each pixel differs by from the one above it: of crops as good as the best of five
_LEVEL = 1  # higher ones take five times as long for a tenth of the bytes


def png_of(image: UInt8[np.ndarray, "height width *channels"]) -> bytes:
    """An image as a PNG file.

    Args:
        image: uint8, RGB `(height, width, 3)` or grey `(height, width)`.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
        >>> bool((np.asarray(Image.open(io.BytesIO(png_of(image)))) == image).all())
        True
    """
    height, width = image.shape[:2]
    colour = 2 if image.ndim == 3 else 0
    lines = image.reshape(height, -1)
    filtered = np.empty((height, 1 + lines.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    filtered[:1, 1:] = lines[:1]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), _LEVEL)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))
