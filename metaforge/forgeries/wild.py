"""The acquisition "wild": what happens to pictures of strangers, in the order in which it happens to them."""

from typing import Any

import numpy as np

from metaforge.forgeries.treatments import TREATMENTS, Treatment, larger, photograph

CHANCES = {"colour": 1 / 2, "contrast": 1 / 2, "sharpening": 1 / 5, "blur": 1 / 5, "rescaling": 1 / 2, "noise": 1 / 5}
"""How often each step is taken, each by its own chance."""

COMPRESSIONS = {"": 0.1, "photograph": 0.25, "photograph_twice": 0.2, "video": 0.3, "video_twice": 0.15}
"""How often a picture is compressed in each way; "" is not at all."""

LARGER, GRABBED = 1 / 2, 1 / 3
"""How often it is compressed at a larger size; how often a frame of a video is saved as JPEG after it."""


def wild(rng: np.random.Generator, images: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The same random journey for all images: light, sharpness, resolution, noise, and compression as photo or video.

    What is drawn of each step, and from where its range is, says its function in `metaforge.forgeries.treatments`. How
    a face is framed is drawn before the forgery (`metaforge.forgeries.framing`).

    Args:
        rng: draws, once for all images.
        images: uint8 RGB of one size.

    Returns:
        The images, of the same size, and what was drawn.

    Raises:
        InputError: if a video is drawn and PyAV is not installed.

    Example:
        >>> image = np.full((16, 16, 3), 90, np.uint8)
        >>> (one, other), drawn = wild(np.random.default_rng(5), [image, image])
        >>> bool((one == other).all()), sorted(drawn)
        (True, ['h264', 'noise', 'rescaling'])
    """
    drawn: dict[str, Any] = {}
    for treatment in journey(rng):
        images = [treatment.apply(image) for image in images]
        drawn |= treatment.drawn
    return images, drawn


def journey(rng: np.random.Generator) -> list[Treatment]:
    """The steps of one journey, in their order.

    Example:
        >>> [sorted(treatment.drawn) for treatment in journey(np.random.default_rng(5))]
        [['rescaling'], ['noise'], ['h264']]
    """
    steps = [TREATMENTS[name](rng) for name, chance in CHANCES.items() if rng.random() < chance]
    how = str(rng.choice(list(COMPRESSIONS), p=list(COMPRESSIONS.values())))
    if how:
        compression = TREATMENTS[how](rng)
        steps.append(larger(rng, compression) if rng.random() < LARGER else compression)
        if how.startswith("video") and rng.random() < GRABBED:
            steps.append(photograph(rng))
    return steps
