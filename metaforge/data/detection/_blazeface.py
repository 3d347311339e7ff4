"""BlazeFace: one look at a small copy of the whole image gives boxes and six points a face.

The networks say, for each of a fixed set of places, how likely a face is there and where its box and points are, as
offsets from the place in pixels of their input. Several places answer to one face; what they say is averaged
with their scores as weights.

References:
    Bazarevsky et al., *BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs*, 2019, section 3.
"""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image

from metaforge.data.detection import _interpreter
from metaforge.data.detection._suppression import groups

_SAME = 0.3  # boxes that share more are one face; MediaPipe's threshold


class Network(NamedTuple):
    """How a model is asked.

    Attributes:
        name: of its file (`model_files.MODELS`).
        side: the longer one of its input, in pixels.
        places: stride in pixels and places at each step, of every grid; the last stride divides both sides.
        smallest: the smallest face that it finds reliably, in pixels of its input.
    """

    name: str
    side: int
    places: tuple[tuple[int, int], ...]
    smallest: float


SHORT = Network("short", 128, ((8, 2), (16, 6)), 14.0)
SMALL = Network("small", 256, ((16, 2), (32, 6)), 7.5)
WIDE = SMALL._replace(side=512)


class Proposals(NamedTuple):
    """Faces as BlazeFace sees them, best first.

    Attributes:
        boxes: x0, y0, x1, y1 in pixels of the image, from the brows to the chin.
        points: right eye, left eye, nose, mouth, right ear and left ear of the person, x and y in pixels.
        scores: in [0, 1].
    """

    boxes: Float[np.ndarray, "faces 4"]
    points: Float[np.ndarray, "faces 6 2"]
    scores: Float[np.ndarray, " faces"]


@functools.cache
def centres(network: Network, width: int, height: int) -> Float[np.ndarray, "places 2"]:
    """The places of a network, x and y in pixels of its input: the middles of a grid's squares, row by row.

    Example:
        >>> centres(SHORT, 128, 128).shape, centres(SHORT, 128, 96).shape, centres(SHORT, 128, 96)[0].tolist()
        ((896, 2), (672, 2), [4.0, 4.0])
    """
    found = []
    for stride, count in network.places:
        y, x = (np.mgrid[: height // stride, : width // stride] + 0.5) * stride
        found.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(found)


def propose(image: Any, network: Network, *, threshold: float) -> Proposals:
    """The faces in a picture.

    Args:
        image: a `PIL.Image`, RGB, of any size.
        network: which one looks.

    Other Arguments:
        threshold: the score from which on it is a face, in [0, 1].
    """
    width, height = image.size
    scale = network.side / max(width, height)
    inside = max(1, round(width * scale)), max(1, round(height * scale))
    small = image.resize(inside, Image.Resampling.BILINEAR, reducing_gap=1.0)
    # The networks are convolutions all through: of a rectangle, they need not see the rest of the square.
    wide, high = (_filled(length, network) for length in inside)
    # Grey borders keep the aspect: black ones would read as -1, the darkest there is.
    sheet = np.zeros((1, high, wide, 3), np.float32)
    left, top = (wide - inside[0]) // 2, (high - inside[1]) // 2
    sheet[0, top : top + inside[1], left : left + inside[0]] = np.asarray(small, np.float32) / 127.5 - 1.0
    offsets, logits = _interpreter.run(network.name, sheet)
    scores = logits[0, :, 0].astype(np.float64)
    likely = np.flatnonzero(scores >= _logit(threshold))
    scores = 1.0 / (1.0 + np.exp(-np.clip(scores[likely], -80.0, 80.0)))
    places = centres(network, wide, high)[likely]
    parts = offsets[0, likely].astype(np.float64).reshape(-1, 8, 2)
    middle, half = places + parts[:, 0], parts[:, 1] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    points = places[:, None] + parts[:, 2:]
    found = []
    for same in groups(boxes, scores, _SAME):
        share = scores[same] / scores[same].sum()
        found.append((share @ boxes[same], np.einsum("f,fpc->pc", share, points[same]), scores[same[0]]))
    # Back to pixels of the image: the two sides were rounded each for itself.
    back, corner = np.array([width, height]) / inside, np.array([left, top])
    return Proposals(
        np.array([(box - np.tile(corner, 2)) * np.tile(back, 2) for box, _, _ in found]).reshape(-1, 4),
        np.array([(each - corner) * back for _, each, _ in found]).reshape(-1, 6, 2),
        np.array([score for _, _, score in found]),
    )


def _filled(length: int, network: Network) -> int:
    """The side of a sheet: half of the longest at least, so that few shapes are kept."""
    stride = network.places[-1][0]
    return -(-max(length, network.side // 2) // stride) * stride


def _logit(score: float) -> float:
    score = min(max(score, 1e-12), 1 - 1e-12)
    return math.log(score / (1 - score))
