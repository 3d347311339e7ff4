"""Bringing a donor's face onto a target: shape by landmarks, colour by its statistics."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import affine_transform

from metaforge.forgeries.base import Face
from metaforge.forgeries.framing import into_frame


def align(target: Face, donor: Face) -> Float[np.ndarray, "height width 3"]:
    """The donor's image where its face lies on the target's, as floating point in [0, 255].

    With landmarks of one kind on both faces, by the affine map that fits them best. Otherwise both are crops already
    and the donor's goes where the target's usual crop lies.
    """
    image = donor.image.astype(np.float64)
    points, onto = donor.landmarks, target.landmarks
    if points is None or onto is None or points.shape != onto.shape or len(points) < 3:
        return image if target.frame is None else into_frame(image, target.frame)
    # Where each target pixel comes from: rows and columns, hence the flipped coordinates.
    ones = np.column_stack([onto[:, ::-1], np.ones(len(onto))])
    solution, *_ = np.linalg.lstsq(ones, points[:, ::-1].astype(np.float64), rcond=None)
    matrix, offset = solution[:2].T, solution[2]
    planes = [affine_transform(image[..., c], matrix, offset, order=1, mode="nearest") for c in range(3)]
    return np.stack(planes, axis=-1)


def transfer_colour(
    content: Float[np.ndarray, "height width 3"],
    target: Float[np.ndarray, "height width 3"],
    mask: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width 3"]:
    """Gives content the target's mean and standard deviation, channel by channel, inside the mask.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> content, target = rng.normal(90, 10, (8, 8, 3)), rng.normal(120, 20, (8, 8, 3))
        >>> moved = transfer_colour(content, target, np.ones((8, 8)))
        >>> bool(np.allclose(moved.mean((0, 1)), target.mean((0, 1))))
        True

    References:
        Reinhard et al., *Color Transfer between Images*, IEEE Computer Graphics and Applications, 2001, here in RGB.
    """
    inside = mask > 0.5
    if inside.sum() < 4:
        return content
    ours, theirs = content[inside], target[inside]
    # A flat donor is not blown up into noise.
    gain = np.clip(theirs.std(axis=0) / np.maximum(ours.std(axis=0), 1e-3), 0.3, 3.0)
    return (content - ours.mean(axis=0)) * gain + theirs.mean(axis=0)
