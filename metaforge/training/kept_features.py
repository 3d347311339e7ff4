"""Features of the part that never moves (`--run.feature_cache`): made once an image, given to training for images.

Levels are kept before they are standardised, so that runs whose statistics differ share them.
"""

import dataclasses
from pathlib import Path

import jax
import numpy as np

from metaforge.backbones import choice
from metaforge.backbones.cut import Cut, cut
from metaforge.backbones.features import embed
from metaforge.backbones.levels import STANDARDISE, with_statistics, without_statistics
from metaforge.backbones.store import stored
from metaforge.data.pools import ImagePool, pool
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.progress import progress
from metaforge.runs import fingerprint
from metaforge.settings import change
from metaforge.training import captioned, trainable
from metaforge.training.config import Config
from metaforge.types import Params

BATCH = 32
"""Images that the trunk sees at a time; of all batches one program."""


def cut_of(config: Config) -> Cut:
    """Where a run's backbone is cut: as late as what it moves allows.

    Raises:
        InputError: when it has no first part that never moves and sees images one by one.
    """
    moving = trainable.part(config, choice.shapes(config.network))[0]
    found = cut(config.network, {name for name, part in moving.items() if jax.tree.leaves(part)})
    if found is None:
        raise InputError(
            f"--run.feature_cache={config.run.feature_cache}: with --model.backbone={config.model.backbone}, "
            f"trainable={config.learner.trainable} and normalisation={config.model.normalisation} no first part "
            "stays as it is for every image. Leave it out, or train less, such as "
            "--learner.trainable='^(block15|top|head)'."
        )
    return found


def images(
    config: Config, records: Records, frozen: Params | None, *, reads: bool = False, quiet: bool = True
) -> ImagePool:
    """A table's images for a run to hold on the device: pixels, or what the part that never moves makes of them.

    With `reads`, captions stand beside them, if the run has captions.
    """
    held = pool(records, beside=captioned.beside(config, records) if reads else None)
    if not config.run.feature_cache or frozen is None:
        return held
    made, between = _made(config, held.image, frozen, quiet=quiet), cut_of(config).between
    return held._replace(image=made if between is None else np.asarray(between(frozen, made)))


def fitted(config: Config, records: Records, frozen: Params, *, quiet: bool = True) -> Params:
    """The frozen parameters of a model of levels with the statistics of a table's images, each image once."""
    held = pool(records)
    if config.run.feature_cache:
        return with_statistics(frozen, _made(config, held.image, frozen, quiet=quiet))
    backbone, raw = choice.choose(config.network), without_statistics(frozen)
    # No head is needed for embeddings, and the frozen part has none.
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(config.network)["head"])
    return with_statistics(frozen, embed(backbone, {**raw, "head": zeros}, held.image, batch=BATCH))


def _made(config: Config, image: np.ndarray, frozen: Params, *, quiet: bool) -> np.ndarray:
    """What the trunk makes of images, kept in the cache's folder."""
    found = cut_of(config)
    # Of other weights, or cut elsewhere, features are others.
    weights = fingerprint({name: frozen[name] for name in found.keys})
    folder = Path(config.run.feature_cache) / f"{config.model.backbone}-{found.name}-{weights[:16]}"
    made = jax.jit(found.trunk)

    def compute(rows: np.ndarray) -> np.ndarray:
        parts = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
        filled = [np.concatenate([part, np.repeat(part[-1:], BATCH - len(part), axis=0)]) for part in parts]
        return np.concatenate([made(frozen, images) for images in filled])[: len(rows)]

    # Levels are few numbers, and their deviation over images may be a small part of their mean.
    dtype = np.float32 if config.model.levels else np.float16
    with progress("features", len(image), unit="image", quiet=quiet) as bar:
        try:
            return stored(compute, image, folder=folder, dtype=dtype, progress=bar.update)
        except OSError as error:
            raise InputError(
                f"--run.feature_cache={config.run.feature_cache}: cannot write there ({error.strerror})."
            ) from None
        except ValueError as error:
            # Weights of another network, or odd ones, may scale their maps beyond the end of float16.
            raise InputError(
                f"--run.feature_cache={config.run.feature_cache}: {str(error).removeprefix('stored: ')} Leave it out, "
                "or see whether --model.weights are those of this network."
            ) from None


def seen(config: Config, records: Records, frozen: Params | None) -> Records:
    """A table of images as a table of what the part that never moves makes of them, in the same order."""
    if not config.run.feature_cache:
        return records
    held = images(config, records, frozen)
    return dataclasses.replace(records, image=held.image[held.index])


def check_whole(config: Config) -> None:
    """Holds that a model of kept features has nothing else that does not move, as a study needs it.

    Raises:
        InputError: when it has, or the trunk would be another one for every seed.
    """
    keys = {*cut_of(config).keys, STANDARDISE}
    frozen = trainable.part(config, choice.shapes(config.network))[1]
    left = sorted(name for name, part in (frozen or {}).items() if name not in keys and jax.tree.leaves(part))
    if left:
        raise InputError(
            f"--learner.trainable={config.learner.trainable}: a part of {', '.join(left)} would be frozen. In a "
            "study everything after the cut is trained, and --methods say what adapts. Name whole parts, such as "
            " '^(block15|top|head)'."
        )
    if not config.model.weights:
        raise InputError("--run.feature_cache: random weights are others for every seed. Give --model.weights.")


def without(config: Config) -> Config:
    """The same for images themselves."""
    return change(config, {"run.feature_cache": ""})
