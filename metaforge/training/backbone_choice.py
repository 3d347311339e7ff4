"""The whole backbone that a configuration names, and the shapes of its parameters."""

import functools

import jax
import jax.numpy as jnp

import metaforge as mf
from metaforge.backbones import choice
from metaforge.training.config import Config
from metaforge.types import Params


def backbone(config: Config) -> mf.Backbone:
    """By name; equal settings give the same functions."""
    return choice.choose(
        config.backbone,
        num_classes=classes(config),
        image_size=config.image_size,
        neck=config.neck,
        head=config.head,
        width=config.width,
        normalisation=config.normalisation,
        variant=config.variant,
        weights=config.weights,
        convolution=config.convolution,
        precision=config.precision,
    )


def classes(config: Config) -> int:
    """How many logits there are: real and fake, and outliers where they are synthesised."""
    return 3 if config.objective == "fakeradar" else 2


def shapes(config: Config) -> Params:
    """The shapes of all parameters, without a look at the weights."""
    names = ("backbone", "objective", "image_size", "neck", "head", "width", "normalisation", "variant", "precision")
    return _shapes(Config(**{name: getattr(config, name) for name in names}))


@functools.lru_cache(maxsize=16)
def _shapes(config: Config) -> Params:
    images = jnp.zeros((2, config.image_size, config.image_size, 3))
    return jax.eval_shape(backbone(config).init, jax.random.key(0), images)
