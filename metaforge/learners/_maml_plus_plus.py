"""MAML++: a loss after every inner step, learned rates, scales and shifts for each step, and second order in time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from metaforge.core.execution import Strategy
from metaforge.core.inner import AdaptInfo
from metaforge.core.keys import split_keys
from metaforge.core.param_paths import merge, partition
from metaforge.learners._assembly import Reduction, init_with, outer_update, with_context
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn, Params, TaskWeighting


class MAMLPlusPlusParams(NamedTuple):
    """Meta-parameters: a model of which some arrays differ from inner step to inner step, and its rates.

    Attributes:
        params: the model's parameters; those that differ have a leading axis of `inner_steps + 1`.
        rates: for each of the others the rate of every step, shape `(inner_steps,)`; `None` where no step goes.
    """

    params: Params
    rates: Params


def maml_plus_plus(
    loss_fn: LossFn,
    *,
    inner_lr: float,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 5,
    multi_step_iterations: int = 7500,
    second_order_from: int = 0,
    per_step: str = "",
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""MAML with the remedies of "How to Train Your MAML".

    - **Multi-step loss.** The query loss after every inner step counts, $\sum_t v_t \mathcal{L}_{D^q}(\theta'_t)$. All
      $T$ weights begin at $1/T$; those of the steps before the last fall linearly to $0.03/T$ over
      `multi_step_iterations` outer steps, and the last one has the rest, $v_T = 1 - \sum_{t<T} v_t$. From then on the
      last one counts alone, and is computed alone.
    - **Order in time.** First order before outer step `second_order_from`, second order from there on.
    - **Rates.** Every array has a learned rate in every inner step. Nothing keeps it positive.
    - **Normalisation for each step.** Arrays that `per_step` means have a copy for every number of inner steps done,
      0 to $T$; inner steps leave them as they are, and the outer step moves them. Under first order the copy for 0
      learns nothing: no query is scored with it.

    The paper's batch normalisation also keeps running statistics for every step. There are none here, since
    statistics are those of the episode, or of its support set (see `metaforge.backbones.Normalisation`); in the
    released code too these are what normalises. Its cosine annealing is optax's:
    `optax.adam(optax.cosine_decay_schedule(1e-3, 50_000))`.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        inner_lr: where all rates begin.
        outer_optimizer: the outer rule, of parameters, copies and rates alike.

    Other Arguments:
        inner_steps: steps of adaptation to each task, $T$.
        multi_step_iterations: over how many outer steps the weights go to the last inner step, 0 for not having any
            others. The default is the paper's 15 epochs of 500 steps, of 100. The weights change at every step here,
            and once an epoch in the released code.
        second_order_from: the first outer step that is of second order. The paper tries 50 epochs (25,000 steps) of
            first order before; the released settings have none, as here.
        per_step: which arrays have a copy for each step, a pattern of paths (see `metaforge.core.param_paths`);
            "Normalise_.*(scale|bias)" in conv4. None if empty.
        task_weighting: as in `metaforge.maml`; it is given the weighted sums over steps.
        reduction: as in `metaforge.maml`.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner` whose meta-parameters are a `MAMLPlusPlusParams`. Its `model` has the copies for 0 steps, and
        what `adapt` gives those for the last.

    Raises:
        ValueError: for an unknown `reduction`; when used, for a pattern that no path has.

    Example:
        >>> from metaforge.types import Batch, Episode
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> learner = maml_plus_plus(loss_fn, inner_lr=0.5, inner_steps=2, outer_optimizer=optax.sgd(0.1))
        >>> images = jnp.array([[4.0], [2.0]])  # two tasks of one example each
        >>> batch = Batch(images, images)
        >>> state, info = learner.update(learner.init(jnp.array(0.0)), Episode(support=batch, query=batch))
        >>> print(info.query_losses, state.params.rates)
        [1.25   0.3125] [1.125 0.625]

    References:
        Antoniou, Edwards and Storkey, *How to Train Your MAML*, ICLR 2019, section 4, and their released code, which
        has the smallest weight, 0.03 / T.
    """
    annealed = multi_step_iterations if inner_steps > 1 else 0

    def part(params):
        """What inner steps move, and what has a copy for each."""
        if not per_step:
            return params, jax.tree.map(lambda leaf: None, params)
        copied, moving = partition(params, per_step)
        return moving, copied

    def init(params):
        moving, copied = part(params)
        copies = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf)[None], inner_steps + 1, axis=0), copied)
        rates = jax.tree.map(lambda leaf: jnp.full((inner_steps,), inner_lr, jnp.result_type(leaf)), moving)
        return init_with(outer_optimizer)(MAMLPlusPlusParams(merge(moving, copies), rates))

    def descend(meta, support, *, exact=True, after_step=None):
        start, copies = part(meta.params)

        def step(adapted, now):
            rates, before, after, key = now
            batch = support._replace(key=key)
            loss_of = lambda moving: loss_fn(merge(moving, before), batch)
            at = adapted if exact else jax.lax.stop_gradient(adapted)
            (loss, _), grads = jax.value_and_grad(loss_of, has_aux=True)(at)
            # Stopped on both sides: through the copies, too, the inner gradient is a constant.
            grads = grads if exact else jax.lax.stop_gradient(grads)
            adapted = jax.tree.map(lambda leaf, rate, grad: leaf - rate * grad, adapted, rates, grads)
            return adapted, (loss, after_step(merge(adapted, after)) if after_step else None)

        before, after = (
            jax.tree.map(lambda leaf, part=part: leaf[part], copies) for part in (slice(-1), slice(1, None))
        )
        each = (meta.rates, before, after, split_keys(support.key, inner_steps))
        # Short loops are unrolled, as in `metaforge.adapt`.
        adapted, (losses, reports) = jax.lax.scan(step, start, each, length=inner_steps, unroll=inner_steps <= 5)
        return merge(adapted, jax.tree.map(lambda leaf: leaf[-1], copies)), AdaptInfo(losses, reports)

    def phase(begin):
        """The outer update of the outer steps from `begin` until something changes."""
        exact, many = begin >= second_order_from, begin < annealed

        def task_loss(meta, episode, step):
            query = with_context(episode.query, episode.support)
            if not many:
                adapted, info = descend(meta, episode.support, exact=exact)
                loss, metrics = loss_fn(adapted, query)
                return loss, (info.losses, metrics)
            _, info = descend(meta, episode.support, exact=exact, after_step=lambda params: loss_fn(params, query))
            losses, metrics = info.reports
            loss = jnp.dot(multi_step_weights(step, inner_steps, multi_step_iterations).astype(losses.dtype), losses)
            return loss, (info.losses, jax.tree.map(lambda values: values[-1], metrics))

        return outer_update(
            task_loss, outer_optimizer, task_weighting=task_weighting, reduction=reduction, strategy=strategy,
            knows_step=True,
        )  # fmt: skip

    changes = sorted({annealed, second_order_from} - {0})
    phases = [phase(begin) for begin in (0, *changes)]

    def update(state, episodes):
        # A switch outside of the gradient, so that none of the phases keeps anything for another's way back.
        return jax.lax.switch(sum(state.step >= change for change in changes), phases, state, episodes)

    def model(meta):
        moving, copies = part(meta.params)
        return merge(moving, jax.tree.map(lambda leaf: leaf[0], copies))

    return MetaLearner(init, update if changes else phases[0], lambda meta, support: descend(meta, support), model)


def multi_step_weights(step: Int[Array, ""] | int, inner_steps: int, iterations: int) -> Float[Array, " inner_steps"]:
    r"""What the query loss after each inner step counts in an outer step: see `maml_plus_plus`.

    Example:
        >>> print(multi_step_weights(0, 4, 100), multi_step_weights(50, 4, 100), multi_step_weights(100, 4, 100))
        [0.25 0.25 0.25 0.25] [0.125 0.125 0.125 0.625] [0. 0. 0. 1.]
    """
    step, last = jnp.asarray(step), jnp.arange(inner_steps) == inner_steps - 1
    others = jnp.where(step < iterations, jnp.maximum(1 - step / iterations, 0.03) / inner_steps, 0.0)
    return jnp.where(last, 1 - (inner_steps - 1) * others, others)
