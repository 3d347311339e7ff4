"""A multilayer perceptron, for regression and for tests."""

from collections.abc import Sequence

import flax.linen as nn
import jax

from metaforge.backbones._flax import from_flax
from metaforge.backbones._head import Head, check_head, head_of, make_head
from metaforge.types import Backbone, Outputs


class MLP(nn.Module):
    """Dense layers with ReLU between them. See `mlp`."""

    hidden: Sequence[int] = (40, 40)
    outputs: int = 1
    neck: int = 0
    head: Head = "linear"

    @nn.compact
    def __call__(self, inputs: jax.Array, context: jax.Array | None = None) -> Outputs:
        """Outputs for `inputs`, shape `(examples, features)`; `context` changes nothing."""
        for size in self.hidden:
            inputs = nn.relu(nn.Dense(size)(inputs))
        if self.neck:
            inputs = nn.Dense(self.neck, name="neck")(inputs)
        return Outputs(make_head(self.head, self.outputs, name="head")(inputs), inputs)


def mlp(*, hidden: Sequence[int] = (40, 40), outputs: int = 1, neck: int = 0, head: Head = "linear") -> Backbone:
    """Dense layers with ReLU between them; the default is MAML's regressor, 1-40-40-1.

    With `hidden=()` and a neck it is what one trains on features that a frozen network has computed.

    Args:
        hidden: the sizes of the hidden layers; there may be none.
        outputs: how many outputs; `Outputs.logits` holds them.
        neck: the size of an affine map before the head, whose outputs are then the embeddings; 0 for none.
        head: "linear", "quadratic" or "mlp"; see `metaforge.backbones.Head`.

    Returns:
        A `Backbone` of inputs `(examples, features)`.

    Raises:
        ValueError: for an unknown head.

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
    check_head(head)
    return from_flax(MLP(tuple(hidden), outputs, neck, head), head=head_of(head, outputs))
