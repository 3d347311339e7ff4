"""Objectives of several parts, each with a name and a weight."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from metaforge.types import Batch, Metrics, Objective, Outputs

Weight = float | Callable[[jax.Array], jax.Array]
"""What a part counts: a number, or any optax schedule of the outer step."""


@dataclasses.dataclass(frozen=True, eq=False)
class WeightedSum:
    """An objective that is a sum of objectives; see `weighted_sum`.

    Attributes:
        parts: name to weight and objective.
    """

    parts: Mapping[str, tuple[Weight, Objective]]

    def weights(self, step: int | jax.Array = 0) -> dict[str, jax.Array]:
        """Every part's weight at an outer step: what belongs into `Batch.weights`."""
        step = jnp.asarray(step)
        at = lambda weight: weight(step) if callable(weight) else weight
        return {name: jnp.asarray(at(weight), jnp.float32) for name, (weight, _) in self.parts.items()}

    def __call__(self, outputs: Outputs, batch: Batch) -> tuple[jax.Array, Metrics]:
        """The weighted sum, with every part's value and weight among the metrics."""
        total, metrics = jnp.zeros(()), {}
        for name, (constant, objective) in self.parts.items():
            weight = constant if batch.weights is None else batch.weights[name]
            if callable(weight):
                raise ValueError(  # noqa: TRY004, a schedule is a right type at the wrong place
                    f"the weight of '{name}' is a schedule: give each batch `weights=objective.weights(step)`."
                )
            value, reported = objective(outputs, batch)
            metrics = {**reported, **metrics, f"loss/{name}": value, f"weight/{name}": jnp.asarray(weight, jnp.float32)}
            if isinstance(weight, int | float) and weight == 0:
                continue  # so that a part that is off leaves no trace in the program
            # A part that is off by data may be infinite; 0 times that would not be 0.
            total = total + jnp.where(weight == 0, 0.0, weight * jnp.where(weight == 0, 0.0, value))
        return total, metrics


def weighted_sum(**parts: tuple[Weight, Objective]) -> WeightedSum:
    r"""Adds objectives up: $\mathcal{L} = \sum_k \lambda_k(t)\, \mathcal{L}_k$.

    A weight is a number or an optax schedule. What counts in a step is `batch.weights`, if the batch has them: they are
    data, so that a schedule, or another value, never compiles again. A part whose weight is the number 0 is as if it
    were not there, but for the log.

    Args:
        parts: name to `(weight, objective)`. A metric of two parts is that of the first.

    Returns:
        An `Objective` with a method `weights(step)`. It reports `loss/NAME` and `weight/NAME` of every part.

    Raises:
        ValueError: without parts; when used, for a schedule if the batch brings no weights.

    Example:
        >>> import optax
        >>> from metaforge.objectives import cross_entropy, supervised_contrastive
        >>> from metaforge.types import Batch, Outputs
        >>> objective = weighted_sum(
        ...     cls=(1.0, cross_entropy()), pull=(optax.linear_schedule(0.0, 0.2, 100), supervised_contrastive())
        ... )
        >>> outputs = Outputs(jnp.zeros((2, 2)), jnp.eye(2))
        >>> batch = Batch(None, jnp.array([0, 1]), weights=objective.weights(50))
        >>> value, metrics = objective(outputs, batch)
        >>> print(value.round(3), metrics["weight/pull"].round(3))
        0.693 0.1

    References:
        Li et al., *FakeRadar*, ICCV 2025: the contrastive loss plus 0.5 times the cross-entropy (`fakeradar`).
    """
    if not parts:
        raise ValueError("`weighted_sum` needs a part: weighted_sum(cls=(1.0, cross_entropy())).")
    return WeightedSum(parts)
