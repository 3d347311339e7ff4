"""Rules that take steps: fine-tuning of all parameters, of the head, or of those that a pattern finds."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from metaforge.adaptation.base import AdaptationRule
from metaforge.core.param_paths import merge, partition
from metaforge.core.stepping import take_step
from metaforge.types import Backbone, Objective, Outputs, Params


def fine_tune(
    backbone: Backbone,
    objective: Objective,
    *,
    optimizer: optax.GradientTransformation,
    steps: tuple[int, ...] = (0, 1, 5, 10),
    adaptable: str = "",
) -> AdaptationRule:
    r"""Fine-tuning: steps of an optimizer on the support set's loss, as $\theta - \alpha \nabla \mathcal{L}_{D^s}$.

    The queries are scored along one trajectory, with the optimizer's state carried on, normalised by the support images
    where the model is normalised by its context. For the head alone, `adaptable="^head/"`, the features are computed
    once.

    Args:
        backbone: the model.
        objective: what is minimised.

    Other Arguments:
        optimizer: any of optax.
        steps: after how many steps to score, ascending, from 0 up.
        adaptable: which parameters move, a pattern of paths (see `metaforge.core.param_paths`); all if empty.

    Returns:
        An `AdaptationRule`.

    Raises:
        ValueError: for steps that do not ascend from 0 or more.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.types import Batch
        >>> from metaforge.objectives import cross_entropy
        >>> model = mlp(hidden=(4,), outputs=2)
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> rule = fine_tune(model, cross_entropy(), optimizer=optax.sgd(0.1), steps=(0, 5))
        >>> jax.jit(rule.apply)(params, Batch(jnp.ones((2, 3)), jnp.array([0, 1])), jnp.ones((7, 3))).shape
        (2, 7, 2)

    References:
        Guo et al., *A Broader Study of Cross-Domain Few-Shot Learning*, ECCV 2020, on why it belongs in every table.
    """
    check_steps(steps)
    if adaptable == "^head/" and backbone.head is not None:
        return AdaptationRule(_of_head(backbone, objective, optimizer, steps), steps)

    def apply(params, support, query):
        moving, frozen = partition(params, adaptable)

        def loss(part):
            return objective(backbone.apply(merge(part, frozen), support.inputs), support)[0]

        def score(part):
            return backbone.apply(merge(part, frozen), query, context=support.inputs).logits

        return trajectory(loss, score, moving, optimizer, steps)

    return AdaptationRule(apply, steps)


def _of_head(backbone: Backbone, objective: Objective, optimizer, steps):
    """The same for the head, on features that are computed once."""

    def apply(params, support, query):
        head: Any = backbone.head
        seen = backbone.apply(params, support.inputs).embeddings
        asked = backbone.apply(params, query, context=support.inputs).embeddings
        moving, frozen = partition(params, "^head/")

        def loss(part):
            logits = head(merge(part, frozen), seen)
            return objective(Outputs(logits, seen), support._replace(inputs=seen))[0]

        return trajectory(loss, lambda part: head(merge(part, frozen), asked), moving, optimizer, steps)

    return apply


def trajectory(
    loss: Callable[[Params], Any], score: Callable[[Params], Any], params: Params, optimizer, steps: tuple[int, ...]
):
    """What `score` says after each number of steps of minimising `loss`, stacked, along one path of the optimizer."""

    def step(carry, _):
        params, opt_state = carry
        value, grads = jax.value_and_grad(loss)(params)
        return take_step(optimizer, loss, params, opt_state, value=value, grads=grads), None

    carry, taken, found = (params, optimizer.init(params)), 0, []
    for count in steps:
        carry, _ = jax.lax.scan(step, carry, length=count - taken)
        taken = count
        found.append(score(carry[0]))
    return jnp.stack(found)


def check_steps(steps: tuple[int, ...]) -> None:
    """Raises `ValueError` for numbers of steps that do not ascend from 0 or more."""
    if not steps or steps[0] < 0 or list(steps) != sorted(set(steps)):
        raise ValueError(f"`steps` must ascend from 0 or more, got {steps}.")


def unadapted(backbone: Backbone, *, context: Any = None) -> AdaptationRule:
    """The model as it was trained: nothing of the target is looked at but the image that is scored.

    Args:
        backbone: the model.

    Other Arguments:
        context: source images whose statistics normalise, for a model with `normalisation="support"`.

    Returns:
        An `AdaptationRule`.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.types import Batch
        >>> model = mlp(hidden=(4,), outputs=2)
        >>> params = model.init(jax.random.key(0), jnp.zeros((1, 3)))
        >>> jax.jit(unadapted(model).apply)(params, Batch(jnp.ones((2, 3)), jnp.array([0, 1])), jnp.ones((7, 3))).shape
        (1, 7, 2)
    """

    def apply(params, support, query):
        return backbone.apply(params, query, context=context).logits[None]

    return AdaptationRule(apply, uses_labels=False)
