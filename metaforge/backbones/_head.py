"""What turns features into logits: a linear head, one that sees distances, or a small network."""

from typing import Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from metaforge.types import PRNGKey

Head = Literal["linear", "quadratic", "mlp"]
"""The last part of a backbone: an affine map of the features; of the features and their squares; or of 128 ReLU units.

A linear head cannot tell the shell around a cluster from the cluster, whose centre is the shell's too; the others can.
"""


class Quadratic(nn.Module):
    """An affine map of features and their squares: its level sets are ellipsoids, so that it can see a radius."""

    num_classes: int

    @nn.compact
    def __call__(self, features: jax.Array) -> jax.Array:
        """Logits of features `(examples, features)`."""
        return nn.Dense(self.num_classes)(jnp.concatenate([features, jnp.square(features)], axis=-1))


class Perceptron(nn.Module):
    """One hidden layer."""

    num_classes: int
    hidden: int = 128

    @nn.compact
    def __call__(self, features: jax.Array) -> jax.Array:
        """Logits of features `(examples, features)`."""
        return nn.Dense(self.num_classes)(nn.relu(nn.Dense(self.hidden)(features)))


def make_head(kind: Head, num_classes: int, *, name: str | None = None) -> nn.Module:
    """The module of a head. As part of another module it is named, and its parameters are found under that name."""
    return {"linear": nn.Dense, "quadratic": Quadratic, "mlp": Perceptron}[kind](num_classes, name=name)


def head_of(kind: Head, num_classes: int):
    """`head(params, embeddings) -> logits` of a backbone whose head is the submodule "head"."""
    module = make_head(kind, num_classes)

    def head(params, embeddings):
        return module.apply({"params": params["head"]}, jnp.asarray(embeddings))

    return head


def dropped(features: jax.Array, share: float, key: PRNGKey | None) -> jax.Array:
    """Features of which a share is 0 and the rest larger, so that the mean stays; as they are without a key.

    Example:
        >>> print(dropped(jnp.ones(3), 0.5, None))
        [1. 1. 1.]
    """
    if key is None or not share:
        return features
    kept = jax.random.bernoulli(key, 1 - share, features.shape)
    return jnp.where(kept, features / (1 - share), 0)


def check_head(kind: str) -> None:
    """Raises `ValueError` for an unknown head."""
    if kind not in get_args(Head):
        raise ValueError(f"unknown `head` {kind!r}; known: {', '.join(get_args(Head))}.")
