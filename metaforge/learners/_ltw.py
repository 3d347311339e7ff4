"""Learning to Weight: which training images count, learned from what a step on them does to held-out domains."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.execution import Strategy
from metaforge.core.inner import adapt as inner_adapt
from metaforge.learners._assembly import init_with, outer_step, shown
from metaforge.learners._joint import describe, domain_losses, domain_outputs, fine_tuning, hold_out, pool_each
from metaforge.learners.base import MetaLearner
from metaforge.types import FAKE, REAL, Batch, LossFn, Objective, Outputs, Params


class LTWParams(NamedTuple):
    """Meta-parameters of `ltw`: a model, and the network that weighs images for it.

    Attributes:
        params: the model's parameters.
        weigher: two layers from an embedding to the logit of its weight.
    """

    params: Params
    weigher: Params


def ltw(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    inner_steps: int = 1,
    held_out: int | None = None,
    compact: float = 0.01,
    weight: float = 1.0,
    hidden: int = 64,
    seed: int = 0,
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""`mldg` that learns which images to learn from: Learning to Weight, with a weight network that does learn.

    As in `metaforge.mldg` the last tasks of a meta-batch are held out. A small network $F$ looks at the embedding of
    every other image and says its weight, $w_i = \sigma(F(f_\theta(x_i)))$. Training is on

    $$T_w(\theta) = \frac{1}{n} \sum_i (1 + w_i)\, \ell_i(\theta) + \lambda \Big(\sum_{i\,\mathrm{real}} (s_i - c)^2
      - \sum_{i\,\mathrm{fake}} (s_i - c)^2\Big),$$

    whose second part gathers the scores $s_i$ of the real images around their mean $c$ and drives the fakes' away from
    it. A step on $T_w$ leads to $\theta'$, and the outer step follows the gradient of
    $T_w(\theta) + \beta\, G(\theta')$ with the held-out tasks' mean loss $G$, through the step.

    So $F$ learns what weights would have made the step better for domains not trained on, and from nothing else: in
    $T_w(\theta)$ the weights are constants, since there the best weight of any image would be the smallest. Neither do
    weights move the model: embeddings are constants to $F$, since features could make their own errors light.

    The released code differs in what matters: it computes $w$ without a gradient, and its step to $\theta'$ is on the
    unweighted loss, so that its weight network stays as it was initialised (skJack/LTW#1). Its $F$ is convolutional
    and looks at feature maps; here two dense layers look at embeddings. Its $c$ is a running mean since the first
    image; here it is that of the images at hand, a constant in the gradient as there.

    Args:
        loss_fn: the loss of a model, as `metaforge.objectives.loss_fn` makes it, which shows its parts. The model has a
            linear head under "head", which says how many features an embedding has. Each task is a batch of its own, so
            that under normalisation by batch statistics an image is normalised by its own domain's. The objective is a
            mean over examples such as `metaforge.objectives.cross_entropy()`: $\ell_i$ is its value for an example on
            its own, without probes of outliers.

    Other Arguments:
        inner_optimizer: the rule of the step from $\theta$ to $\theta'$, and of fine-tuning in `adapt`.
        outer_optimizer: the outer rule, of the model and of $F$ alike.
        inner_steps: steps from $\theta$ to $\theta'$, 1 in the paper; `adapt` takes as many, on the objective alone.
            Weights are computed once, before the first.
        held_out: how many tasks of a meta-batch are held out; half of them, rounded down, if left out.
        compact: $\lambda$. It is of sums, as in the released code, whose batches have 128 images.
        weight: $\beta$, how much the held-out tasks count.
        hidden: the size of the hidden layer of $F$.
        seed: of the initial $F$.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner` whose meta-parameters are a `LTWParams`; its `model` is their `params`. Its `MetaInfo` has the
        unweighted losses of the tasks, of those that are held out at $\theta'$, and among the metrics "ltw/weight", the
        mean of $w$, and "loss/compact".

    Raises:
        InputError: when updated with a meta-batch that has no two parts.
        ValueError: for a loss function that shows no model; when initialised, for a head that is not linear; when used,
            for an unknown `strategy`.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.objectives import cross_entropy, loss_fn
        >>> loss = loss_fn(mlp(hidden=(4,), outputs=2), cross_entropy())
        >>> learner = ltw(loss, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.adam(1e-3))

    References:
        Sun et al., *Domain General Face Forgery Detection by Learning to Weight*, AAAI 2021, and its released code,
        skJack/LTW.
    """
    model = shown(loss_fn, "ltw")

    def init(params):
        kernel = params["head"].get("kernel")
        if kernel is None or jnp.ndim(kernel) != 2:
            raise ValueError(
                "the weight network is sized by the kernel of a linear head, and here is none: head='linear'."
            )
        return init_with(outer_optimizer)(LTWParams(params, _weigher(kernel, hidden, jax.random.key(seed))))

    def training_loss(params, batch, weights):
        outputs = domain_outputs(model, params, batch, strategy)
        losses = _example_losses(model.objective, outputs, batch)
        gathered = compactness(outputs.logits, batch.targets)
        return jnp.mean((1 + weights) * losses) + compact * gathered, {"loss/compact": gathered}

    def outer_loss(meta, seen, unseen):
        embeddings = domain_outputs(model, meta.params, seen, strategy).embeddings
        weigh = jax.vmap(jax.vmap(lambda embedding: _weight(meta.weigher, embedding)))
        weights = weigh(jax.lax.stop_gradient(embeddings))
        adapted, info = inner_adapt(
            lambda params, batch: training_loss(params, batch, weights), meta.params, seen,
            optimizer=inner_optimizer, num_steps=inner_steps, order="second",
        )  # fmt: skip
        value, parts = training_loss(meta.params, seen, jax.lax.stop_gradient(weights))
        before = domain_losses(loss_fn, meta.params, seen, strategy)
        after = domain_losses(loss_fn, adapted, unseen, strategy)
        losses, metrics = jax.tree.map(lambda *parts: jnp.concatenate(parts), before, after)
        parts = parts | {"ltw/weight": jnp.mean(weights)}
        metrics = metrics | {name: jnp.broadcast_to(part, losses.shape) for name, part in parts.items()}
        return value + weight * jnp.mean(after[0]), (losses, metrics, info.losses)

    def update(state, episodes):
        seen, unseen = hold_out(pool_each(episodes), held_out)
        (loss, (losses, metrics, inner)), grads = jax.value_and_grad(outer_loss, has_aux=True)(
            state.params, seen, unseen
        )
        held = len(jax.tree.leaves(unseen)[0])
        each = [jnp.full(len(losses) - held, 1 / (len(losses) - held)), jnp.full(held, weight / held)]
        shared = jnp.broadcast_to(inner, (len(losses), *inner.shape))
        info = describe(loss, losses, metrics, grads, weights=jnp.concatenate(each), support_losses=shared)
        return outer_step(outer_optimizer, state, grads, loss=info.loss), info

    fine_tune = fine_tuning(loss_fn, inner_optimizer, inner_steps)
    return MetaLearner(init, update, lambda meta, support: fine_tune(meta.params, support), lambda meta: meta.params)


def compactness(logits: Float[Array, "*examples classes"], targets: Array) -> Float[Array, ""]:
    """How far real images score from their mean, less how far the fakes do: sums of squares.

    Example:
        >>> scores = jnp.array([0.1, 0.3, 0.8])  # of two real images and a fake, around 0.2
        >>> logits = jnp.log(jnp.stack([1 - scores, scores], axis=-1))
        >>> print(f"{compactness(logits, jnp.array([REAL, REAL, FAKE])):.2f}")
        -0.34
    """
    scores = 1 - jax.nn.softmax(logits, axis=-1)[..., REAL]
    real = (targets == REAL).astype(scores.dtype)
    fake = (targets == FAKE).astype(scores.dtype)
    centre = jax.lax.stop_gradient(jnp.sum(real * scores) / jnp.maximum(jnp.sum(real), 1))
    return jnp.sum((real - fake) * jnp.square(scores - centre))


def _example_losses(objective: Objective, outputs: Outputs, batch: Batch) -> Float[Array, "tasks examples"]:
    """The objective's value for every example on its own."""

    def alone(logits, embedding, target, weights):
        return objective(Outputs(logits[None], embedding[None]), Batch(None, target[None], weights=weights))[0]

    of_task = jax.vmap(alone, in_axes=(0, 0, 0, None))
    return jax.vmap(of_task)(outputs.logits, outputs.embeddings, batch.targets, batch.weights)


def _weigher(kernel: Array, hidden: int, key: jax.Array) -> Params:
    """Two layers from embeddings, which are as wide as the rows of the head's kernel, to a logit."""
    normal, (first, second) = jax.nn.initializers.lecun_normal(dtype=kernel.dtype), jax.random.split(key)
    zeros = lambda n: jnp.zeros(n, kernel.dtype)
    return {
        "hidden": {"kernel": normal(first, (kernel.shape[0], hidden)), "bias": zeros(hidden)},
        "weight": {"kernel": normal(second, (hidden, 1)), "bias": zeros(1)},
    }


def _weight(weigher: Params, embedding: Float[Array, " features"]) -> Float[Array, ""]:
    units = jax.nn.relu(embedding @ weigher["hidden"]["kernel"] + weigher["hidden"]["bias"])
    return jax.nn.sigmoid(units @ weigher["weight"]["kernel"] + weigher["weight"]["bias"])[0]
