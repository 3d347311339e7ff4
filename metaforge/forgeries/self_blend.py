"""Self-blended images: a face blended with a slightly changed copy of itself."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter, zoom

from metaforge.forgeries.base import Face, Forged, Forgery, compose, is_grey
from metaforge.forgeries.masks import elastic, face_mask, sbi_blend_mask


def self_blend(faces: Sequence[Face] = ()) -> Forgery:
    """Self-blending: either the face that goes in or the one that it goes onto is changed in colour and sharpness.

    The source is moved by up to 3 % in x and 1.5 % in y and scaled by 0.95 to 1/0.95, the mask deformed and softened,
    and both blended by `fake = mask * source + (1 - mask) * target`. The changed target is also the real image of the
    pair, so that nothing outside the mask tells the two apart.

    Where this departs from the published code: one elastic field moves the mask, the hue change is left out (it amounts
    to at most one grey level there), sharpening is by a Gaussian, and images under 64 pixels are only ever halved.

    References:
        Shiohara and Yamasaki, *Detecting Deepfakes with Self-Blended Images*, CVPR 2022, section 3.
    """
    return Forgery("self_blend", False, _forge)


def _forge(rng: np.random.Generator, target: Face, donor: Face | None) -> Forged:
    image = target.image.astype(np.float64)
    mask = face_mask(rng, target)
    changed, parameters = _change(rng, image, grey=is_grey(target.image))
    onto_source = bool(rng.random() < 0.5)
    source, real = (changed, target.image) if onto_source else (image, np.round(changed).astype(np.uint8))
    size = mask.shape[0]
    shift = rng.uniform([-0.015, -0.03], [0.015, 0.03]) * size
    scale = float(rng.uniform(0.95, 1 / 0.95))
    source, mask = (_move(array, shift, scale) for array in (source, mask))
    mask, blending = sbi_blend_mask(rng, elastic(rng, mask))
    parameters |= {"changed": "source" if onto_source else "target", "scale": round(scale, 3), **blending}
    parameters["shift"] = [round(float(s), 2) for s in shift]
    return compose(real, source, mask, parameters)


def _move(array: np.ndarray, shift: np.ndarray, scale: float) -> np.ndarray:
    """Scales about the centre and shifts by rows and columns."""
    centre = (np.array(array.shape[:2]) - 1) / 2
    offset = (centre - (centre + shift) / scale).tolist()
    matrix = np.array([1 / scale, 1 / scale])
    move = lambda plane: affine_transform(plane, matrix, offset, order=1, mode="nearest")
    return move(array) if array.ndim == 2 else np.stack([move(array[..., c]) for c in range(3)], axis=-1)


def _change(rng: np.random.Generator, image: np.ndarray, *, grey: bool) -> tuple[np.ndarray, dict]:
    """The recipe's source-target transform: colour shift, brightness and contrast, then coarser or sharper."""
    size = image.shape[0]
    brightness, contrast = rng.uniform(-0.1, 0.1, 2)
    shift = rng.uniform(-20, 20, 3) if rng.random() < 0.3 else np.zeros(3)
    if grey:
        shift[:] = shift.mean()
    changed = (image + shift) * (1 + contrast) + 255 * brightness
    if rng.random() < 0.5:
        factor = int(rng.choice([2, 4])) if size >= 64 else 2
        small = changed[::factor, ::factor]
        ratio = (size / small.shape[0], size / small.shape[1], 1)
        changed, kind = zoom(small, ratio, order=1, mode="nearest", grid_mode=True), f"downscale x{factor}"
    else:
        alpha, lightness = rng.uniform(0.2, 0.5), rng.uniform(0.5, 1.0)
        sharp = lightness * changed + 8 * (changed - gaussian_filter(changed, (1, 1, 0))) / 2
        changed, kind = (1 - alpha) * changed + alpha * sharp, "sharpen"
    parameters = {"brightness": round(float(brightness), 3), "contrast": round(float(contrast), 3), "resolution": kind}
    return np.clip(np.asarray(changed), 0, 255), parameters
