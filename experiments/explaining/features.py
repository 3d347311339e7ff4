"""What the network sees of the regions of all images, made once and kept in one file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.explaining.cases import COLLECTION, PEOPLE, Case, cases, collections
from experiments.explaining.config import Config
from metaforge.adaptation.gaussian import distances as prior_distances
from metaforge.backbones.levels import mean_and_deviation, standardised
from metaforge.progress import progress
from metaforge.screening.detector import Detector
from metaforge.screening.explaining.detail import detail
from metaforge.screening.explaining.grad_cam import fake_logit, grad_cam, inside
from metaforge.screening.explaining.region_head import NAMES
from metaforge.screening.explaining.seeing import maps_of, pooled
from metaforge.whole import write_arrays

BATCH = 16
FIELDS = ("method", "part", "collection", "person", "name", "role", "quality")


class Table(NamedTuple):
    """Images, a row each.

    Attributes:
        features: float16, `(images, regions, size)`; 0 where no face was found.
        found: whether a face was found.
        true: which regions are forged.
        cams: the mean of Grad-CAM in each region, for every level, `(images, levels, regions)`.
        logits: of the detector.
        distances: how far an image lies from the detector's source.
        about: the columns of `FIELDS`.
        images: uint8, of the first judged ones.
        masks: theirs.
        shown: which rows these are.
    """

    features: np.ndarray
    found: np.ndarray
    true: np.ndarray
    cams: np.ndarray
    logits: np.ndarray
    distances: np.ndarray
    about: dict[str, np.ndarray]
    images: np.ndarray
    masks: np.ndarray
    shown: np.ndarray


def table(config: Config, detector: Detector, path: Path, *, say: Any) -> Table:
    """Of a file, or made and written to it."""
    if not path.exists():
        faces = collections(config, size=detector.image_size, quiet=False)
        say(", ".join(f"{len(mine)} people of {name}" for name, mine in faces.items()))
        made: dict[str, Any] = _made(config, detector, cases(config, faces), sum(map(len, faces.values())))
        write_arrays(path, **made)
    with np.load(path, allow_pickle=False) as stored:
        plain: dict[str, Any] = {name: stored[name] for name in Table._fields if name != "about"}
        return Table(**plain, about={name: stored[name] for name in FIELDS})


def _made(config: Config, detector: Detector, every: Iterator[Case], photographs: int) -> dict[str, np.ndarray]:
    see = _looker(detector)
    columns: dict[str, list[Any]] = {name: [] for name in (*FIELDS, "found", "true", "images", "masks", "shown")}
    parts, waiting, count = [], [], 0
    with progress("images", photographs * (6 + config.methods), unit="image", quiet=False) as bar:
        for case in every:
            waiting.append((case.image, _none(detector.image_size) if case.weights is None else case.weights))
            for name in FIELDS:
                columns[name].append(getattr(case, name))
            columns["found"].append(case.weights is not None)
            columns["true"].append(case.true)
            if case.role in (PEOPLE, COLLECTION) and len(columns["shown"]) < config.shown:
                columns["images"].append(case.image)
                columns["masks"].append(case.mask)
                columns["shown"].append(count)
            count += 1
            bar.update()
            if len(waiting) == BATCH:
                parts.append(see(waiting))
                waiting = []
        if waiting:
            parts.append(see(waiting))
    seen = [np.concatenate(each) for each in zip(*parts, strict=True)]
    return dict(zip(("features", "cams", "logits", "distances"), seen, strict=True)) | {
        name: np.array(column) for name, column in columns.items()
    }


def _none(size: int) -> np.ndarray:
    return np.zeros((len(NAMES), size, size), np.uint8)


def _looker(detector: Detector):
    maps = maps_of(detector.spec)

    @jax.jit
    def look(params, images, weights):
        weights = weights.astype("float32")
        levels = maps(params, images)
        cams = [inside(cam, weights) for cam in grad_cam(detector.spec, params, levels)]
        # One pass of the network for all, so the detector is not asked itself.
        whole = [mean_and_deviation(level, (1, 2)) for level in levels]
        logits, embeddings = (
            fake_logit(detector.spec, params, levels), standardised(params, jnp.concatenate(whole, axis=1))
        )  # fmt: skip
        return pooled((detail(images), *levels), weights).astype("float16"), jnp.stack(cams, axis=1), logits, embeddings

    def see(waiting):
        more = [waiting[-1]] * (BATCH - len(waiting))
        images, weights = (np.stack(each) for each in zip(*waiting, *more, strict=True))
        found = [np.asarray(each)[: len(waiting)] for each in look(detector.params, images, weights)]
        assert detector.prior is not None
        return *found[:3], prior_distances(detector.prior, found[3])

    return see
