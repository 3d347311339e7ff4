"""Cross-entropies that know of outliers: as a third class, and as examples of which nothing should be believed."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.losses._rows import labels_of, numbers, per_example, score_of
from metaforge.types import OUTLIER

TRI_CLASSES = OUTLIER + 1


def outlier_conditioned_cross_entropy(
    logits: Float[Array, "examples classes"],
    labels: Int[Array, " examples"],
    *,
    label_smoothing: float = 0.0,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""Softmax cross-entropy over real, fake and outlier: $-\log p(y \mid x)$, with smoothed labels if wanted.

    With $\ell$ the logits and $\epsilon$ the smoothing,

    $$\mathcal{L}_i = \log \sum_c e^{\ell_{ic}} - (1 - \epsilon)\,\ell_{i y_i} - \frac{\epsilon}{3} \sum_c \ell_{ic}.$$

    Generated outliers go through the head like any feature and carry the label `OUTLIER`. A linear head cannot tell a
    shell around a cluster from the cluster: then this loss only shifts the third logit's bias. Give it a head that sees
    distances, or outliers in one direction.

    Args:
        logits: in the order of `REAL`, `FAKE`, `OUTLIER`: shape `(examples, 3)`.
        labels: 0, 1 or 2.
        label_smoothing: $\epsilon$ in [0, 1], the probability that is spread over all three. FakeRadar's description
            has none.
        where: the examples that exist; all if left out. The labels of the others may be anything.

    Returns:
        One value per example, in nats, float32, at least 0; $\log 3 = 1.0986$ for equal logits. NaN for a label that
        is none of the three.

    Raises:
        ValueError: for other than three logits, or `label_smoothing` outside [0, 1].

    Example:
        >>> from metaforge.types import FAKE, REAL
        >>> logits = jnp.array([[5.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
        >>> with jnp.printoptions(precision=4):
        ...     print(outlier_conditioned_cross_entropy(logits, jnp.array([REAL, FAKE, OUTLIER])))
        [0.0134 5.0134 1.0986]

    References:
        Li et al., *FakeRadar: Probing Forgery Outliers to Detect Unknown Deepfake Videos*, ICCV 2025
        (outlier-conditioned cross-entropy). Szegedy et al., *Rethinking the Inception Architecture for Computer
        Vision*, CVPR 2016, section 7 (label smoothing).
    """
    if logits.shape[-1] != TRI_CLASSES:
        raise ValueError(f"`logits` must be of real, fake and outlier, (examples, 3); got {logits.shape}.")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"`label_smoothing` must be in [0, 1], got {label_smoothing}.")
    logits, labels = numbers(logits, where), labels_of(labels, where)
    wanted = (1 - label_smoothing) * score_of(logits, labels) + label_smoothing * jnp.mean(logits, axis=1)
    losses = jax.nn.logsumexp(logits, axis=1) - wanted
    return per_example(losses, where, defined=(labels >= 0) & (labels < TRI_CLASSES))


def outlier_exposure(
    logits: Float[Array, "examples classes"], *, where: Bool[Array, " examples"] | None = None
) -> Float[Array, " examples"]:
    r"""Cross-entropy from the uniform distribution to the prediction: outliers should not look like any class.

    With $C$ classes and logits $\ell$,

    $$\mathcal{L}_i = -\frac{1}{C} \sum_c \log p_c(x_i) = \log \sum_c e^{\ell_{ic}} - \frac{1}{C} \sum_c \ell_{ic}.$$

    The paper adds 0.5 times its mean over outliers to the usual cross-entropy of the other examples.

    Args:
        logits: of the known classes, so of real and fake, without one for outliers.
        where: which examples are outliers, `labels == OUTLIER` in a mixed batch; all if left out.

    Returns:
        One value per example, in nats, float32, at least $\log C$ (0.6931 for two classes) for an outlier, 0 for
        what is none.

    Example:
        >>> logits = jnp.array([[0.0, 0.0], [0.0, 6.0], [0.0, 6.0]])
        >>> with jnp.printoptions(precision=4):
        ...     print(outlier_exposure(logits, where=jnp.array([OUTLIER, OUTLIER, 0]) == OUTLIER))
        [0.6931 3.0025 0.    ]

    References:
        Hendrycks, Mazeika and Dietterich, *Deep Anomaly Detection with Outlier Exposure*, ICLR 2019, sections 3 and
        4.3 (multi-class classification).
    """
    logits = numbers(logits, where)
    return per_example(jax.nn.logsumexp(logits, axis=1) - jnp.mean(logits, axis=1), where)
