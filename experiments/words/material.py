"""Forged pairs of every collection with captions, as what a tower sees; each collection in a file of its own."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from experiments.words.config import Config
from metaforge.backbones.efficientnet._maps import maps, maps_params
from metaforge.backbones.efficientnet._plan import LITE0
from metaforge.captions import caption, exact
from metaforge.data.faces import split_people
from metaforge.face_regions import MESH_POINTS
from metaforge.forgeries.base import Face, Forged
from metaforge.forgeries.parts import PARTS, STRENGTHS, forge_part
from metaforge.forgeries.synthesis import FORGERIES, augment, donor_of, forge_pairs
from metaforge.progress import progress
from metaforge.whole import write_arrays

BLOCKS, CELLS = (2, 4, 6, 10), 5
"""Blocks of EfficientNet-Lite0 whose means and deviations in each cell are a token, and cells to a side."""
BATCH = 32
PART = "part "
"""What the name of a method that forges one part begins with; the change follows."""
METHODS = (*FORGERIES, *(PART + change for change in STRENGTHS))


class Table(NamedTuple):
    """Images as a tower sees them, a row each; a real image stands before its fake.

    Attributes:
        seen: tokens `(images, cells, channels)`, float16; or uint8 images.
        label: 0 for real, 1 for fake.
        kind: the method that an image, or its fake, was forged by.
        collection: where it comes from.
        person: whose face it is.
        caption: of a fake what is true of it; "" of a real image.
    """

    seen: np.ndarray
    label: np.ndarray
    kind: np.ndarray
    collection: np.ndarray
    person: np.ndarray
    caption: np.ndarray


class Made(NamedTuple):
    """A pair as it is forged."""

    kind: str
    person: str
    forged: Forged
    caption: str


def table_of(config: Config, faces: dict[str, list[Face]], folder: Path, *, quiet: bool = True) -> Table:
    """All collections, forged by all methods; those whose file is there are read."""
    made, look = [], None
    for number, (name, mine) in enumerate(sorted(faces.items())):
        path = folder / f"seen-{number}.npz"  # a name may be no name of a file
        if not path.exists():
            look = look or _tower(config)
            write_arrays(path, **_collection(config, name, chosen(config, mine), look, quiet=quiet)._asdict())
        with np.load(path, allow_pickle=False) as found:
            made.append(Table(*(found[column] for column in Table._fields)))
    return Table(*(np.concatenate(parts) for parts in zip(*made, strict=True)))


def chosen(config: Config, faces: Sequence[Face]) -> list[Face]:
    """One photograph of each person who has landmarks, of a drawn few where there are many."""
    first = {face.identity: face for face in reversed(faces) if _told(face)}
    people = np.random.default_rng([config.seed, 1]).permutation(sorted(first))[: config.faces.most]
    return [first[str(who)] for who in people]


def _told(face: Face) -> bool:
    return face.landmarks is not None and len(face.landmarks) in (68, MESH_POINTS)


def pairs(config: Config, faces: Sequence[Face]) -> Iterator[Made]:
    """Every face by every method. What a method learns of faces, it learns of the other half of the people."""
    halves = split_people(list(faces), fractions={"first": 0.5, "second": 0.5}, seed=config.seed)
    for half, other in (("first", "second"), ("second", "first")):
        for pair in forge_pairs(
            halves[half], methods=list(FORGERIES), variants=1, seed=config.seed, fit_faces=halves[other]
        ):
            yield Made(pair.method, pair.face.identity, pair.forged, _said(pair.forged, pair.landmarks))
    parts = list(PARTS)
    for change in STRENGTHS:
        for face in faces:
            rng = np.random.default_rng([config.seed, zlib.crc32(f"{change}/{face.name}".encode())])
            donor, lit = donor_of(rng, face, faces), augment(rng, face)
            forged = forge_part(rng, lit, parts[rng.integers(len(parts))], change, donor=donor)
            yield Made(PART + change, face.identity, forged, _said(forged, lit.landmarks))


def _said(forged: Forged, landmarks: np.ndarray | None) -> str:
    return caption(exact(forged.real, forged.fake, forged.mask, landmarks))


def _collection(config: Config, name: str, faces: Sequence[Face], look, *, quiet: bool) -> Table:
    images, rows, seen = [], [], []
    with progress(f"forging {name}", len(faces) * len(METHODS), unit="pair", quiet=quiet) as bar:
        for made in pairs(config, faces):
            images += [made.forged.real, made.forged.fake]
            rows.append(made)
            if len(images) >= BATCH:
                seen.append(look(np.stack(images)))
                images = []
            bar.update()
    if images:
        seen.append(look(np.stack(images)))
    twice = lambda values: np.repeat(np.array(values), 2)
    label = np.tile([0, 1], len(rows))
    return Table(
        np.concatenate(seen), label, twice([one.kind for one in rows]), np.full(len(label), name),
        twice([one.person for one in rows]), np.where(label > 0, twice([one.caption for one in rows]), ""),
    )  # fmt: skip


def _tower(config: Config) -> Callable[[np.ndarray], np.ndarray]:
    """From images to what is kept of them."""
    if config.tower == "conv4":
        size = (config.side, config.side)
        smaller = lambda image: np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
        return lambda images: np.stack([smaller(image) for image in images])
    params, looks = maps_params(LITE0, BLOCKS, True, jax.random.key(0)), maps(LITE0, BLOCKS)
    made = jax.jit(lambda params, images: jnp.concatenate([in_cells(part) for part in looks(params, images)], axis=2))

    def look(images: np.ndarray) -> np.ndarray:
        filled = np.concatenate([images, np.repeat(images[-1:], BATCH - len(images), axis=0)])
        return np.asarray(made(params, filled)[: len(images)].astype(jnp.float16))

    return look


def in_cells(part: jax.Array) -> jax.Array:
    """Means, then deviations, of each channel in a grid of cells: `(images, cells, 2 * channels)`."""
    count, side, _, channels = part.shape
    at = jnp.arange(side) * CELLS // side
    share = (at[None] == jnp.arange(CELLS)[:, None]) / jnp.maximum(jnp.bincount(at, length=CELLS), 1)[:, None]
    over = lambda values: jnp.einsum("ih,jw,nhwc->nijc", share, share, values).reshape(count, -1, channels)
    mean = over(part)
    # Less the image's own mean first, so that a small variance is no difference of large numbers.
    centre = jnp.mean(part, axis=(1, 2), keepdims=True)
    variance = over(jnp.square(part - centre)) - jnp.square(mean - centre[:, 0])
    return jnp.concatenate([mean, jnp.sqrt(jnp.maximum(variance, 0) + 1e-6)], axis=2)
