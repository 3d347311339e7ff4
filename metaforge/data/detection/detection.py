"""What a face finder says of one face."""

from typing import NamedTuple

import numpy as np


class Detection(NamedTuple):
    """A face, in the image's pixels; the first pixel covers [0, 1), its centre is at 0.5.

    Attributes:
        box: x0, y0, x1, y1, float32, from the hairline to the chin. It may reach beyond the image.
        points: x and y, float32, shape `(5, 2)`: left eye, right eye, nose, left and right corner of the mouth; left
            as seen in the image of an upright face.
        score: the probability of a face, in [0, 1], as the finder sees it: the geometric mean of what the
            detector and the mesh say.
        mesh: x and y of MediaPipe's 468 points, float32, shape `(468, 2)`; `None` where none was looked
            for.
        mesh_score: the probability of a face as the mesh sees it, in [0, 1]; 0 where there is none.
    """

    box: np.ndarray
    points: np.ndarray
    score: float
    mesh: np.ndarray | None = None
    mesh_score: float = 0.0
