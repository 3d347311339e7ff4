"""The energy of logits: how little a classifier knows an example, and a loss that keeps outliers' energy high."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.losses._rows import check_positive, labels_of, numbers, per_example
from metaforge.types import OUTLIER


def energy(
    logits: Float[Array, "examples classes"],
    *,
    temperature: float | Float[Array, ""] = 1.0,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""The free energy $E(x) = -T \log \sum_c e^{\ell_c(x) / T}$: low where one logit is large.

    Unlike a softmax it sees a constant added to all logits: $E$ falls by that constant.

    Args:
        logits: $\ell$.
        temperature: $T$, above 0. Towards 0 the energy becomes minus the largest logit.
        where: the examples that exist; all if left out.

    Returns:
        One value per example, in the unit of the logits, float32, of any sign; at most minus the largest logit.

    Raises:
        ValueError: if `temperature` is a number that is not above 0.

    Example:
        >>> with jnp.printoptions(precision=4):
        ...     print(energy(jnp.array([[0.0, 0.0], [0.0, 6.0]])))
        [-0.6931 -6.0025]

    References:
        Liu, Wang, Owens and Li, *Energy-based Out-of-distribution Detection*, NeurIPS 2020, eq. 4.
    """
    check_positive("temperature", temperature)
    logits = numbers(logits, where)
    return per_example(-temperature * jax.nn.logsumexp(logits / temperature, axis=1), where)


def energy_bounded(
    logits: Float[Array, "examples classes"],
    labels: Int[Array, " examples"],
    *,
    known_margin: float | Float[Array, ""],
    outlier_margin: float | Float[Array, ""],
    temperature: float | Float[Array, ""] = 1.0,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""Squared hinges on the energy: known examples below one margin, outliers above another.

    $$\mathcal{L}_i = \max(0, E(x_i) - m_\text{in})^2 \;\text{if known}, \qquad
    \mathcal{L}_i = \max(0, m_\text{out} - E(x_i))^2 \;\text{if an outlier}.$$

    The paper takes the mean over known examples plus the mean over outliers. One mean over a mixed batch weights the
    two by how many there are.

    Args:
        logits: of the known classes.
        labels: `OUTLIER` marks the outliers; every other label is known.
        known_margin: $m_\text{in}$, in the unit of the logits. Margins depend on the classifier: the paper picks them
            around the mean energies before fine-tuning, so there is no default.
        outlier_margin: $m_\text{out}$, usually above `known_margin`.
        temperature: of the energy; 1 in the paper.
        where: the examples that exist; all if left out.

    Returns:
        One value per example, in the squared unit of the logits, float32, at least 0. Within the margins value and
        gradient are 0.

    Raises:
        ValueError: if `temperature` is a number that is not above 0.

    Example:
        >>> logits = jnp.array([[0.0, 6.0], [0.0, 6.0], [0.0, 0.0]])
        >>> labels = jnp.array([1, OUTLIER, OUTLIER])
        >>> with jnp.printoptions(precision=3):
        ...     print(energy_bounded(logits, labels, known_margin=-5.0, outlier_margin=-1.0))
        [ 0.    25.025  0.   ]

    References:
        Liu, Wang, Owens and Li, *Energy-based Out-of-distribution Detection*, NeurIPS 2020, section 3.3 (eq. 8, 9).
    """
    energies = energy(logits, temperature=temperature, where=where)
    outlier = labels_of(labels, where) == OUTLIER
    excess = jnp.where(outlier, outlier_margin - energies, energies - known_margin)
    return per_example(jnp.square(jnp.maximum(excess, 0.0)), where)
