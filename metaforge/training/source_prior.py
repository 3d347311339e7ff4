"""What the source says of a head in closed form: a prior fitted to the embeddings of training images."""

import functools
import re

import numpy as np

from metaforge.adaptation.gaussian import Source, fit
from metaforge.backbones.features import embed
from metaforge.data.pools import ImagePool, pool
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.training import build, kept_features
from metaforge.training.config import Config
from metaforge.types import Params


def fitted(
    config: Config, params: Params, records: Records, *, held: ImagePool | None = None, frozen: Params | None = None
) -> Source:
    """The prior of a model, from the images that it was trained on.

    Args:
        config: the run's.
        params: the model's, as the run moves them.
        records: the training images.

    Other Arguments:
        held: what the run sees of them, if not they themselves.
        frozen: the rest of the parameters, as in `build.model`.

    Raises:
        InputError: when `--faces.collection` finds no collection in a file's path.
    """
    held = held or pool(records)
    context = build.source_context(config, records) if config.model.normalisation == "support" else None
    made = embed(build.model(config, frozen=frozen), params, held.image, batch=kept_features.BATCH, context=context)
    return fit(
        made[held.index], records.label, records.domain.astype(str), pairs=records.pair.astype(str),
        collections=collections(config, records),
    )  # fmt: skip


def collections(config: Config, records: Records) -> np.ndarray:
    """The collection that each image comes from, by `--faces.collection`; one for all where it says nothing."""
    if not config.faces.collection:
        return np.zeros(len(records), np.int32)
    found = functools.lru_cache(maxsize=None)(functools.partial(_collection, config.faces.collection))
    return np.array([found(str(name)) for name in records.video])


def _collection(pattern: str, name: str) -> str:
    match = re.search(pattern, name)
    if match is None or match.lastindex is None:
        raise InputError(
            f"--faces.collection={pattern}: finds no group in '{name}'. Put brackets around the collection."
        )
    return match[1]
