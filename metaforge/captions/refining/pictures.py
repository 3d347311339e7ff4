"""The images of a pair, as they are sent."""

import io
from pathlib import Path

import numpy as np

from metaforge.captions.refining.prompt import Prompt
from metaforge.errors import InputError


def png_pair(prompt: Prompt, folder: str) -> tuple[bytes, bytes]:
    """The real and the forged image of a prompt as PNG, cut out as they were compared, and nothing else of the files.

    Args:
        prompt: whose.
        folder: of the pairs. No image outside of it is taken, whatever the record says.

    Raises:
        InputError: when an image is not in the folder, or cannot be read.
    """
    from PIL import Image

    from metaforge.data.images import read_image

    found = []
    for name in (prompt.pair.real, prompt.pair.fake):
        path = Path(folder, name)
        if "\0" in name:
            raise InputError("pairs: the path of an image of the record has a zero byte in it.")
        if not path.resolve().is_relative_to(Path(folder).resolve()):
            raise InputError("pairs: an image of the record is outside of the folder, and was not sent.")
        image = read_image(path)
        if prompt.pair.crop is not None:
            left, top, side = prompt.pair.crop
            image = image[top : top + side, left : left + side]
        if not image.size:
            raise InputError("pairs: the square of the record is outside of its image.")
        written = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image)).save(written, "PNG")
        found.append(written.getvalue())
    return found[0], found[1]
