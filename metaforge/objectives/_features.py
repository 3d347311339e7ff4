"""Objectives of where images lie among each other."""

import jax.numpy as jnp

from metaforge import losses
from metaforge.types import Objective


def supervised_contrastive(*, temperature: float = 0.1) -> Objective:
    """Pulls the embeddings of real images to each other, and those of fakes, and the two apart.

    Args:
        temperature: above 0.

    Returns:
        An `Objective` of embeddings and integer targets, in nats: the mean over images that have company.

    Example:
        >>> from metaforge.types import Batch, Outputs
        >>> outputs = Outputs(jnp.zeros((3, 2)), jnp.array([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]]))
        >>> value, _ = supervised_contrastive(temperature=1.0)(outputs, Batch(None, jnp.array([0, 0, 1])))
        >>> print(f"{value:.3f} {jnp.log(1 + 1 / jnp.e):.3f}")
        0.313 0.313

    References:
        Khosla et al., *Supervised Contrastive Learning*, NeurIPS 2020, eq. 2.
    """

    def objective(outputs, batch):
        values = losses.supervised_contrastive(outputs.embeddings, batch.targets, temperature=temperature)
        alike = jnp.sum(batch.targets[:, None] == batch.targets[None, :], axis=1)
        return jnp.sum(values) / jnp.maximum(jnp.sum(alike > 1), 1), {}

    return objective
