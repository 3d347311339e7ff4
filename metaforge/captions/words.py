"""An annotation in words, and the same words as data: which number each stands on."""

from collections.abc import Collection, Sequence
from typing import Any

from metaforge.captions.annotation import Annotation, excess_asked
from metaforge.captions.cues import CUES
from metaforge.face_regions import GROUPS, REGIONS

COARSE = ("mouth", "nose", "eyes", "face")
"""The regions of FFTG: parts of a face that `Annotation.coverage` knows too."""


def sentence(annotation: Annotation) -> str:
    """What was found, in plain English; equal annotations give equal words.

    Example:
        >>> import numpy as np
        >>> from metaforge.captions.annotation import annotate
        >>> real = np.full((48, 48, 3), 90, np.uint8)
        >>> sentence(annotate(real, real))
        'No forgery found: the two images are identical.'
    """
    if annotation.answer in ("identical", "noise"):
        return f"No forgery found: {_small(annotation.reason)}"
    if annotation.answer != "forged":
        return f"Not compared: {_small(annotation.reason)}"
    assert annotation.mask is not None
    where, types = _where(annotation), [CUES[name].says for name in annotation.types]
    how = f"; {listed(types)}" if types else "; no cue exceeds its threshold"
    return f"Forged: {where}, {100 * float(annotation.mask.mean()):.1f} % of the image{how}."


def caption(annotation: Annotation) -> str:
    """The words alone, to learn from: which parts and how, without "Forged", without a number.

    A sentence that begins with the class lets whoever reads it be right without a look at the image, and a percentage
    makes each sentence the only one of its kind. Where no forgery was found, or the pair was not compared, there is
    nothing to say, and the caption is empty. So who reads captions of forgeries beside the empty ones of real images
    still learns the class from there being one: `metaforge.backbones.two_towers` leaves images without a caption out.

    Example:
        >>> import numpy as np
        >>> from metaforge.captions.annotation import annotate
        >>> real = np.full((48, 48, 3), 90, np.uint8); fake = real.copy(); fake[20:30, 20:30] += 40
        >>> caption(annotate(real, fake)), caption(annotate(real, real))
        ('a part of the image; the colour differs', '')
    """
    if annotation.answer != "forged":
        return ""
    types = [CUES[name].says for name in annotation.types]
    return _where(annotation) + (f"; {listed(types)}" if types else "")


def coarse_regions(annotation: Annotation) -> tuple[str, ...]:
    """The four coarse regions of FFTG that a mask covers: of "mouth", "nose", "eyes" and "face", in this order.

    Each is named as the finer ones are: if the mask covers more than `thresholds.region` of it. "eyes" are both
    together and "face" is all of it, so that half a face is named, and a mouth alone is not.

    Example:
        >>> import numpy as np
        >>> from metaforge.captions.annotation import annotate
        >>> real = np.full((48, 48, 3), 90, np.uint8); fake = real.copy(); fake[20:30, 20:30] += 40
        >>> marks = np.array([[x, y] for x in range(10, 39, 4) for y in range(10, 39, 4)] + [[24, 24]] * 4, float)
        >>> found = annotate(real, fake, marks)
        >>> coarse_regions(found._replace(coverage={"mouth": 0.1, "eyes": 0.6, "left_eye": 1.0, "face": 0.3}))
        ('eyes', 'face')

    References:
        Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (the four; its rule for them
        is not published).
    """
    cut = annotation.thresholds.region
    return tuple(name for name in COARSE if annotation.coverage.get(name, 0.0) > cut)


def derivation(annotation: Annotation) -> list[dict[str, Any]]:
    """The steps from the pair to the sentence: what was measured, the value, the threshold, and whether it was said.

    Returns:
        JSON-able rows: `step` ("pair", "mask", "region" or "cue"), `name`, `value`, `unit`, `threshold`, `said`. The
        answer first; of the mask by how much it differs on average (all of the image, if it is empty) and what counts
        as noise at the median pixel, its share, and how it stands out; then all regions and all cues, also those below
        thresholds.

    Example:
        >>> import numpy as np
        >>> from metaforge.captions.annotation import annotate
        >>> real = np.full((48, 48, 3), 90, np.uint8)
        >>> derivation(annotate(real, real))[0]["name"]
        'identical'
    """
    limits = annotation.thresholds
    rows = [_row("pair", annotation.answer, list(annotation.shift), "pixels right and down", None, True)]
    if annotation.mask is not None and annotation.soft is not None:
        share, there = float(annotation.mask.mean()), bool(annotation.mask.any())
        apart = float(annotation.soft[annotation.mask].mean() if there else annotation.soft.mean())
        rows.append(_row("mask", "difference", apart, "grey levels", annotation.noise, there))
        rows.append(_row("mask", "share", share, "share of the image", limits.area, there))
    if annotation.excess is not None:
        known = any(name in REGIONS for name in annotation.coverage)
        limit = excess_asked(annotation.regions, annotation.types, known, limits)
        rows.append(_row("mask", "excess", annotation.excess, "times the rest of the face", limit, False))
    for name, value in annotation.coverage.items():
        said = name in annotation.regions
        rows.append(_row("region", name, value, "share of the region", limits.region, said))
    for name, value in annotation.cues.items():
        rows.append(_row("cue", name, value, CUES[name].unit, getattr(limits, name), name in annotation.types))
    return rows


def _row(step: str, name: str, value: Any, unit: str, threshold: float | None, said: bool) -> dict[str, Any]:
    return {"step": step, "name": name, "value": value, "unit": unit, "threshold": threshold, "said": said}


def places(regions: Collection[str]) -> list[str]:
    """Regions in words, both sides as one where both are there.

    Example:
        >>> places(["left_eye", "right_eye", "left_jaw"])
        ['the eyes', 'the left jaw']
    """
    if set(regions) == set(REGIONS):
        return ["the whole face"]
    named = []
    for group, sides in GROUPS.items():
        there = [side for side in sides if side in regions]
        words = [group] if len(there) == len(sides) else [side.replace("_", " ") for side in there]
        named += [f"the {word}" for word in words]
    return named


def listed(words: Sequence[str]) -> str:
    """Words with commas and an "and".

    Example:
        >>> listed(["the nose", "the chin"])
        'the nose and the chin'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _where(annotation: Annotation) -> str:
    if named := places(annotation.regions):
        return listed(named)
    return "a part of the face" if annotation.coverage else "a part of the image"


def _small(reason: str) -> str:
    return reason[:1].lower() + reason[1:]
