"""IRM: a head that is the best one in every domain at once."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.execution import Strategy, task_gradients
from metaforge.learners._assembly import add_up, init_with, outer_step, shown
from metaforge.learners._joint import describe, fine_tuning, pool
from metaforge.learners.base import MetaLearner
from metaforge.types import Batch, LossFn, Objective, Outputs


def irm(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    weight: float = 1.0,
    warm_up: int = 0,
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Joint training that distrusts what only holds in some domains: invariant risk minimisation, its version 1.

    A feature that means the same everywhere wants the same logits everywhere. So an outer step minimises the mean over
    tasks, each on its support and query images together, of

    $$\mathcal{L}_i(\theta) + \lambda \left(\frac{\partial}{\partial s} \mathcal{L}_i(s \cdot \theta)
      \Big|_{s = 1}\right)^2,$$

    where $s \cdot \theta$ has the logits of $\theta$ times $s$: the penalty is 0 where no task would have its logits
    larger or smaller. Squaring the gradient of few images is biased upwards by its variance. DomainBed multiplies the
    gradients of two halves, which is not, but may be negative.

    Args:
        loss_fn: the loss of a model, as `metaforge.objectives.loss_fn` makes it, which shows its parts; the penalty is
            of the objective's value, all parts of it. Each task is a batch of its own, so that under normalisation by
            batch statistics an image is normalised by its own domain's.

    Other Arguments:
        inner_optimizer: the rule of fine-tuning, used by `adapt` alone.
        outer_optimizer: the rule of training.
        inner_steps: steps of fine-tuning, on the objective alone.
        weight: $\lambda$, at least 0. DomainBed has 100, after a warm-up of 500 steps.
        warm_up: for how many outer steps $\lambda$ is 1 before it is `weight`. Others start Adam afresh when it jumps,
            or divide the whole by $\lambda$; here nothing of the kind is done, and `optax.clip_by_global_norm` is at
            hand.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner` whose outer loss is the mean of the query losses plus $\lambda$ times the mean penalty, which is
        among the metrics as "loss/irm" beside "weight/irm".

    Raises:
        ValueError: for a loss function that shows no model; when used, for an unknown `strategy`.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.objectives import cross_entropy, loss_fn
        >>> loss = loss_fn(mlp(hidden=(4,), outputs=2), cross_entropy())
        >>> rules = {"inner_optimizer": optax.sgd(0.1), "outer_optimizer": optax.adam(1e-3)}
        >>> learner = irm(loss, weight=100.0, warm_up=500, **rules)

    References:
        Arjovsky, Bottou, Gulrajani and Lopez-Paz, *Invariant Risk Minimization*, 2019, section 3.1 (IRMv1). Gulrajani
        and Lopez-Paz, *In Search of Lost Domain Generalization*, ICLR 2021.
    """
    model = shown(loss_fn, "irm")

    def update(state, episodes):
        factor = jnp.where(state.step < warm_up, 1.0, weight)

        def task_loss(shared, episode):
            params, factor = shared
            batch = pool(episode)
            outputs = model.outputs(params, batch)
            loss, metrics = model.objective(outputs, batch)
            penalty = jnp.square(scale_gradient(model.objective, outputs, batch))
            factor = jax.lax.stop_gradient(factor).astype(penalty.dtype)
            return loss + factor * penalty, (loss, metrics | {"loss/irm": penalty, "weight/irm": factor})

        (totals, (losses, metrics)), (gradients, _) = task_gradients(
            task_loss, (state.params, factor), episodes, strategy=strategy
        )
        factors = jnp.full_like(losses, 1 / len(losses))
        gradient = add_up(factors, gradients)
        info = describe(jnp.mean(totals), losses, metrics, gradient, factors=factors)
        return outer_step(outer_optimizer, state, gradient, loss=info.loss), info

    adapt = fine_tuning(loss_fn, inner_optimizer, inner_steps)
    return MetaLearner(init_with(outer_optimizer), update, adapt)


def scale_gradient(objective: Objective, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
    """The derivative of an objective with respect to a factor on the logits, where that is 1.

    Example:
        >>> from metaforge.objectives import squared_error
        >>> outputs = Outputs(jnp.array([[3.0]]), jnp.zeros((1, 1)))
        >>> print(scale_gradient(squared_error(), outputs, Batch(None, jnp.array([[1.0]]))))  # 2 (3 - 1) 3
        12.0
    """
    scaled = lambda scale: objective(outputs._replace(logits=scale * outputs.logits), batch)[0]
    return jax.grad(scaled)(jnp.ones((), outputs.logits.dtype))
