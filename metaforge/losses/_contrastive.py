"""Losses of directions: a softmax over cosine similarities, with centres, outliers or other examples as classes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.losses._rows import NEVER, check_positive, labels_of, numbers, per_example, score_of


def outlier_contrastive(
    features: Float[Array, "examples features"],
    assignments: Int[Array, " examples"],
    centers: Float[Array, "centers features"],
    outliers: Float[Array, "outliers features"],
    *,
    temperature: float | Float[Array, ""] = 0.1,
    center_classes: Int[Array, " centers"] | None = None,
    detach: bool = True,
    where: Bool[Array, " examples"] | None = None,
    where_centers: Bool[Array, " centers"] | None = None,
    where_outliers: Bool[Array, " outliers"] | None = None,
) -> Float[Array, " examples"]:
    r"""Pulls each example to the centre of its subcluster and pushes it from other centres and from outliers.

    With the cosine $s(a, b) = a \cdot b / (\|a\| \|b\|)$, centres $c_k$, outliers $v_j$ and temperature $\tau$,

    $$\mathcal{L}_i = -\log \frac{e^{s(z_i, c_{a(i)}) / \tau}}
    {\sum_k e^{s(z_i, c_k) / \tau} + \sum_j e^{s(z_i, v_j) / \tau}}.$$

    This is InfoNCE as FakeRadar's description words it. How the paper writes the denominator is not known here: its
    abstract names the loss without a formula. Without outliers it is the cross-entropy over normalised centres.

    The loss sees directions only. An outlier in the direction of a centre, but farther out, looks like the centre, and
    no gradient changes the length of a feature.

    Args:
        features: what is trained, $z$, of any length.
        assignments: $a(i)$, the centre of each example, in [0, centers).
        centers: $c$, the means of the subclusters.
        outliers: $v$, negatives only. There may be none: shape `(0, features)`.
        temperature: $\tau$, above 0. FakeRadar's is not known; 0.1 is usual.
        center_classes: the class of each centre. With it, other centres of the class of an example's own centre are
            left out of the sum; without it, as in the formula, subclusters of one class repel each other.
        detach: whether centres and outliers are constants in the gradient. In FakeRadar they are estimated, not
            learned.
        where: the examples that exist; all if left out.
        where_centers: the centres in use, for a fixed number of places; all if left out.
        where_outliers: the outliers that exist; all if left out.

    Returns:
        One value per example, in nats, float32, from 0 to about $2 / \tau + \log(\text{centers} + \text{outliers})$.
        NaN for an example whose assignment is no centre in use.

    Raises:
        ValueError: if `temperature` is a number that is not above 0.

    Example:
        >>> features, centers = jnp.array([[2.0, 0.0]]), jnp.eye(2)
        >>> loss = outlier_contrastive(features, jnp.array([0]), centers, jnp.array([[0.0, -3.0]]), temperature=1.0)
        >>> with jnp.printoptions(precision=4):
        ...     print(loss, jnp.log(jnp.array([1 + 2 / jnp.e])))
        [0.5514] [0.5514]

    References:
        Li et al., *FakeRadar: Probing Forgery Outliers to Detect Unknown Deepfake Videos*, ICCV 2025 (outlier-driven
        contrastive learning). Van den Oord, Li and Vinyals, *Representation Learning with Contrastive Predictive
        Coding*, 2018, eq. 4 (InfoNCE).
    """
    check_positive("temperature", temperature)
    assignments = labels_of(assignments, where)
    anchors = directions(numbers(features, where))
    others = [directions(numbers(centers, where_centers)), directions(numbers(outliers, where_outliers))]
    if detach:
        others = [jax.lax.stop_gradient(other) for other in others]
    to_centers, to_outliers = (products(anchors, other) / temperature for other in others)

    present = jnp.ones(centers.shape[0], bool) if where_centers is None else where_centers
    own = jnp.arange(centers.shape[0])[None, :] == assignments[:, None]
    pull = score_of(to_centers, assignments)
    counted = present[None, :]
    if center_classes is not None:
        own_class = jnp.sum(jnp.where(own, center_classes[None, :], 0), axis=1)
        counted = counted & (own | (center_classes[None, :] != own_class[:, None]))
    scores = [jnp.where(counted, to_centers, NEVER)]
    scores += [to_outliers if where_outliers is None else jnp.where(where_outliers[None, :], to_outliers, NEVER)]
    losses = jax.nn.logsumexp(jnp.concatenate(scores, axis=1), axis=1) - pull
    return per_example(losses, where, defined=jnp.any(own & present[None, :], axis=1))


def supervised_contrastive(
    features: Float[Array, "examples features"],
    labels: Int[Array, " examples"],
    *,
    temperature: float | Float[Array, ""] = 0.1,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""Pulls each example to the others of its label and pushes it from the rest of the batch.

    With $\cdot$ the cosine, $A(i)$ all examples but $i$ and $P(i)$ those of them with its label,

    $$\mathcal{L}_i = -\frac{1}{|P(i)|} \sum_{p \in P(i)}
    \log \frac{e^{z_i \cdot z_p / \tau}}{\sum_{a \in A(i)} e^{z_i \cdot z_a / \tau}}.$$

    The sum over positives stands outside the logarithm, which the paper finds to be the better of the two places.
    A value depends on the whole batch, not on its own row alone. There is no view axis: views are examples.

    Args:
        features: $z$, of any length.
        labels: any integers; equal means alike.
        temperature: $\tau$, above 0. The paper's ImageNet runs use 0.1.
        where: the examples that exist, all if left out; the others are no anchors, positives or negatives.

    Returns:
        One value per example, in nats, float32, at least 0; 0 for an example that is alone with its label. For the
        paper's loss divide the sum by the number of examples with company.

    Raises:
        ValueError: if `temperature` is a number that is not above 0.

    Example:
        >>> features = jnp.array([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
        >>> loss = supervised_contrastive(features, jnp.array([0, 0, 1]), temperature=1.0)
        >>> with jnp.printoptions(precision=4):
        ...     print(loss, jnp.log(jnp.array([1 + 1 / jnp.e])))
        [0.3133 0.3133 0.    ] [0.3133]

    References:
        Khosla et al., *Supervised Contrastive Learning*, NeurIPS 2020, eq. 2 ($\mathcal{L}^{sup}_{out}$).
    """
    check_positive("temperature", temperature)
    unit = directions(numbers(features, where))
    similarities = products(unit, unit) / temperature
    counted = ~jnp.eye(features.shape[0], dtype=bool)
    if where is not None:
        counted = counted & where[None, :]
    alike = counted & (labels[:, None] == labels[None, :])
    count = jnp.sum(alike, axis=1)
    pull = jnp.sum(jnp.where(alike, similarities, 0.0), axis=1) / jnp.maximum(count, 1)
    push = jax.nn.logsumexp(jnp.where(counted, similarities, NEVER), axis=1)
    return per_example(jnp.where(count > 0, push - pull, 0.0), where)


def directions(rows):
    """Rows of length 1; a row of zeros stays one, so that its cosine with everything is 0."""
    # Divided by the largest entry first, a square neither overflows nor vanishes. A direction does not depend on the
    # divisor, so it may be a constant in the gradient.
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(rows), axis=1, keepdims=True))
    rows = rows / jnp.where(largest > 0, largest, 1.0)
    squares = jnp.sum(rows * rows, axis=1, keepdims=True)
    return rows / jnp.sqrt(jnp.where(squares > 0, squares, 1.0))


def products(left, right):
    """All inner products. Accelerators round the factors of a float32 product unless told not to."""
    return jnp.matmul(left, right.T, precision=jax.lax.Precision.HIGHEST)
