"""Pairs whose forgery is known: faces of which one part is forged, coded as photographs and videos are."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from experiments.captions.config import Config
from metaforge.captions.regions import outside_of, region_masks
from metaforge.data.embedded_faces import LONDON, embedded_faces
from metaforge.face_regions import REGIONS
from metaforge.forgeries.base import Face
from metaforge.forgeries.compression import h264, jpeg
from metaforge.forgeries.parts import EDGES, PARTS, STRENGTHS, forge_part, true_types
from metaforge.forgeries.synthesis import donor_of

CODINGS = "not coded", "JPEG 95", "JPEG 75", "JPEG 50", "H.264 CRF 23"
"""How the forged image is coded. The real one is too: as JPEG 95 beside each JPEG, and otherwise alike."""
REAL_QUALITY = 95
FORGED = 0.25
"""The share of a region that is forged if the region is. Fixed before anything was measured."""
NAMES = tuple(REGIONS)
_STRETCHES = 14  # of the edges: a quarter of a pixel each, so that both halves have some narrower than a pixel


class Known(NamedTuple):
    """A pair, and what is true of it.

    Attributes:
        real: uint8 RGB.
        fake: uint8 RGB.
        landmarks: of the real face.
        mask: where at least half of a pixel is forged.
        regions: which of `NAMES` are forged, shape `(regions,)`.
        inside: where each of `NAMES` is.
        outside: where the face is not.
        types: which types are true, the change's own first.
        part: that was forged.
        change: by which it was forged.
        coding: of `CODINGS`.
        person: who it is.
        parameters: of the forgery, in pixels of these images.
    """

    real: UInt8[np.ndarray, "height width 3"]
    fake: UInt8[np.ndarray, "height width 3"]
    landmarks: Float[np.ndarray, "points 2"]
    mask: Bool[np.ndarray, "height width"]
    regions: np.ndarray
    inside: Bool[np.ndarray, "regions height width"]
    outside: Bool[np.ndarray, "height width"]
    types: tuple[str, ...]
    part: str
    change: str
    coding: str
    person: str
    parameters: dict[str, Any]


def known_pairs(config: Config) -> tuple[list[Known], list[Known]]:
    """The pairs of the half that chooses and of the half that is judged: nobody is in both, nor gives to the other."""
    faces = embedded_faces(LONDON, size=config.size)
    people = np.random.default_rng(config.seed).permutation(sorted({face.identity for face in faces}))
    halves = []
    for half in range(2):
        mine = set(people[: config.people][half::2])
        halves.append(_forged([face for face in faces if face.identity in mine], config, half))
    return halves[0], halves[1]


def _forged(faces: list[Face], config: Config, half: int) -> list[Known]:
    """Parts, changes and qualities in turn, so that each meets each equally often; the faces in a drawn order."""
    drawn = np.random.default_rng([config.seed, 1, half]).permutation(len(faces) * config.each)
    parts, changes, found = list(PARTS), list(STRENGTHS), []
    for turn, number in enumerate(drawn):
        face = faces[number % len(faces)]
        rng = np.random.default_rng([config.seed, 2, half, int(number)])
        # 8 parts and 5 changes have met after 40 turns; then the codings move on by one.
        part, change = parts[turn % len(parts)], changes[turn % len(changes)]
        coding = CODINGS[(turn + turn // (len(parts) * len(changes))) % len(CODINGS)]
        given = drawn_from(rng, change, half) if config.held_out else {}
        forged = forge_part(rng, face, part, change, donor=donor_of(rng, face, faces), **given)
        real, fake = coded(forged.real, forged.fake, coding)
        mask, marks = forged.mask >= 0.5, np.asarray(face.landmarks)
        masks = region_masks(marks, (config.size, config.size))
        inside = np.stack([masks.get(name, np.zeros_like(mask)) for name in NAMES])
        types, outside = true_types(forged.parameters, size=config.size), outside_of(marks, (config.size, config.size))
        regions = covered(mask, inside) >= FORGED
        found.append(
            Known(
                real,
                fake,
                marks,
                mask,
                regions,
                inside,
                outside,
                types,
                part,
                change,
                coding,
                face.identity,
                forged.parameters,
            )
        )
    return found


def drawn_from(rng: np.random.Generator, change: str, half: int) -> dict[str, float]:
    """A strength and an edge that the other half of the people does not meet.

    The half that chooses draws strengths from the middle half of their range, and the half that is judged from the
    outer quarters: weaker ones and stronger ones than any that chose. Of the edges each has every other quarter of a
    pixel.
    """
    (low, high), place = STRENGTHS[change], float(rng.uniform())
    share = 0.25 + place / 2 if half == 0 else place / 2 + (0.5 if place >= 0.5 else 0.0)
    stretch = (2 * int(rng.integers(_STRETCHES // 2)) + half + float(rng.uniform())) / _STRETCHES
    return {"strength": low + share * (high - low), "edge": EDGES[0] + stretch * (EDGES[1] - EDGES[0])}


def coded(real: np.ndarray, fake: np.ndarray, coding: str) -> tuple[np.ndarray, np.ndarray]:
    """A pair as one of `CODINGS` leaves it."""
    kind, _, level = coding.rpartition(" ")
    if kind == "JPEG":
        return jpeg(real, REAL_QUALITY), jpeg(fake, int(level))
    return (h264(real, int(level)), h264(fake, int(level))) if kind == "H.264 CRF" else (real, fake)


def covered(mask: Bool[np.ndarray, "height width"], inside: Bool[np.ndarray, "regions height width"]) -> np.ndarray:
    """The share of each region that a mask covers, shape `(regions,)`; 0 of one that is not there."""
    return (inside & mask).sum(axis=(1, 2)) / np.maximum(inside.sum(axis=(1, 2)), 1)
