"""Forged films of faces: a photograph that moves, its forgery that moves with it, and both as H.264."""

import os
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from metaforge.data.decoding import pyav
from metaforge.errors import InputError
from metaforge.forgeries.base import Face, Forgery
from metaforge.forgeries.compression import check_h264, to_yuv420
from metaforge.forgeries.drifting import Drifting
from metaforge.forgeries.moving import FRAMES_A_SECOND, moving
from metaforge.forgeries.synthesis import donor_of, make

CRF = (18, 33)
"""x264's constant rate factor is drawn between these, once for a film and its forgery: as FaceForensics++'s c23 and
somewhat better and worse."""


class FilmPair(NamedTuple):
    """A film and its forgery, of one motion.

    Attributes:
        name: unique in its set; it may name a file.
        method: of the forgery.
        face: the photograph.
        donor: whose face went in, or "".
        real: uint8 RGB.
        fake: uint8 RGB.
        mask: how much of each pixel is forged, in [0, 1].
        crf: what both are to be coded with.
    """

    name: str
    method: str
    face: Face
    donor: str
    real: UInt8[np.ndarray, "frames height width 3"]
    fake: UInt8[np.ndarray, "frames height width 3"]
    mask: Float32[np.ndarray, "frames height width"]
    crf: int


def film_pairs(
    faces: Sequence[Face],
    *,
    methods: Sequence[str],
    variants: int,
    frames: int,
    seed: int,
    fit_faces: Sequence[Face] | None = None,
) -> Iterator[FilmPair]:
    """Films every face and forges each film by every method, some times over.

    A film has one motion, one donor and one draw of the forgery's parameters, of which those from a range drift slowly
    (`metaforge.forgeries.drifting`). Each pair is seeded by (seed, method, face, variant), so that neither order nor
    the choice of methods changes it.

    Args:
        faces: real faces of one size, of an even number of pixels; donors are drawn among them.

    Other Arguments:
        methods: names out of `FORGERIES`.
        variants: pairs for each face and method.
        frames: of each film.
        seed: another seed, another set.
        fit_faces: training faces, for methods that learn from faces; `faces` if left out.

    Yields:
        Pairs, method by method.

    Raises:
        InputError: for an unknown method, a swap among fewer than two people, an odd size, no frames, or no H.264.

    Example:
        >>> pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
        >>> pair = next(film_pairs([Face(pixels, None, "a.png", "a")], methods=["warp"], variants=1, frames=3, seed=0))
        >>> pair.name, pair.fake.shape
        ('warp-a.png-0', (3, 24, 24, 3))
    """
    if frames < 1:
        raise InputError(f"films: {frames} frames. Give at least one.")
    if any(side % 2 for face in faces for side in face.image.shape[:2]):
        raise InputError("films: H.264 wants an even number of pixels to a side. Give another image size.")
    check_h264(what="films", wanted="forging films")
    for method in methods:
        forgery = make(method, faces if fit_faces is None else fit_faces)
        if forgery.needs_donor and len({face.identity for face in faces}) < 2:
            raise InputError(f"faces: '{method}' puts one person's face on another, but there are not two people.")
        for face in faces:
            for variant in range(variants):
                words = [seed, zlib.crc32(method.encode()), zlib.crc32(os.fsencode(face.name)), variant]
                rng = np.random.default_rng(np.random.SeedSequence(words))
                donor = donor_of(rng, face, faces) if forgery.needs_donor else None
                crf = int(rng.integers(CRF[0], CRF[1] + 1))
                parts = forge_film(forgery, moving(rng, face, frames), donor, words)
                yield FilmPair(f"{method}-{face.name}-{variant}", method, face, donor.identity if donor else "",
                               *parts, crf)  # fmt: skip


def forge_film(
    forgery: Forgery, film: Sequence[Face], donor: Face | None, words: Sequence[int]
) -> tuple[
    UInt8[np.ndarray, "frames height width 3"],
    UInt8[np.ndarray, "frames height width 3"],
    Float32[np.ndarray, "frames height width"],
]:
    """A film's real frames, forged ones and masks: one forgery, whose parameters drift.

    Args:
        forgery: the method.
        film: a face in each frame.
        donor: another person's face, the same for all frames.
        words: whole numbers that seed the forgery.

    Example:
        >>> face = Face(np.full((16, 16, 3), 90, np.uint8), None, "a", "a")
        >>> real, fake, mask = forge_film(make("smooth", []), [face, face], None, [0])
        >>> real.shape, bool((real == fake).all())  # there is nothing to smooth
        ((2, 16, 16, 3), True)
    """
    forged = [forgery.forge(Drifting(words, number / FRAMES_A_SECOND), face, donor) for number, face in enumerate(film)]
    return (
        np.stack([each.real for each in forged]),
        np.stack([each.fake for each in forged]),
        np.stack([each.mask for each in forged]),
    )


def write_h264(path: str | os.PathLike, film: UInt8[np.ndarray, "frames height width 3"], crf: int) -> None:
    """Writes a film as H.264. Equal films give equal bytes, and the quantiser does not follow what is in them.

    Args:
        path: an .mp4; one that is there is replaced.
        film: of even height and width.
        crf: x264's constant rate factor.

    Raises:
        InputError: if PyAV is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from metaforge.data.video import count_frames
        >>> path = Path(tempfile.mkdtemp(), "film.mp4")
        >>> write_h264(path, np.full((5, 32, 32, 3), 90, np.uint8), 23)
        >>> count_frames(path)
        5
    """
    av = pyav()
    with av.open(os.fspath(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(FRAMES_A_SECOND))
        stream.height, stream.width = film.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # Numbers are made from colours by BT.709 (`to_yuv420`), and the file says so.
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        stream.options = {"crf": str(crf), "preset": "medium", "x264-params": "threads=1:qcomp=1:mbtree=0"}
        for picture in film:
            frame = av.VideoFrame.from_ndarray(to_yuv420(picture), format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
