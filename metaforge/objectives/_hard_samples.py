"""Objectives of images alone that look at hard ones more than cross-entropy does, or, smoothed, less."""

import jax.numpy as jnp

from metaforge import losses
from metaforge.types import Objective


def focal(*, gamma: float = 2.0, alpha: float = 0.0) -> Objective:
    r"""Cross-entropy that counts less the surer the right answer is: $-(1 - p)^\gamma \log p$, a mean over examples.

    Args:
        gamma: from 0 up; 0 gives cross-entropy.
        alpha: the weight of fakes, in (0, 1), real images having the rest to 1; 0 weighs both 1.

    Returns:
        An `Objective` of logits and integer targets, in nats. It reports the accuracy.

    Example:
        >>> from metaforge.types import Batch, Outputs
        >>> value, _ = focal()(Outputs(jnp.zeros((2, 2)), jnp.zeros((2, 1))), Batch(None, jnp.array([0, 1])))
        >>> print(f"{value:.4f} {jnp.log(2) / 4:.4f}")
        0.1733 0.1733

    References:
        Lin, Goyal, Girshick, He and Dollár, *Focal Loss for Dense Object Detection*, ICCV 2017, eq. 5.
    """
    return _mean_of(losses.focal, gamma=gamma, alpha=alpha or None)


def hard_example_mining(*, share: float = 0.5) -> Objective:
    """The mean cross-entropy of the hardest share of a batch.

    A learner that takes each example for itself, such as `metaforge.ltw`, knows no harder ones: it is cross-entropy
    there. In the inner loop the batch is a task's support set.

    Args:
        share: in (0, 1]; 1 gives cross-entropy.

    Returns:
        An `Objective` of logits and integer targets, in nats. It reports the accuracy on all examples.

    Example:
        >>> from metaforge.types import Batch, Outputs
        >>> outputs = Outputs(jnp.array([[0.0, 0.0], [9.0, 0.0]]), jnp.zeros((2, 1)))
        >>> value, _ = hard_example_mining(share=0.5)(outputs, Batch(None, jnp.array([0, 0])))
        >>> print(f"{value:.4f}")
        0.6931

    References:
        Shrivastava, Gupta and Girshick, *Training Region-based Object Detectors with Online Hard Example Mining*,
        CVPR 2016, section 4.
    """
    return _mean_of(losses.hard_example_mining, share=share)


def poly1(*, epsilon: float = 1.0) -> Objective:
    r"""Cross-entropy plus $\epsilon\,(1 - p)$, a mean over examples.

    Args:
        epsilon: from -1 up; 0 gives cross-entropy.

    Returns:
        An `Objective` of logits and integer targets, in nats. It reports the accuracy.

    Example:
        >>> from metaforge.types import Batch, Outputs
        >>> value, _ = poly1()(Outputs(jnp.zeros((2, 2)), jnp.zeros((2, 1))), Batch(None, jnp.array([0, 1])))
        >>> print(f"{value:.4f} {jnp.log(2) + 0.5:.4f}")
        1.1931 1.1931

    References:
        Leng et al., *PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions*, ICLR 2022, eq. 5.
    """
    return _mean_of(losses.poly1, epsilon=epsilon)


def smoothed_cross_entropy(*, smoothing: float = 0.1) -> Objective:
    """Cross-entropy from labels that are a little unsure, a mean over examples.

    Args:
        smoothing: in [0, 1], what is spread over all classes; 0 gives cross-entropy.

    Returns:
        An `Objective` of logits and integer targets, in nats. It reports the accuracy.

    Example:
        >>> from metaforge.types import Batch, Outputs
        >>> outputs = Outputs(jnp.array([[0.0, 4.0]]), jnp.zeros((1, 1)))
        >>> value, _ = smoothed_cross_entropy()(outputs, Batch(None, jnp.array([1])))
        >>> print(f"{value:.4f}")
        0.2181

    References:
        Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016, section 7.
    """
    return _mean_of(losses.smoothed_cross_entropy, smoothing=smoothing)


def _mean_of(loss, **options) -> Objective:
    # What cannot be is said when the objective is made.
    loss(jnp.zeros((1, 2)), jnp.zeros(1, int), **options)

    def objective(outputs, batch):
        accuracy = jnp.mean(jnp.argmax(outputs.logits, axis=-1) == batch.targets)
        return jnp.mean(loss(outputs.logits, batch.targets, **options)), {"accuracy": accuracy}

    return objective
