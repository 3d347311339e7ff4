"""From real faces to records: every method, acquisition, face and variant has a seed of its own."""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.forgeries.acquisition import WILD, acquire, check_acquisitions
from metaforge.forgeries.base import Face, Forged, Forgery, ForgeryFactory, Frame
from metaforge.forgeries.framing import framed
from metaforge.forgeries.reconstruction import reconstruction
from metaforge.forgeries.self_blend import self_blend
from metaforge.forgeries.swap import poisson_swap, splice, swap
from metaforge.forgeries.traces import resample, smooth, warp
from metaforge.types import FAKE, REAL

FORGERIES: dict[str, ForgeryFactory] = {
    "self_blend": self_blend,
    "swap": swap,
    "poisson_swap": poisson_swap,
    "warp": warp,
    "resample": resample,
    "reconstruction": reconstruction,
    "smooth": smooth,
    "splice": splice,
}
"""The forgery methods by name."""


class Pair(NamedTuple):
    """A forgery with its place in the set: images after acquisition, the mask of the forgery, and where the face is."""

    domain: str
    method: str
    acquisition: str
    variant: int
    face: Face
    donor: str
    forged: Forged
    landmarks: np.ndarray | None


def make(name: str, faces: Sequence[Face]) -> Forgery:
    """A forgery method by name, fitted to training faces if it learns anything of them.

    Raises:
        InputError: for an unknown name, listing the known ones.

    Example:
        >>> make("warp", []).needs_donor
        False
    """
    if name not in FORGERIES:
        raise InputError(f"methods: unknown '{name}'; known: {', '.join(FORGERIES)}.")
    return FORGERIES[name](faces)


def forge_pairs(
    faces: Sequence[Face],
    *,
    methods: Sequence[str],
    variants: int,
    seed: int,
    acquisitions: Sequence[str] = ("none",),
    fit_faces: Sequence[Face] | None = None,
) -> Iterator[Pair]:
    """Forges every face by every method, with every acquisition, some times over.

    Each pair has a generator of its own, seeded by (seed, domain, face, variant), so that neither order nor the choice
    of methods changes it. Before the forgery a face is flipped, shifted and lit anew, so that variants differ; for
    "wild" it is also framed anew.

    Args:
        faces: real faces of one size; donors are drawn among them.

    Other Arguments:
        methods: names out of `FORGERIES`.
        variants: pairs for each face and domain.
        seed: another seed, another set.
        acquisitions: names out of `ACQUISITIONS`; each makes a domain of every method.
        fit_faces: training faces, for methods that learn from faces; `faces` if left out.

    Yields:
        Pairs, domain by domain.

    Raises:
        InputError: for unknown names, faces of several sizes or of one name, a swap among fewer than two people, or
            "wild" if H.264 cannot be coded.

    Example:
        >>> pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
        >>> face = Face(pixels, None, "a.png", "a")
        >>> [pair.domain for pair in forge_pairs([face], methods=["smooth", "warp"], variants=1, seed=0)]
        ['smooth', 'warp']
    """
    if len({face.image.shape for face in faces}) > 1:
        raise InputError("faces: of several sizes. Load them with one `size`.")
    if len({face.name for face in faces}) < len(faces):
        raise InputError("faces: two have one name, so their forgeries could not be told apart. Name each photograph.")
    check_acquisitions(acquisitions)
    for method in methods:
        forgery = make(method, faces if fit_faces is None else fit_faces)
        if forgery.needs_donor and len({face.identity for face in faces}) < 2:
            raise InputError(f"faces: '{method}' puts one person's face on another, but there are not two people.")
        for kind in acquisitions:
            domain = method if kind == "none" else f"{method}/{kind}"
            for face in faces:
                for variant in range(variants):
                    words = [seed, zlib.crc32(domain.encode()), zlib.crc32(os.fsencode(face.name)), variant]
                    rng = np.random.default_rng(np.random.SeedSequence(words))
                    donor = donor_of(rng, face, faces) if forgery.needs_donor else None
                    target, framing = framed(rng, face) if kind == WILD else (face, {})
                    lit = augment(rng, target)
                    forged = forgery.forge(rng, lit, donor)
                    (fake, real), drawn = acquire(rng, [forged.fake, forged.real], kind)
                    forged = Forged(fake, real, forged.mask, framing | forged.parameters | drawn)
                    yield Pair(
                        domain, method, kind, variant, face, donor.identity if donor else "", forged, lit.landmarks
                    )


def synthesise(
    faces: Sequence[Face],
    *,
    methods: Sequence[str],
    variants: int,
    seed: int,
    split: str,
    acquisitions: Sequence[str] = ("none",),
    fit_faces: Sequence[Face] | None = None,
    masks: bool = False,
    caption: Callable[[Pair], str] | None = None,
    progress: Callable[[int], object] | None = None,
) -> Records:
    """Forgery domains as records: for every pair of `forge_pairs` a real one and a fake one.

    Args:
        faces: the faces of one split.

    Other Arguments:
        methods: names out of `FORGERIES`.
        variants: pairs for each face and domain.
        seed: another seed, another set.
        split: the records' split.
        acquisitions: names out of `ACQUISITIONS`.
        fit_faces: training faces, for methods that learn from faces.
        masks: whether to remember how much of each pixel was forged, for a third more memory.
        caption: what is said of a forgery, remembered with it; real images have none.
        progress: called with 1 after every pair.

    Returns:
        `Records`: `video` is the photograph, `frame` the variant, `mask` the forged region if it was asked for.

    Example:
        >>> from metaforge.data.faces import load_faces
        >>> faces, _ = load_faces("lfw", size=32)
        >>> records = synthesise(faces[:5], methods=("swap", "smooth"), variants=2, seed=0, split="train")
        >>> len(records), records.domains()
        (40, ['smooth', 'swap'])
    """
    images, regions, said, rows = [], [], [], []
    for pair in forge_pairs(
        faces, methods=methods, variants=variants, seed=seed, acquisitions=acquisitions, fit_faces=fit_faces
    ):
        for label, image in ((REAL, pair.forged.real), (FAKE, pair.forged.fake)):
            images.append(image)
            if masks:
                # No part that counts becomes 0: `compose` leaves none below a grey level.
                mask = np.round(255 * pair.forged.mask).astype(np.uint8)
                regions.append(mask if label == FAKE else np.zeros_like(mask))
            if caption is not None:
                said.append(caption(pair) if label == FAKE else "")
            rows.append({
                "label": label, "domain": pair.domain, "method": pair.method, "video": pair.face.name,
                "identity": pair.face.identity, "donor": pair.donor if label == FAKE else "",
                "pair": f"{pair.domain}/{pair.face.name}/{pair.variant}", "compression": pair.acquisition,
                "split": split, "frame": pair.variant,
            })  # fmt: skip
        if progress is not None:
            progress(1)
    if not rows:
        raise InputError("forgeries: nothing to forge. Give at least one face, one method and one variant.")
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    mask, captions = np.stack(regions) if masks else None, said if caption is not None else None
    return Records.from_columns(image=np.stack(images), mask=mask, caption=captions, **columns)


def augment(rng: np.random.Generator, face: Face) -> Face:
    """The face flipped or not, shifted by up to 5 % and lit anew: what real and fake of a pair share.

    Example:
        >>> face = Face(np.full((20, 20, 3), 128, np.uint8), None, "a.png", "a")
        >>> augment(np.random.default_rng(0), face).image.shape
        (20, 20, 3)
    """
    image, marks = face.image.astype(np.float64), face.landmarks
    size = image.shape[0]
    flipped = bool(rng.random() < 0.5)
    if flipped:
        image = image[:, ::-1]
        marks = None if marks is None else np.column_stack([size - 1 - marks[:, 0], marks[:, 1]]).astype(np.float32)
    down, across = (int(n) for n in rng.integers(-round(size / 20), round(size / 20) + 1, 2))
    rows, columns = (np.clip(np.arange(size) - n, 0, size - 1) for n in (down, across))
    image = image[np.ix_(rows, columns)] * rng.uniform(0.85, 1.15) + rng.uniform(-12, 12)
    marks = None if marks is None else (marks + np.array([across, down])).astype(np.float32)
    frame = face.frame
    if frame is not None:
        left = size - frame.left - frame.side if flipped else frame.left
        frame = Frame(left + across, frame.top + down, frame.side)
    return face._replace(image=np.clip(np.round(image), 0, 255).astype(np.uint8), landmarks=marks, frame=frame)


def donor_of(rng: np.random.Generator, face: Face, faces: Sequence[Face]) -> Face:
    """Another person's face, drawn among faces: one that can be laid onto this one, if there is any."""
    # By name, so that the order in which faces were given changes nothing.
    others = sorted((other for other in faces if other.identity != face.identity), key=lambda other: other.name)
    if face.landmarks is not None:
        # A donor without landmarks, or with others, could not be laid onto the face.
        others = [o for o in others if o.landmarks is not None and o.landmarks.shape == face.landmarks.shape] or others
    return others[int(rng.integers(len(others)))]
