r"""A head that asks of each region of one face: is it unlike the rest of this face, as forged regions are?

A region's numbers $x_r$ (`pooled`) are standardised by the real faces' mean and deviation of the same region, and set
beside the mean of the other regions of the same face:

$$z_r = (x_r - \mu_r) / \sigma_r, \qquad f_r = \frac{1}{R - 1} \sum_{s \ne r} z_s, \qquad d_r = z_r - f_r.$$

The logit is $a \cdot d_r + b \cdot |d_r| + c \cdot f_r + o$ with the same weights for all regions: what camera, light
and compression do to the whole face falls out of $d$, and $|d|$ says "unlike" without saying in which direction.
"""

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from metaforge.errors import InputError
from metaforge.evaluation.calibration.judge import probability
from metaforge.face_regions import REGIONS
from metaforge.whole import write_arrays

NAMES = tuple(REGIONS)
"""The regions, in the order of every axis of regions here."""

FARTHEST = 8.0
"""Deviations beyond which a number counts as no farther off: a single channel decides nothing."""


class RegionHead(NamedTuple):
    """What tells forged regions, for one network.

    Attributes:
        mean: of real faces, for every region, `(regions, size)`.
        scale: their deviation, above 0.
        contrast: the weights of $d$, $|d|$ and $f$, `(3, size)`.
        bias: what is added.
        calibration: scale and offset of each region, which make its logit that of a frequency, `(regions, 2)`.
        threshold: the probability of each region above which it is named.
        about: JSON-able: what it was fitted to.
    """

    mean: Float[np.ndarray, "regions size"]
    scale: Float[np.ndarray, "regions size"]
    contrast: Float[np.ndarray, "3 size"]
    bias: Float[np.ndarray, ""]
    calibration: Float[np.ndarray, "regions 2"]
    threshold: Float[np.ndarray, " regions"]
    about: dict[str, Any]


def contrasts(
    head: RegionHead, features: Float[np.ndarray, "images regions size"], there: Bool[np.ndarray, "images regions"]
) -> tuple[np.ndarray, np.ndarray]:
    """How each region differs from the rest of its face, and what that rest is like: $d$ and $f$ of the module.

    Args:
        head: of the same network.
        features: of `pooled`.
        there: which regions the image shows; others count nowhere.
    """
    z = standardised(head.mean, head.scale, features) * there[..., None]
    others = np.maximum(there.sum(1, keepdims=True) - there, 1)[..., None]
    rest = (z.sum(1, keepdims=True) - z) / others
    return z - rest, rest


def standardised(mean: np.ndarray, scale: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Deviations from real faces, cut at `FARTHEST`, in float32."""
    return np.clip((np.asarray(features, np.float32) - mean) / scale, -FARTHEST, FARTHEST)


def weighed(head: RegionHead, differs: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The logit of what differs by so much from such a rest, not calibrated."""
    own, size, face = head.contrast
    return (differs @ own + np.abs(differs) @ size + rest @ face + head.bias).astype(np.float64)


def region_logits(head: RegionHead, features: np.ndarray, there: np.ndarray) -> Float[np.ndarray, "images regions"]:
    """The logits of regions, not calibrated.

    Args:
        head: of the same network.
        features: as in `contrasts`.
        there: as there.
    """
    return weighed(head, *contrasts(head, features, there))


def region_probabilities(
    head: RegionHead, logits: Float[np.ndarray, "images regions"]
) -> Float[np.ndarray, "images regions"]:
    """The probability that each region is forged, if the image is a forgery."""
    return probability(head.calibration[:, 0] * logits + head.calibration[:, 1])


def save_head(path: str | Path, head: RegionHead) -> None:
    """Writes a head as an .npz of plain arrays, whole or not at all.

    Example:
        >>> import tempfile
        >>> head = blank_head(5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_head(f"{folder}/regions.npz", head)
        ...     load_head(f"{folder}/regions.npz", size=5).mean.shape
        (12, 5)
    """
    arrays = {name: np.asarray(part, np.float32) for name, part in head._asdict().items() if name != "about"}
    text = json.dumps({"regions": NAMES, **head.about}, sort_keys=True)
    write_arrays(path, compressed=True, **arrays, about=np.frombuffer(text.encode(), np.uint8))


def load_head(path: str | Path, *, size: int) -> RegionHead:
    """Reads what `save_head` wrote. Nothing in the file is ever executed.

    Args:
        path: of the file.

    Other Arguments:
        size: how many numbers the network has of a region.

    Raises:
        InputError: for a file that is missing, damaged or of another network.

    Example:
        >>> load_head("nowhere.npz", size=5)
        Traceback (most recent call last):
        metaforge.errors.InputError: explain: 'nowhere.npz' is no region head of this detector (...). Fit it anew.
    """
    try:
        # Opened here, since NumPy leaves a file open that is no archive.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            found = {name: np.asarray(stored[name]) for name in stored.files}
        about = json.loads(found.pop("about").tobytes())
        if tuple(about.pop("regions")) != NAMES:
            raise ValueError("it is of other regions")
        for name, shape in _shapes(size).items():
            if found[name].shape != shape or found[name].dtype != np.float32 or not np.isfinite(found[name]).all():
                raise ValueError(f"its {name} are not finite numbers of shape {shape}")
        if (found["scale"] <= 0).any():
            raise ValueError("its scale is not above 0")
        return RegionHead(**{name: found[name] for name in _shapes(size)}, about=about)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"explain: '{path}' is no region head of this detector ({error}). Fit it anew.") from None


def blank_head(size: int) -> RegionHead:
    """A head that knows nothing: every logit is 0, and nothing is named."""
    made = {name: np.zeros(shape, np.float32) for name, shape in _shapes(size).items()}
    made |= {"scale": np.ones_like(made["scale"]), "threshold": np.ones_like(made["threshold"])}
    made["calibration"][:, 0] = 1
    return RegionHead(**made, about={})


def _shapes(size: int) -> dict[str, tuple[int, ...]]:
    regions = len(NAMES)
    return {
        "mean": (regions, size), "scale": (regions, size), "contrast": (3, size), "bias": (),
        "calibration": (regions, 2), "threshold": (regions,),
    }  # fmt: skip
