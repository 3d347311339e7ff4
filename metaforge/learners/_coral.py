"""CORAL: features whose mean and covariance are the same in every domain."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.execution import Strategy
from metaforge.learners._assembly import init_with, outer_step, shown
from metaforge.learners._joint import describe, domain_outputs, fine_tuning, pool_each
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn


def coral(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    weight: float = 1.0,
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Joint training that pulls the domains' features together, so that nothing in them tells a domain.

    An outer step minimises the mean loss of the tasks, each on its support and query images together, and, with the
    means $\mu_i$ and covariances $C_i$ of their embeddings, $p$ features each,

    $$\lambda\, \operatorname{mean}_{i < j} \left(\frac{1}{p} \lVert \mu_i - \mu_j \rVert^2
      + \frac{1}{p^2} \lVert C_i - C_j \rVert_F^2\right).$$

    The paper has the covariances of one pair, divided by $4 p^2$; means, pairs and divisors are DomainBed's. A domain's
    mean has both classes in it: where the share of fakes differs between tasks, features that tell them apart are
    pulled too.

    Args:
        loss_fn: the loss of a model, as `metaforge.objectives.loss_fn` makes it, which shows its parts; the model's
            embeddings are what is aligned. Each task is a batch of its own, so that under normalisation by batch
            statistics an image is normalised by its own domain's, which already aligns much.

    Other Arguments:
        inner_optimizer: the rule of fine-tuning, used by `adapt` alone.
        outer_optimizer: the rule of training.
        inner_steps: steps of fine-tuning, on the objective alone.
        weight: $\lambda$, at least 0; 1 in DomainBed, which searches from 0.1 to 10.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner` whose outer loss is the mean of the query losses plus $\lambda$ times the penalty, which is
        among the metrics as "loss/coral". Of a single task there is no pair, and the penalty is 0.

    Raises:
        ValueError: for a loss function that shows no model; when used, for an unknown `strategy`.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.objectives import cross_entropy, loss_fn
        >>> loss = loss_fn(mlp(hidden=(4,), outputs=2), cross_entropy())
        >>> learner = coral(loss, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.adam(1e-3))

    References:
        Sun and Saenko, *Deep CORAL: Correlation Alignment for Deep Domain Adaptation*, 2016, eq. 1. Gulrajani and
        Lopez-Paz, *In Search of Lost Domain Generalization*, ICLR 2021.
    """
    model = shown(loss_fn, "coral")

    def outer_loss(params, batch):
        outputs = domain_outputs(model, params, batch, strategy)
        losses, metrics = jax.vmap(model.objective)(outputs, batch)
        penalty = misalignment(outputs.embeddings)
        metrics = metrics | {"loss/coral": jnp.broadcast_to(penalty, losses.shape)}
        return jnp.mean(losses) + weight * penalty, (losses, metrics)

    def update(state, episodes):
        value_and_grad = jax.value_and_grad(outer_loss, has_aux=True)
        (loss, (losses, metrics)), grads = value_and_grad(state.params, pool_each(episodes))
        info = describe(loss, losses, metrics, grads, factors=jnp.full_like(losses, 1 / len(losses)))
        return outer_step(outer_optimizer, state, grads, loss=info.loss), info

    adapt = fine_tuning(loss_fn, inner_optimizer, inner_steps)
    return MetaLearner(init_with(outer_optimizer), update, adapt)


def misalignment(embeddings: Float[Array, "tasks examples features"]) -> Float[Array, ""]:
    """The mean over pairs of tasks of the mean squared differences of means and of covariances.

    Example:
        >>> print(misalignment(jnp.array([[[0.0], [2.0]], [[3.0], [3.0]]])))  # means 1 and 3, variances 2 and 0
        8.0
    """
    x = embeddings.astype(jnp.promote_types(embeddings.dtype, jnp.float32))
    tasks, examples, _ = x.shape
    means = jnp.mean(x, axis=1)
    centred = x - means[:, None]
    # A single image has no covariance; 0 stands for it.
    products = jnp.einsum("tef,teg->tfg", centred, centred, precision="highest") / max(examples - 1, 1)
    # Squared differences of pairs are twice the variance over tasks, at a cost that does not grow with the pairs.
    apart = lambda a: jnp.sum(jnp.mean(jnp.square(a - jnp.mean(a, axis=0, keepdims=True)).reshape(tasks, -1), axis=1))
    return 2 * (apart(means) + apart(products)) / max(tasks - 1, 1)
