"""The raw annotation of a pair: the mask, the regions, the cues, and what follows from them."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from metaforge.captions.alignment import aligned
from metaforge.captions.cues import CUES
from metaforge.captions.difference import difference
from metaforge.captions.excess import excess
from metaforge.captions.exchange import NOTE, perhaps_exchanged
from metaforge.captions.regions import outside_of, region_coverage, region_masks
from metaforge.captions.thresholds import Thresholds
from metaforge.errors import InputError
from metaforge.face_regions import REGIONS

Answer = Literal["forged", "noise", "identical", "size", "shifted"]
"""A forgery was found; the pair differs by no more than its noise; or the pair cannot be compared."""


TELLING = ("colour", "blur", "structure", "texture")
"""The cues that types are named by. The boundary is measured, but what it says is seldom so (`docs/captions.md`)."""

SCATTERED = "What differs most differs by little more than the rest, as coding makes it."
"""Why a pair is called noise whose mask is not empty."""


class Annotation(NamedTuple):
    """What is known of a pair, and from what.

    Attributes:
        answer: see `Answer`.
        reason: one sentence on any other answer than "forged"; of "forged", why no regions are named, and that the two
            images are perhaps exchanged, if so.
        shift: pixels to the right and down by which the forged image lies off, if "shifted".
        mask: where the images differ by more than their noise; `None` if they were not compared.
        soft: by how many grey levels, in [0, 255]; `None` likewise.
        noise: grey levels that count as noise at the median pixel.
        coverage: share of each region that the mask covers, in [0, 1]; empty without landmarks.
        regions: the parts, names of `metaforge.face_regions.REGIONS`, whose coverage exceeds the threshold.
        cues: the value of each of `CUES`; empty unless "forged".
        types: those of `TELLING` that exceed their thresholds, the one furthest beyond its threshold first.
        thresholds: what decided.
        excess: how many times the rest of the face the mask differed; `None` if there is no rest or no mask.
    """

    answer: Answer
    reason: str
    shift: tuple[int, int]
    mask: Bool[np.ndarray, "height width"] | None
    soft: Float[np.ndarray, "height width"] | None
    noise: float
    coverage: dict[str, float]
    regions: tuple[str, ...]
    cues: dict[str, float]
    types: tuple[str, ...]
    thresholds: Thresholds
    excess: float | None = None


def annotate(
    real: Shaped[np.ndarray, "height width *channels"],
    fake: Shaped[np.ndarray, "rows columns *bands"],
    landmarks: Float[np.ndarray, "points 2"] | None = None,
    *,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
) -> Annotation:
    """Says where and how a forged face differs from its real one. Nothing is drawn: equal input, equal answer.

    Which of the two is the real one is taken on trust: where and how much they differ is the same either way, and a
    blur turned round is a texture that was added. Some exchanged pairs show by their detail, and `reason` says so.

    Args:
        real: uint8 RGB in [0, 255].
        fake: the image that was made from it, cut out in the same way.
        landmarks: of the real face, x and y in pixels: the 468 points of the mesh or the 68 of iBUG and dlib. Without
            them, or with others, no parts are named.

    Other Arguments:
        thresholds: what decides.

    Returns:
        An `Annotation`; `metaforge.captions.sentence` puts it into words.

    Raises:
        InputError: for images that are not uint8 RGB, not of one photograph, smaller than 16 pixels, or landmarks off
            the image.

    Example:
        >>> real = np.full((48, 48, 3), 90, np.uint8); fake = real.copy(); fake[20:30, 20:30] += 40
        >>> found = annotate(real, fake)
        >>> found.answer, int(found.mask.sum()), found.types[0], found.reason
        ('forged', 96, 'colour', 'No parts are named: there are no landmarks.')

    References:
        Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (raw annotation).
    """
    for name, image in (("real", real), ("forged", fake)):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(
                f"pair: the {name} image is {image.dtype} of shape {image.shape}. Give uint8 RGB, height x width x 3; "
                "a grey image as three equal channels."
            )
    if min(*real.shape[:2], *fake.shape[:2]) < 16:
        raise InputError("pair: an image has fewer than 16 pixels a side. Give larger ones.")
    if landmarks is not None and not np.isfinite(landmarks).all():
        raise InputError("landmarks: not all are finite numbers. Leave them out, or find them again.")
    shape = real.shape[0], real.shape[1]
    outside = outside_of(landmarks, shape)
    nothing = Annotation("noise", "", (0, 0), None, None, 0.0, {}, (), {}, (), thresholds)
    pair = aligned(real, fake, outside, thresholds=thresholds)
    if pair.answer != "aligned":
        return nothing._replace(answer=pair.answer, reason=pair.reason, shift=pair.shift)
    found = difference(real, fake, outside, thresholds=thresholds)
    compared = nothing._replace(mask=found.mask, soft=found.soft, noise=found.noise)
    if not found.mask.any():
        return compared._replace(reason="The two images differ by no more than their noise.")
    masks = {} if landmarks is None else region_masks(landmarks, shape)
    coverage = region_coverage(found.mask, masks)
    known = tuple(name for name in REGIONS if name in coverage)
    reasons = [] if known else ["No parts are named: there are no landmarks" + (
        "." if landmarks is None else " that tell them; 468 or 68 points do."
    )]  # fmt: skip
    cues = {name: cue.measure(real, fake, found.mask) for name, cue in CUES.items()}
    regions, types = tuple(name for name in known if coverage[name] > thresholds.region), types_of(cues, thresholds)
    times = excess(found.soft, found.busy, found.mask, masks.get("face", np.ones(shape, bool)))
    asked = excess_asked(regions, types, bool(known), thresholds)
    if times is not None and asked is not None and times < asked:
        return compared._replace(mask=np.zeros(shape, bool), reason=SCATTERED, excess=times)
    if perhaps_exchanged(real, fake, found.mask, cues["structure"], thresholds=thresholds):
        reasons.append(NOTE)
    return compared._replace(
        answer="forged",
        reason=" ".join(reasons),
        coverage=coverage,
        regions=regions,
        cues=cues,
        types=types,
        excess=times,
    )


def excess_asked(regions: tuple[str, ...], types: tuple[str, ...], known: bool, thresholds: Thresholds) -> float | None:
    """How far a mask must stand out: the less, the more of it can be named; `None` if part and type are.

    Args:
        regions: that are named.
        types: that are named.
        known: whether parts can be named at all.
        thresholds: what decides.

    Example:
        >>> [excess_asked((), types, known, Thresholds()) for types in ((), ("blur",)) for known in (True, False)]
        [3.5, 3.5, 3.5, 2.0]
    """
    if regions and types:
        return None
    return thresholds.excess_named if regions or (types and not known) else thresholds.excess


def types_of(cues: dict[str, float], thresholds: Thresholds) -> tuple[str, ...]:
    """Those of `TELLING` that exceed their thresholds, by how many times, the largest first.

    Example:
        >>> types_of({"colour": 4.0, "blur": 4.0, "texture": -9.0, "boundary": 99.0}, Thresholds())
        ('blur', 'colour')
    """
    times = {name: cues[name] / getattr(thresholds, name) for name in TELLING if name in cues}
    return tuple(sorted((name for name in times if times[name] > 1), key=lambda name: -times[name]))
