"""Augmentation in training (`--episodes.augment`): of every image of a meta-batch, on the device, by seed and step."""

import jax

import metaforge as mf
from metaforge.data.augmentation.table import augmented, named
from metaforge.errors import InputError
from metaforge.training.config import Config

_AUGMENT = 0xA06
"""Apart from initial parameters and dropout, which have the same seed."""


def drawn(config: Config) -> bool:
    """Whether anything happens to a run's images.

    Example:
        >>> drawn(Config())
        False
    """
    return config.episodes.augment != "none"


def check(config: Config) -> None:
    """Holds the setting against the others.

    Raises:
        InputError: for an unknown name, or where no image is seen in training.
    """
    said = f"--episodes.augment={config.episodes.augment}: "
    try:
        named(config.episodes.augment)
    except InputError as error:
        raise InputError(f"--episodes.{error}") from None
    if not drawn(config):
        return
    if not config.run.iterations:
        raise InputError(f"{said}with --run.iterations=0 nothing is trained. Leave it out.")
    if config.run.feature_cache:
        raise InputError(f"{said}kept features are of images as they are. Leave out it or --run.feature_cache.")
    if config.faces.captions:
        raise InputError(f"{said}captions say what is left and right, and what is seen. Leave one of them out.")


def augment(config: Config, step: jax.Array, episodes: mf.Episode) -> mf.Episode:
    """The episodes of an outer step as they are learned from; support and query sets alike, each image by itself.

    What is drawn depends on the run's seed and the step alone, so that an interrupted run sees what it would have seen.
    """
    names = named(config.episodes.augment)
    if not names:
        return episodes
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(config.run.seed), _AUGMENT), step)
    of = lambda part, key: part._replace(inputs=augmented(key, part.inputs, names))
    support, query = jax.random.split(key)
    return episodes._replace(support=of(episodes.support, support), query=of(episodes.query, query))
