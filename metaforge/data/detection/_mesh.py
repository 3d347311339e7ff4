"""The face mesh: 468 points of one face, and how sure it is that a face is there.

References:
    Kartynnik et al., *Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs*, 2019.
"""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from metaforge.data.detection import _interpreter

_SIDE = 192
_AGAIN, _TURNED = 3, np.deg2rad(8.0)  # looks at most, and the angle that makes another one worth it
_DOUBT = 0.05, 0.9  # a score between these may be that of a face which is not in the middle: it is looked at again
_AROUND = 1.5  # the square that the network sees, in sides of the detector's box: MediaPipe's

FIVE = ((33, 133), (263, 362), (1,), (61,), (291,))
"""The points of the mesh whose mean is an eye (its corners), the nose's tip, and the corners of the mouth."""


def mesh_of(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"], eyes: Float[np.ndarray, "2 2"]
) -> tuple[Float[np.ndarray, "468 2"], float]:
    """The mesh of the face in a box.

    Args:
        image: uint8 RGB in [0, 255].
        box: x0, y0, x1, y1 in its pixels.
        eyes: the one that is on the left of an upright face's image first; x and y. The network sees the face turned so
            that they are level.

    Returns:
        x and y of each point in pixels of the image, and the probability of a face.
    """
    middle, side = (box[:2] + box[2:]) / 2, _AROUND * float((box[2:] - box[:2]).max())
    along = eyes[1] - eyes[0]
    length = float(np.hypot(*along))
    cosine, sine = along / length if length > 1e-6 else (1.0, 0.0)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    sheet = _cut(image, middle, side, turn)
    values, logit = _interpreter.run("mesh", sheet[None])
    points = values.reshape(468, 3)[:, :2].astype(np.float64) / _SIDE - 0.5
    score = 1.0 / (1.0 + np.exp(-np.clip(float(logit.reshape(())), -80.0, 80.0)))
    return middle + side * points @ turn.T, score


def settled_mesh(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"], eyes: Float[np.ndarray, "2 2"]
) -> tuple[Float[np.ndarray, "468 2"], float]:
    """The mesh, looked for again where its own eyes say that the face was turned more than the detector thought.

    So it is where it is in doubt, in the middle of where it saw a face; the surer one counts.
    """
    mesh, score = mesh_of(image, box, eyes)
    for _ in range(_AGAIN):
        now = five_of(mesh)[:2]
        turned = _angle_between(eyes[1] - eyes[0], now[1] - now[0]) > _TURNED
        if not turned and not _DOUBT[0] < score < _DOUBT[1]:
            break
        eyes, box = now, np.concatenate([mesh.min(axis=0), mesh.max(axis=0)])
        other, again = mesh_of(image, box, eyes)
        if not turned and again <= score:
            break
        mesh, score = other, again
    return mesh, score


def five_of(mesh: Float[np.ndarray, "468 2"]) -> Float[np.ndarray, "5 2"]:
    """Left eye, right eye, nose, left and right corner of the mouth; left as seen in an upright face's image."""
    return np.stack([mesh[list(each)].mean(axis=0) for each in FIVE])


def _angle_between(first: np.ndarray, second: np.ndarray) -> float:
    cosine = float(first @ second) / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-12)
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _cut(image: np.ndarray, middle: np.ndarray, side: float, turn: np.ndarray) -> np.ndarray:
    """The square around `middle`, turned, as float32 `(192, 192, 3)` in [0, 1]; black beyond the image."""
    reach = side * 0.75 + 2
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.minimum(np.ceil(middle + reach), image.shape[1::-1]).astype(int)
    if (high <= low).any():
        return np.zeros((_SIDE, _SIDE, 3), np.float32)
    part = Image.fromarray(image[low[1] : high[1], low[0] : high[0]])
    # Pillow's transform looks at four pixels for one, so a large face is made smaller first, by averages.
    factor = max(1, int(side / _SIDE))
    part = part.reduce(factor) if factor > 1 else part
    middle, side = (middle - low) / factor, side / factor
    scale = side / _SIDE
    axes = turn * scale
    corner = middle - turn @ np.full(2, side / 2)
    found = part.transform(
        (_SIDE, _SIDE), Image.Transform.AFFINE, (*axes[0], corner[0], *axes[1], corner[1]), Image.Resampling.BILINEAR
    )
    return np.asarray(found) * np.float32(1 / 255)
