"""Cross-entropies that look at hard examples more than at easy ones, and the smoothed one, which looks at them less."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.losses._rows import NEVER, check_positive, labels_of, numbers, per_example, score_of


def focal(
    logits: Float[Array, "examples classes"],
    labels: Int[Array, " examples"],
    *,
    gamma: float | Float[Array, ""] = 2.0,
    alpha: float | None = None,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""Cross-entropy that counts less the surer the right answer is.

    $$\mathcal{L}_i = -\alpha_{y_i} (1 - p_i)^\gamma \log p_i, \qquad p_i = p(y_i \mid x_i).$$

    Args:
        logits: of two classes or more.
        labels: from 0.
        gamma: $\gamma$, from 0 up; 0 gives cross-entropy. The paper's best on its task is 2.
        alpha: $\alpha_1$, in (0, 1), for two classes; $\alpha_0$ is the rest to 1. `None` for 1 on all classes. 0.5
            halves the loss.
        where: the examples that exist; all if left out. The labels of the others may be anything.

    Returns:
        One value per example, in nats, float32, at least 0. NaN for a label that is no class.

    Raises:
        ValueError: for a `gamma` under 0, an `alpha` outside (0, 1), or one where there are not two classes.

    Example:
        >>> logits = jnp.array([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0]])
        >>> with jnp.printoptions(precision=4, suppress=True):
        ...     print(focal(logits, jnp.array([1, 1, 1]), gamma=0.0), focal(logits, jnp.array([1, 1, 1])))
        [0.6931 0.0181 4.0181] [0.1733 0.     3.8749]

    References:
        Lin, Goyal, Girshick, He and Dollár, *Focal Loss for Dense Object Detection*, ICCV 2017, eq. 5.
    """
    if isinstance(gamma, int | float) and not gamma >= 0:
        raise ValueError(f"`gamma` must be 0 or more, got {gamma}.")
    if alpha is not None and not 0 < alpha < 1:
        raise ValueError(f"`alpha` must be between 0 and 1, got {alpha}.")
    if alpha is not None and logits.shape[-1] != 2:
        raise ValueError(f"`alpha` is for two classes, got logits {logits.shape}. Leave it out.")
    labels = labels_of(labels, where)
    losses, wrong = _cross_entropy(numbers(logits, where), labels)
    # As a power of 1 - p its gradient would be infinite times 0 where p is 1 in this precision.
    losses = jnp.exp(gamma * wrong) * losses
    if alpha is not None:
        losses = jnp.where(labels == 1, alpha, 1 - alpha) * losses
    return per_example(losses, where, defined=_known(labels, logits))


def poly1(
    logits: Float[Array, "examples classes"],
    labels: Int[Array, " examples"],
    *,
    epsilon: float | Float[Array, ""] = 1.0,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""Cross-entropy whose first term, $1 - p$, counts more: $\mathcal{L}_i = -\log p_i + \epsilon\,(1 - p_i)$.

    $-\log p = \sum_j (1 - p)^j / j$; $\epsilon$ is added to the first coefficient. The gradient grows most at
    $p = 1/2$: so it looks at what is undecided, and less than others at what is wrong for sure.

    Args:
        logits: of two classes or more.
        labels: from 0.
        epsilon: $\epsilon$, from -1 up; 0 gives cross-entropy, and a negative one looks away from what is undecided.
        where: the examples that exist; all if left out. The labels of the others may be anything.

    Returns:
        One value per example, in nats, float32, at least 0. NaN for a label that is no class.

    Raises:
        ValueError: for an `epsilon` under -1.

    Example:
        >>> logits = jnp.array([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0]])
        >>> with jnp.printoptions(precision=4):
        ...     print(poly1(logits, jnp.array([1, 1, 1])))
        [1.1931 0.0361 5.0002]

    References:
        Leng et al., *PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions*, ICLR 2022, eq. 5.
    """
    if isinstance(epsilon, int | float) and not epsilon >= -1:
        raise ValueError(f"`epsilon` must be -1 or more, got {epsilon}.")
    labels = labels_of(labels, where)
    losses, wrong = _cross_entropy(numbers(logits, where), labels)
    return per_example(losses + epsilon * jnp.exp(wrong), where, defined=_known(labels, logits))


def hard_example_mining(
    logits: Float[Array, "examples classes"],
    labels: Int[Array, " examples"],
    *,
    share: float | Float[Array, ""] = 0.5,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""Cross-entropy of the hardest share of a batch; easier examples have a loss and a gradient of 0.

    With $n$ examples, of which the one of rank $r_i = 0, 1, \dots$ has the $r_i$-th largest cross-entropy $\ell_i$,

    $$\mathcal{L}_i = \frac{w_i}{s}\,\ell_i, \qquad w_i = \min(1, \max(0, s n - r_i)),$$

    so that the mean over the batch is the mean over its hardest $s n$ examples. Where $s n$ is not whole the last of
    them counts in part, which the paper's whole numbers leave out. No gradient flows through the ranks.

    Args:
        logits: of two classes or more.
        labels: from 0.
        share: $s$ in (0, 1]; 1 gives cross-entropy.
        where: the examples that exist; all if left out. Only these have a rank. The labels of the others may be
            anything.

    Returns:
        One value per example, in nats, float32, at least 0. NaN for a label that is no class.

    Raises:
        ValueError: for a `share` outside (0, 1].

    Example:
        >>> logits = jnp.array([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0], [0.0, 1.0]])
        >>> with jnp.printoptions(precision=4):
        ...     print(hard_example_mining(logits, jnp.array([1, 1, 1, 1]), share=0.25))
        [ 0.      0.     16.0726  0.    ]

    References:
        Shrivastava, Gupta and Girshick, *Training Region-based Object Detectors with Online Hard Example Mining*,
        CVPR 2016, section 4.
    """
    check_positive("share", share)
    if isinstance(share, int | float) and share > 1:
        raise ValueError(f"`share` must be at most 1, got {share}.")
    labels = labels_of(labels, where)
    losses, _ = _cross_entropy(numbers(logits, where), labels)
    seen = jax.lax.stop_gradient(losses if where is None else jnp.where(where, losses, NEVER))
    rank = jnp.argsort(jnp.argsort(-seen))
    count = losses.shape[0] if where is None else jnp.sum(where)
    weights = jnp.clip(share * count - rank, 0.0, 1.0)
    return per_example((weights / share).astype(losses.dtype) * losses, where, defined=_known(labels, logits))


def smoothed_cross_entropy(
    logits: Float[Array, "examples classes"],
    labels: Int[Array, " examples"],
    *,
    smoothing: float | Float[Array, ""] = 0.1,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""Cross-entropy from labels that are a little unsure, of $C$ classes.

    $$\mathcal{L}_i = \log \sum_c e^{\ell_{ic}} - (1 - \epsilon)\,\ell_{i y_i} - \frac{\epsilon}{C} \sum_c \ell_{ic}.$$

    It asks for less than certainty, also of hard examples: what losses for hard examples are held against.

    Args:
        logits: of two classes or more.
        labels: from 0.
        smoothing: $\epsilon$ in [0, 1], the probability that is spread over all classes; 0 gives cross-entropy.
        where: the examples that exist; all if left out. The labels of the others may be anything.

    Returns:
        One value per example, in nats, float32, at least 0. NaN for a label that is no class.

    Raises:
        ValueError: for a `smoothing` outside [0, 1].

    Example:
        >>> with jnp.printoptions(precision=4):
        ...     print(smoothed_cross_entropy(jnp.array([[0.0, 0.0], [0.0, 4.0]]), jnp.array([1, 1])))
        [0.6931 0.2181]

    References:
        Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016, section 7.
    """
    if isinstance(smoothing, int | float) and not 0 <= smoothing <= 1:
        raise ValueError(f"`smoothing` must be in [0, 1], got {smoothing}.")
    logits, labels = numbers(logits, where), labels_of(labels, where)
    wanted = (1 - smoothing) * score_of(logits, labels) + smoothing * jnp.mean(logits, axis=1)
    return per_example(jax.nn.logsumexp(logits, axis=1) - wanted, where, defined=_known(labels, logits))


def _cross_entropy(
    logits: Float[Array, "examples classes"], labels: Int[Array, " examples"]
) -> tuple[Float[Array, " examples"], Float[Array, " examples"]]:
    r"""Of each example $-\log p$ and $\log(1 - p)$, where p is the probability of its label."""
    total = jax.nn.logsumexp(logits, axis=1)
    others = jnp.where(jnp.arange(logits.shape[1])[None, :] == labels[:, None], NEVER, logits)
    return total - score_of(logits, labels), jax.nn.logsumexp(others, axis=1) - total


def _known(labels: Int[Array, " examples"], logits: Float[Array, "examples classes"]) -> Bool[Array, " examples"]:
    return (labels >= 0) & (labels < logits.shape[-1])
