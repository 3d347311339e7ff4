"""Normalisation inside an episode: a named choice, because it decides what a score may depend on."""

from typing import Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaforge.backbones._convolution import max_pool

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

    def __call__(
        self, inputs: Float[Array, "examples height width channels"], rows: int
    ) -> Float[Array, "examples height width channels"]:
        """Normalises all examples by the statistics of the first `rows`."""
        gain, shift = self.gain_and_shift(inputs, rows)
        # Statistics and their use in single precision at least, whatever the convolutions compute in.
        return inputs.astype(gain.dtype) * gain + shift

    @nn.compact
    def gain_and_shift(self, inputs: Float[Array, "examples height width channels"], rows: int) -> tuple:
        r"""Normalisation as the map $x \mapsto g x + s$ of each channel: $g$ and $s$, `(1, 1, 1, channels)` each."""
        channels = inputs.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        seen = inputs[:rows].astype(jnp.promote_types(inputs.dtype, jnp.float32))
        mean, variance = _mean_and_variance(seen)
        gain = scale / jnp.sqrt(variance + self.epsilon)
        return gain.reshape(1, 1, 1, channels), (bias - mean * gain).reshape(1, 1, 1, channels)


class Normalise(nn.Module):
    """One of the normalisations by name, then ReLU and 2x2 max-pooling, as a layer."""

    kind: Normalisation

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "examples height width channels"], rows: int
    ) -> Float[Array, "examples half_height half_width channels"]:
        """Normalises, rectifies and pools; `rows` is how many leading examples may lend statistics."""
        if self.kind in ("episode", "support"):
            gain, shift = EpisodicBatchNorm().gain_and_shift(inputs, rows)
            # g x + s keeps the order of numbers, or turns it where g < 0. So the largest of four is the image of the
            # largest, or of the smallest: pooled first, to the same numbers, there is a quarter left to normalise.
            sign = jnp.where(gain < 0, -1.0, 1.0)
            largest = max_pool(inputs * sign.astype(inputs.dtype))
            return nn.relu(largest * (sign * gain) + shift).astype(inputs.dtype)
        if self.kind == "group":
            channels = inputs.shape[-1]
            groups = max(g for g in range(1, 9) if channels % g == 0)
            normalised = nn.GroupNorm(num_groups=groups, epsilon=1e-5)(inputs)
            return max_pool(nn.relu(normalised.astype(inputs.dtype)))
        return nn.relu(max_pool(inputs))


@jax.custom_jvp
def _mean_and_variance(
    inputs: Float[Array, "examples height width channels"],
) -> tuple[Float[Array, " channels"], Float[Array, " channels"]]:
    r"""Mean and variance of each channel, in one pass over what may be the largest array of a program.

    With $c$ the mean of the first example, $v = E[(x - c)^2] - (E[x] - c)^2$, which holds for every $c$. With $c = 0$,
    the difference of two large numbers, float32 would lose its digits where the mean is large. Here $v$ is at least
    $(E[x] - c)^2 / n$ for $n$ examples, so no more than a factor of $n + 1$ is lost.
    """
    mean, near = _channel_means(inputs), _channel_means(inputs[:1])
    return mean, _channel_means(jnp.square(inputs - near.reshape(1, 1, 1, -1))) - jnp.square(mean - near)


@_mean_and_variance.defjvp
def _(primals, tangents):
    # dv = 2 E[(x - m) dx], written so that what reverse mode has to keep is `inputs`, which is there anyway. Left to
    # automatic differentiation, `inputs - near` would be kept too: one more array of that size, written and read.
    (inputs,), (moved,) = primals, tangents
    mean, variance = _mean_and_variance(inputs)
    of_mean = _channel_means(moved)
    return (mean, variance), (of_mean, 2.0 * (_channel_means(inputs * moved) - mean * of_mean))


def _channel_means(array):
    # Of a matrix: XLA gives sums over one axis to its library of kernels, and writes those over several itself, slower.
    return jnp.mean(array.reshape(-1, array.shape[-1]), axis=0)


def check_normalisation(kind: str) -> None:
    """Raises `ValueError` for an unknown name, listing the known ones."""
    if kind not in get_args(Normalisation):
        raise ValueError(f"unknown `normalisation` {kind!r}; known: {', '.join(get_args(Normalisation))}.")
