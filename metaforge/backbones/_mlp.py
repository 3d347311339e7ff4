"""A multilayer perceptron, for regression and for tests."""

from collections.abc import Sequence

import flax.linen as nn
import jax

from metaforge.backbones._flax import from_flax
from metaforge.types import Backbone, Outputs


class MLP(nn.Module):
    """Dense layers with ReLU between them. See `mlp`."""

    hidden: Sequence[int] = (40, 40)
    outputs: int = 1

    @nn.compact
    def __call__(self, inputs: jax.Array, context: jax.Array | None = None) -> Outputs:
        """Outputs for `inputs`, shape `(examples, features)`; `context` changes nothing."""
        for size in self.hidden:
            inputs = nn.relu(nn.Dense(size)(inputs))
        return Outputs(nn.Dense(self.outputs, name="head")(inputs), inputs)


def mlp(*, hidden: Sequence[int] = (40, 40), outputs: int = 1) -> Backbone:
    """Dense layers with ReLU between them; the default is MAML's regressor, 1-40-40-1.

    Args:
        hidden: the sizes of the hidden layers.
        outputs: how many outputs; `Outputs.logits` holds them.

    Returns:
        A `Backbone` of inputs `(examples, features)`.

    Example:
        >>> import jax.numpy as jnp
        >>> model = mlp()
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 1)))
        >>> model.apply(params, jnp.zeros((5, 1))).logits.shape
        (5, 1)

    References:
        Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, ICML 2017,
        section 5.1.
    """
    return from_flax(MLP(tuple(hidden), outputs))
