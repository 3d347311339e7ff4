"""Where one image may be forged, without its pair: the detector's verdict, and evidence for regions of the face."""

import functools
from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from metaforge.data.crops import Crop, crop_transform
from metaforge.data.detection import find_face
from metaforge.data.face_crops import FaceCrop, largest_crop
from metaforge.data.images import square
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Verdict, doubted, uncalibrated_verdict, verdicts
from metaforge.screening.detector import Detector
from metaforge.screening.explaining.maps import cut_windows, filled, spread, window_probabilities
from metaforge.screening.explaining.region_head import NAMES, RegionHead, region_logits, region_probabilities
from metaforge.screening.explaining.seeing import Maps, maps_of, pooled, region_weights, with_detail
from metaforge.screening.explaining.wording import NO_FACE, NO_MESH, sentence

FAMILIAR = 0.05
"""Familiarity below which no region is named: what real faces look like there is then not known."""


class Explanation(NamedTuple):
    """What is said of one image.

    Attributes:
        p_fake: the probability of being fake; `None` without a face.
        regions: the probability that each is forged **if the image is a forgery**; empty where no mesh was found.
        named: those that are said. None if the detector says "real", or if the image is unlike all that it knows.
        sentence: all of that in words.
        map: each region filled with its probability, in [0, 1], as large as the image; 0 beyond the face, and
            everywhere if nothing may be named.
        limits: what to bear in mind, in plain sentences.
        verdict: the detector's; `None` without a face.
        box: x0, y0, x1, y1 of the face in the image; empty where none was looked for or found.
    """

    p_fake: float | None
    regions: dict[str, float]
    named: tuple[str, ...]
    sentence: str
    map: Float[np.ndarray, "height width"]
    limits: tuple[str, ...]
    verdict: Verdict | None = None
    box: tuple[float, ...] = ()


def explain(
    detector: Detector,
    image: np.ndarray,
    *,
    landmarks: np.ndarray | None = None,
    crop: Crop | Literal[""] = "",
) -> Explanation:
    """Explains one image.

    Args:
        detector: with a region head, on levels of an EfficientNet-Lite.
        image: uint8 RGB in [0, 255], of any size; the largest face in it is looked at.

    Other Arguments:
        landmarks: the 468 or 68 points of the face in pixels of the image; found if left out.
        crop: "whole" for an image that is a face crop already; the detector's own if left out.

    Returns:
        An `Explanation`. Without a face it says so, and nothing else.

    Raises:
        InputError: for an image or landmarks that are none, or a detector without a region head or without maps.

    Example:
        >>> from metaforge.backbones.spec import BackboneSpec
        >>> plain = Detector({}, np.zeros((1, 8, 8, 3), np.uint8), BackboneSpec(), {})
        >>> explain(plain, np.zeros((8, 8, 3), np.uint8))
        Traceback (most recent call last):
        metaforge.errors.InputError: explain: this detector has no region head. ...
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(
            f"explain: an array of {image.dtype} and shape {image.shape} is no image. Give uint8 RGB, "
            "height x width x 3."
        )
    if detector.regions is None:
        raise InputError(
            "explain: this detector has no region head. python -m experiments.explaining fits one, and writes the "
            "detector with it."
        )
    maps, head, size = with_detail(maps_of(detector.spec)), detector.regions, detector.image_size
    convention = crop or detector.crop
    found = _cropped(image, size, convention)
    if found is None:
        return Explanation(None, {}, (), NO_FACE, np.zeros(image.shape[:2]), ())
    verdict = doubted(_verdict(detector, found.image), found.notes)
    box = () if found.face is None else tuple(found.face.box.tolist())
    transform = _transform(image, found, size, convention)
    limits = _limits(head, verdict, found)
    marks = _landmarks(found, landmarks, transform)
    nothing = np.zeros(image.shape[:2])
    if marks is None:
        said = f"{sentence(verdict, None, {})} {NO_MESH}"
        return Explanation(verdict.p_fake, {}, (), said, nothing, limits, verdict, box)
    weights = region_weights(marks, size)
    probabilities = evidence(detector, head, maps, found.image, weights)[0]
    shown = filled(weights, probabilities)
    regions = {name: float(p) for name, p, one in zip(NAMES, probabilities, weights, strict=True) if one.any()}
    may = verdict.decision != "real" and (verdict.familiarity is None or verdict.familiarity >= FAMILIAR)
    limit = dict(zip(NAMES, head.threshold.tolist(), strict=True))
    named = tuple(name for name, p in regions.items() if may and p > limit[name])
    drawn = _placed(shown, transform, image.shape[:2]) if may else nothing
    said = sentence(verdict, named if may else None, regions)
    return Explanation(verdict.p_fake, regions, named, said, drawn, limits, verdict, box)


def _cropped(image: np.ndarray, size: int, convention: Crop) -> FaceCrop | None:
    if convention == "whole":
        return FaceCrop(square(image, size=size), None, ())
    return largest_crop(image, size=size, crop=convention)[0]


def _transform(image: np.ndarray, found: FaceCrop, size: int, convention: Crop) -> np.ndarray:
    face, shape = found.face, (image.shape[0], image.shape[1])
    box, points = (None, None) if face is None else (face.box, face.points)
    return crop_transform(box, points, convention=convention, size=size, image_size=shape)


def _landmarks(found: FaceCrop, given: np.ndarray | None, transform: np.ndarray) -> np.ndarray | None:
    """In pixels of the crop."""
    if given is None:
        # In the crop itself, as those of the images that the head was fitted to.
        face = find_face(found.image)
        return None if face is None else face.mesh
    marks = np.asarray(given, np.float64)
    if marks.ndim != 2 or marks.shape[1:] != (2,):
        raise InputError(f"landmarks: an array of shape {marks.shape} holds no points (x, y). Leave them out.")
    inverse = np.linalg.inv(np.vstack([transform, [0, 0, 1]]))
    return marks @ inverse[:2, :2].T + inverse[:2, 2]


def _verdict(detector: Detector, crop: np.ndarray) -> Verdict:
    judge = detector.judge
    if judge is None:
        return uncalibrated_verdict(float(detector(crop[None], batch=1)[0]))
    return verdicts(*detector.examine(crop[None], batch=1), judge)[0]


def evidence(
    detector: Detector, head: RegionHead, maps: Maps, crop: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each region, and that of overlapping windows as a map, whatever the detector says.

    Args:
        detector: for its parameters.
        head: which was fitted to these maps.
        maps: of `metaforge.screening.explaining.seeing`.
        crop: uint8 RGB, as large as the detector takes it.
        weights: where the regions are.
    """
    # As fine as the finest map that there can be.
    cut, shares, face = cut_windows(weights, len(crop) // 2)
    seen = _seen(maps, detector.params, crop[None], weights[None], cut[None])
    regions, places, means = (np.asarray(each)[0] for each in seen)
    there = np.asarray(weights.any((1, 2)))
    found = region_probabilities(head, region_logits(head, regions[None], there[None]))[0]
    places = window_probabilities(head, places, shares, face, regions, there, means=means > 0)
    return found, spread(places, weights)


@functools.partial(jax.jit, static_argnums=0)
def _seen(maps, params, images, weights, cut):
    levels = maps(params, images)
    means = np.concatenate([np.repeat([1, 0], level.shape[-1]) for level in levels])
    return pooled(levels, weights.astype("float32")), pooled(levels, cut), means[None]


def _placed(shown: np.ndarray, transform: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A map of the crop as one of the image."""
    size = len(shown)
    if shape == (size, size) and np.allclose(transform, [[1, 0, 0], [0, 1, 0]]):
        return shown
    inverse = np.linalg.inv(np.vstack([transform, [0, 0, 1]]))[:2]
    columns, rows = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    x, y = (part[0] * columns + part[1] * rows + part[2] for part in inverse)
    # Imported here, so that whoever only reads a detector does not wait for it.
    from scipy.ndimage import map_coordinates

    return np.clip(map_coordinates(shown, [y, x], order=1, mode="constant"), 0, 1)


def _limits(head: RegionHead, verdict: Verdict, found: FaceCrop) -> tuple[str, ...]:
    said = ["Where is asked only if the image is a forgery; whether it is, the detector says."]
    if worth := head.about.get("worth"):
        said.append(str(worth))
    if verdict.familiarity is not None and verdict.familiarity < FAMILIAR:
        said.append("The image is unlike those that the detector knows, so no region is named.")
    if found.notes:
        said.append(f"The face is {', '.join(found.notes)}.")
    return tuple(said)
