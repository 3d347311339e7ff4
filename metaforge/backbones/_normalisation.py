"""Normalisation inside an episode: a named choice, because it decides what a score may depend on."""

from typing import Literal, get_args

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

Normalisation = Literal["episode", "support", "group", "none"]
"""Whose statistics normalise an image inside an episode.

- "episode": the batch at hand, as MAML and its followers do. Transductive: a query image's score depends on the other
  query images, and a query set of known class balance leaks that balance.
- "support": the support images alone. A query image's score cannot depend on any other query image.
- "group": the image itself, in groups of channels.
- "none": nobody's.
"""


class EpisodicBatchNorm(nn.Module):
    r"""Batch normalisation whose statistics are those of the first `rows` examples of the batch.

    $y = \gamma\,(x - \mu)/\sqrt{v + \epsilon} + \beta$ with mean $\mu$ and variance $v$ of each channel over the first
    `rows` examples and all positions. There are no running averages: the function is pure.
    """

    epsilon: float = 1e-5

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "examples height width channels"], rows: int
    ) -> Float[Array, "examples height width channels"]:
        """Normalises all examples by the statistics of the first `rows`."""
        channels = inputs.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,)).reshape(1, 1, 1, channels)
        bias = self.param("bias", nn.initializers.zeros, (channels,)).reshape(1, 1, 1, channels)
        # Statistics and their use in single precision at least, whatever the convolutions compute in.
        inputs = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        seen = inputs[:rows]
        mean = jnp.mean(seen, axis=(0, 1, 2), keepdims=True)
        # Centred before squaring: E[x^2] - E[x]^2 loses float32's digits when the mean is large.
        variance = jnp.mean(jnp.square(seen - mean), axis=(0, 1, 2), keepdims=True)
        gain = scale / jnp.sqrt(variance + self.epsilon)
        return inputs * gain + (bias - mean * gain)


class Normalise(nn.Module):
    """One of the normalisations by name, as a layer."""

    kind: Normalisation

    @nn.compact
    def __call__(self, inputs: Float[Array, "examples height width channels"], rows: int):
        """Normalises; `rows` is how many leading examples may lend statistics."""
        if self.kind in ("episode", "support"):
            return EpisodicBatchNorm()(inputs, rows)
        if self.kind == "group":
            channels = inputs.shape[-1]
            groups = max(g for g in range(1, 9) if channels % g == 0)
            return nn.GroupNorm(num_groups=groups, epsilon=1e-5)(inputs)
        return inputs


def check_normalisation(kind: str) -> None:
    """Raises `ValueError` for an unknown name, listing the known ones."""
    if kind not in get_args(Normalisation):
        raise ValueError(f"unknown `normalisation` {kind!r}; known: {', '.join(get_args(Normalisation))}.")
