"""A network learns from what others say of the same images."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from metaforge.compression.spec import TeachingSpec
from metaforge.errors import InputError
from metaforge.losses import kl_divergence
from metaforge.progress import progress
from metaforge.runs import Run
from metaforge.types import ApplyFn, Backbone, Params


class Lessons(NamedTuple):
    """Images, and what is said of them.

    Attributes:
        images: uint8 `(images, size, size, 3)`.
        logits: the teacher's log of the odds of being fake, `(images,)`, or `None`.
        features: what the teacher's head sees, `(images, features)`, or `None`.
        labels: 0 for real and 1 for fake, `(images,)`, or `None`.
    """

    images: Any
    logits: Any = None
    features: Any = None
    labels: Any = None


def distillation(
    logits: Float[Array, "images classes"], teacher: Float[Array, " images"], *, temperature: float
) -> Float[Array, " images"]:
    r"""$T^2\, \mathrm{KL}(\mathrm{softmax}(t / T) \,\|\, \mathrm{softmax}(\ell / T))$ of each image.

    The teacher's $t$ are 0 for real and its log of the odds for fake. The factor makes gradients of one size at all
    temperatures; a high one makes it the squared difference of logits.

    Args:
        logits: $\ell$, the student's, of two classes.
        teacher: its log of the odds of being fake.

    Other Arguments:
        temperature: $T$.

    Example:
        >>> logits = jnp.array([[0.0, 2.0], [1.0, 0.0]])
        >>> print(distillation(logits, jnp.array([2.0, -1.0]), temperature=3.0) < 1e-6)
        [ True  True]

    References:
        Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*, 2015, section 2.
    """
    said = jnp.stack([jnp.zeros_like(teacher), teacher], axis=1)
    return temperature**2 * kl_divergence(logits / temperature, said / temperature)


def taught(
    backbone: Backbone, params: Params, lessons: Lessons, how: TeachingSpec, *, run: Run | None = None,
    title: str = "teaching", quiet: bool = True,
) -> Params:  # fmt: skip
    r"""Parameters after `how.steps` steps.

    The loss is $\lambda\,\mathrm{CE} + (1 - \lambda)(a\,D + b\,F)$ with $\lambda$ the share of the labels, $D$ of
    `distillation`, and $F$ the mean squared difference of features; through a matrix that is learned beside and then
    forgotten, if there are as many on both sides or not. What has no gradient stays, such as statistics. Which images a
    step sees follows from the seed and its number, so that a run that goes on from a checkpoint ends where it would
    have ended.

    Args:
        backbone: the student.
        params: what it begins with.
        lessons: what it learns from.
        how: steps, rate and weights.

    Other Arguments:
        run: where checkpoints go and are taken up; none without.
        title: of the progress bar.
        quiet: whether to show none.

    Raises:
        InputError: for a loss in which nothing is left, or what it needs is missing.

    Example:
        >>> from metaforge.backbones import mlp
        >>> rng = np.random.default_rng(0)
        >>> seen = rng.normal(size=(64, 3)).astype(np.float32)
        >>> student, lessons = mlp(hidden=(), outputs=2), Lessons(seen, logits=seen @ np.float32([1, 2, -1]))
        >>> begun = student.init(jax.random.key(0), seen)
        >>> ended = taught(student, begun, lessons, TeachingSpec(steps=200, rate=0.1))
        >>> said = student.apply(ended, seen).logits
        >>> bool(np.abs(said[:, 1] - said[:, 0] - lessons.logits).max() < 0.1)
        True
    """
    weights = weights_of(how, labels=lessons.labels is not None)
    if (weights[1] and lessons.logits is None) or (weights[2] and lessons.features is None):
        raise InputError("teaching.logits: the lessons have none of what has a weight.")
    state = {"params": jax.tree.map(jnp.asarray, params)}
    if weights[2] and lessons.features is not None:
        own = jax.eval_shape(backbone.apply, state["params"], lessons.images[:2]).embeddings.shape[1]
        theirs = lessons.features.shape[1]
        if own != theirs:
            draw = jax.random.normal(jax.random.key(how.seed), (own, theirs)) / np.sqrt(own)
            state["matrix"] = draw.astype(jnp.float32)
    step, optimizer = _program(backbone.apply, how, weights)
    state = (state, optimizer.init(state))
    done = 0
    if run is not None:
        done, state = run.resume(state)
    count = min(how.batch, len(lessons.images))
    with progress(title, how.steps, done=done, quiet=quiet) as bar:
        for number in range(done, how.steps):
            rows = np.sort(np.random.default_rng([how.seed, number]).choice(len(lessons.images), count, replace=False))
            some = Lessons(*(None if column is None else jnp.asarray(column[rows]) for column in lessons))
            state, loss = step(state, some)
            if run is not None and ((number + 1) % how.checkpoint_every == 0 or number + 1 == how.steps):
                run.log({"step": number + 1, "loss": float(loss)})
                run.save(number + 1, state)
            bar.update()
    return jax.tree.map(np.asarray, state[0]["params"])


_label_loss = optax.losses.softmax_cross_entropy_with_integer_labels


def weights_of(how: TeachingSpec, *, labels: bool) -> tuple[float, float, float]:
    """Of labels, logits and features in the loss.

    Args:
        how: the settings.

    Other Arguments:
        labels: whether there are any.

    Raises:
        InputError: when nothing is left.

    Example:
        >>> weights_of(TeachingSpec(labels=0.25), labels=True), weights_of(TeachingSpec(labels=0.25), labels=False)
        ((0.25, 0.75, 0.0), (0.0, 1.0, 0.0))
    """
    share = how.labels if labels else 0.0
    if how.labels == 1 and not labels:
        raise InputError("teaching.labels=1: the images have no labels. Give some that have, or a lower share.")
    weights = share, (1 - share) * how.logits, (1 - share) * how.features
    if not sum(weights):
        raise InputError("teaching.logits=0: nothing is left to learn from. Give logits, features or labels a weight.")
    return weights


@functools.lru_cache(maxsize=16)
def _program(
    apply: ApplyFn, how: TeachingSpec, weights: tuple[float, float, float]
) -> tuple[Callable[..., Any], optax.GradientTransformation]:
    total = max(how.steps, 2)
    warm = max(total // 10, 1)
    optimizer = optax.adam(optax.warmup_cosine_decay_schedule(how.rate / 10, how.rate, warm, total, how.rate / 100))

    def loss_of(moving, some: Lessons):
        outputs = apply(moving["params"], some.images)
        loss = jnp.zeros(())
        if weights[0]:
            loss += weights[0] * jnp.mean(_label_loss(outputs.logits, some.labels))
        if weights[1]:
            loss += weights[1] * jnp.mean(distillation(outputs.logits, some.logits, temperature=how.temperature))
        if weights[2]:
            seen = outputs.embeddings @ moving["matrix"] if "matrix" in moving else outputs.embeddings
            loss += weights[2] * jnp.mean(jnp.square(seen - some.features))
        return loss

    @jax.jit
    def step(state, some):
        moving, memory = state
        loss, gradient = jax.value_and_grad(loss_of)(moving, some)
        change, memory = optimizer.update(gradient, memory, moving)
        return (optax.apply_updates(moving, change), memory), loss

    return step, optimizer
