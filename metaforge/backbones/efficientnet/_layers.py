"""What the parts of an EfficientNet are made of: normalisations, 1x1 convolutions, activations."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from metaforge.backbones._normalisation import EpisodicBatchNorm
from metaforge.backbones.efficientnet._plan import Plan

EfficientNetNormalisation = Literal["frozen", "support", "episode", "group"]
"""Whose statistics normalise an image: "frozen" those of the data that the weights were trained on, which stand in the
parameters and never move; the others as in `metaforge.backbones.Normalisation`."""

INIT = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
"""The published initialisation of convolutions."""


class FrozenNorm(nn.Module):
    r"""$y = \gamma\,(x - \mu)/\sqrt{v + \epsilon} + \beta$ with $\mu$ and $v$ that no gradient reaches."""

    epsilon: float

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Normalises every channel."""
        channels, zeros, ones = inputs.shape[-1:], nn.initializers.zeros, nn.initializers.ones
        scale, bias = self.param("scale", ones, channels), self.param("bias", zeros, channels)
        mean, variance = self.param("mean", zeros, channels), self.param("variance", ones, channels)
        mean, variance = jax.lax.stop_gradient((mean, variance))
        gain = scale / jnp.sqrt(variance + self.epsilon)
        return inputs * gain.reshape(1, 1, 1, -1) + (bias - mean * gain).reshape(1, 1, 1, -1)


def normalised(plan: Plan, kind: EfficientNetNormalisation, name: str, inputs: jax.Array, rows: int) -> jax.Array:
    """One of the normalisations by name; `rows` is how many leading examples may lend statistics."""
    if kind == "frozen":
        return FrozenNorm(plan.epsilon, name=name)(inputs)
    if kind == "group":
        groups = max(g for g in range(1, 9) if inputs.shape[-1] % g == 0)
        return nn.GroupNorm(num_groups=groups, epsilon=plan.epsilon, name=name)(inputs)
    return EpisodicBatchNorm(plan.epsilon, name=name)(inputs, rows)


def pointwise(plan: Plan, features: int, name: str) -> nn.Dense:
    """A 1x1 convolution without a bias."""
    # It is a matrix product, and as such fast under `vmap` over tasks too.
    return nn.Dense(features, use_bias=False, kernel_init=INIT, dtype=computed_in(plan), name=name)


def computed_in(plan: Plan):
    """The type of products; `None` for that of their inputs. What is normalised is float32 again, by its statistics."""
    return jnp.bfloat16 if plan.precision == "bfloat16" else None


def activation(plan: Plan):
    """What stands behind every normalisation but a block's last."""
    return nn.relu6 if plan.activation == "relu6" else nn.swish
