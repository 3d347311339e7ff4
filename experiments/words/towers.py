"""The image towers that train in seconds, each with a small text tower beside it."""

import functools

import jax
import jax.numpy as jnp

from experiments.words.config import Config
from metaforge.backbones import conv4
from metaforge.backbones._reading import Looks, map_tokens, reading
from metaforge.backbones.clip_model.config import TextConfig, VisionConfig
from metaforge.backbones.clip_model.transformer import init_blocks, init_norm, layer_norm, linear, run_block
from metaforge.types import Backbone, Outputs

CONTEXT, VOCABULARY, HEADS = 24, 64, 4
TEXT = TextConfig(VOCABULARY, context=CONTEXT, width=32, layers=1, heads=HEADS, projection=32, mlp_ratio=2)


@functools.lru_cache(maxsize=8)
def tower(config: Config, shape: tuple[int, ...]) -> Backbone:
    """A backbone that reads, for what a table holds of an image."""
    if config.tower == "conv4":
        made = conv4(width=config.width, normalisation="group")
        return reading(made, looks=map_tokens(made.apply, (shape[0] // 16) ** 2), text=TEXT, heads=HEADS)
    made, looks = over_tokens(config.width, *shape)
    return reading(made, looks=looks, text=TEXT, heads=HEADS)


def over_tokens(width: int, cells: int, channels: int) -> tuple[Backbone, Looks]:
    """One block of a vision transformer over tokens that a frozen network made, `(images, cells, channels)`."""
    sizes = VisionConfig(cells, 1, width, layers=1, heads=HEADS, projection=None, mlp_ratio=2)

    def init(key, inputs):
        first, places, mapped, blocks, head = jax.random.split(key, 5)
        dense = lambda key, rows, columns: {
            "kernel": rows**-0.5 * jax.random.normal(key, (rows, columns)), "bias": jnp.zeros(columns)
        }  # fmt: skip
        return {
            "class": width**-0.5 * jax.random.normal(first, (width,)),
            "positions": width**-0.5 * jax.random.normal(places, (cells + 1, width)),
            "map": dense(mapped, channels, width),
            "blocks": init_blocks(blocks, sizes),
            "ln_post": init_norm(width),
            "head": dense(head, width, 2),
        }

    def looks(params, inputs, *, context=None, key=None):
        mapped = linear(params["map"], jnp.asarray(inputs))
        first = jnp.broadcast_to(params["class"], (len(mapped), 1, width))
        tokens = jnp.concatenate([first, mapped], axis=1) + params["positions"][None]
        tokens = run_block(params["blocks"]["00"], tokens, heads=HEADS, activation="gelu")
        tokens = layer_norm(params["ln_post"], tokens)
        return Outputs(linear(params["head"], tokens[:, 0]), tokens[:, 0]), tokens[:, 1:]

    def apply(params, inputs, *, context=None):
        return looks(params, inputs)[0]

    return Backbone(init, apply, lambda params, embeddings: linear(params["head"], embeddings)), looks
