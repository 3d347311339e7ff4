"""Group DRO: the domains that do worst count the most, from step to step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.execution import Strategy, task_gradients
from metaforge.errors import InputError
from metaforge.learners._assembly import add_up, init_with, outer_step
from metaforge.learners._joint import describe, fine_tuning, pool
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn


class GroupDROState(NamedTuple):
    """What `group_dro` remembers: `MetaState.opt_state`.

    Attributes:
        log_weights: the logarithms of the domains' weights, shape `(domains,)`; the weights sum to 1.
        outer: the outer optimizer's own state.
    """

    log_weights: Float[Array, " domains"]
    outer: optax.OptState


def group_dro(
    loss_fn: LossFn,
    *,
    domains: int,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    rate: float = 0.01,
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Trains for the worst domain: every domain has a weight that grows with its loss.

    Weights $q$ begin equal. An outer step takes the loss of each task's images, support and query together, multiplies
    the weights of their domains by $e^{\eta \mathcal{L}_i}$, makes all weights sum to 1 again, and follows

    $$\nabla_\theta\, \frac{m}{n} \sum_i q_{d_i} \mathcal{L}_i(\theta)$$

    of $n$ tasks from $m$ domains, with the new weights as constants. Domains that are not in the meta-batch keep their
    weights but for the sum. With every domain once, $n = m$, this is $\sum_d q_d \mathcal{L}_d$; otherwise the factor
    makes it that on average, for domains that are drawn alike often. Weights are not made to sum to 1 among the tasks
    at hand: a domain on its own would count as much as any.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics. Each task is a batch of its own, so that under
            normalisation by batch statistics an image is normalised by its own domain's.
        domains: how many there are, $m$. Episodes must bring their numbers, from 0 to $m - 1$, as `Episode.domain`;
            any other number makes the loss NaN.
        inner_optimizer: the rule of fine-tuning, used by `adapt` alone.
        outer_optimizer: the rule of training.

    Other Arguments:
        inner_steps: steps of fine-tuning.
        rate: $\eta$, at least 0; 0.01 in the paper's code and DomainBed, 0 for equal weights for ever.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner` whose `MetaState.opt_state` is a `GroupDROState`. The weights in its `MetaInfo` are $q_{d_i}$,
        and the gradient factors $m / n$ times that.

    Raises:
        ValueError: for less than one domain.
        InputError: when updated with episodes that do not say their domains.

    Example:
        >>> from metaforge.types import Batch, Episode
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> learner = group_dro(
        ...     loss_fn, domains=2, rate=1.0, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0.1)
        ... )
        >>> images = jnp.array([[2.0], [1.0]])  # two tasks of one example each
        >>> batch = Batch(images, images)
        >>> episodes = Episode(support=batch, query=batch, domain=jnp.array([0, 1]))
        >>> _, info = learner.update(learner.init(jnp.array(0.0)), episodes)
        >>> with jnp.printoptions(precision=3):
        ...     print(info.query_losses, info.weights)  # e^2 against e^0.5
        [2.  0.5] [0.818 0.182]

    References:
        Sagawa, Koh, Hashimoto and Liang, *Distributionally Robust Neural Networks for Group Shifts*, ICLR 2020,
        algorithm 1.
    """
    if domains < 1:
        raise ValueError(f"`domains` must be at least 1, got {domains}.")

    def init(params):
        state = init_with(outer_optimizer)(params)
        return state._replace(opt_state=GroupDROState(jnp.zeros(domains) - jnp.log(domains), state.opt_state))

    def update(state, episodes):
        if episodes.domain is None:
            raise InputError("group_dro: these episodes do not say their domains. Give each task's number as `domain`.")
        (losses, metrics), gradients = task_gradients(
            lambda params, episode: loss_fn(params, pool(episode)), state.params, episodes, strategy=strategy
        )
        log_weights, outer = state.opt_state
        # As logarithms, no weight is ever 0, from where it could not grow again.
        raised = log_weights.at[episodes.domain].add(rate * losses.astype(log_weights.dtype))
        log_weights = jax.nn.log_softmax(raised)
        weights = jnp.exp(log_weights.at[episodes.domain].get(mode="fill", fill_value=jnp.nan)).astype(losses.dtype)
        factors = weights * (domains / len(losses))
        gradient = add_up(factors, gradients)
        info = describe(jnp.sum(factors * losses), losses, metrics, gradient, weights=weights, factors=factors)
        moved = outer_step(outer_optimizer, state._replace(opt_state=outer), gradient, loss=info.loss)
        return moved._replace(opt_state=GroupDROState(log_weights, moved.opt_state)), info

    return MetaLearner(init, update, fine_tuning(loss_fn, inner_optimizer, inner_steps))
