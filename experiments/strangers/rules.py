"""All rules of adaptation on one support set: features in, logits out."""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from experiments.strangers import learned
from metaforge.adaptation import RULES
from metaforge.adaptation.gaussian import NO_PAIR, Head, Prior, head_of, posterior
from metaforge.objectives import cross_entropy
from metaforge.types import Backbone, Batch, Outputs

STEPS = 10
"""Steps of gradient descent on the head."""
RATES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Rates that are tried for them; standardised features are many, so a step of a rate moves logits far."""

REFERENCE = 1.0
"""The penalty of the whitened direction: correlations and the identity count alike. A tenth and ten times it are worth
the same."""


class Variant(NamedTuple):
    """A rule, with one of the numbers that are tried of its knob."""

    rule: str
    knob: float = 0.0


BESIDE = ", unlabelled"
"""Behind the name of a rule that also has unlabelled real images of the target."""
NONE, DISCRIMINANT, LEARNED = "none", "discriminant", "learned covariance"
WHITENED, LOGISTIC, HEAD = "whitened", "logistic", "head steps"
PENALTIES = (0.01, 0.1, 1.0, 10.0)
"""Penalties that are tried of the logistic probe, whose features have a mean squared norm of 1."""

ALWAYS = (
    Variant(NONE), Variant(DISCRIMINANT), Variant(LEARNED), Variant(WHITENED),
    *(Variant(LOGISTIC, each) for each in PENALTIES), *(Variant(HEAD, each) for each in RATES),
)  # fmt: skip
WITH_UNLABELLED = (Variant(DISCRIMINANT + BESIDE), Variant(WHITENED + BESIDE))
VARIANTS = ALWAYS + WITH_UNLABELLED
"""All that is scored, in the order of the scores."""
ORDER = tuple(dict.fromkeys(each.rule for each in VARIANTS))
"""The rules."""
UNCALIBRATED = {LEARNED}
"""Rules of which the ranking alone says something."""


def _logits(params, features):
    return features @ params["head"]["kernel"] + params["head"]["bias"][None]


# The features are the embeddings.
FEATURES = Backbone(
    lambda key, images: {}, lambda params, images, *, context=None: Outputs(_logits(params, images), images), _logits
)


class Source(NamedTuple):
    """What the source gives a rule.

    Attributes:
        prior: of the discriminant.
        spread: the source kinds' shifts less their mean, `(kinds, features)`, whitened.
        mean: of the source images' features.
        scale: their standard deviation.
    """

    prior: Prior
    spread: jax.Array
    mean: jax.Array
    scale: jax.Array


# A program of its own, one after the other: on a CPU, batched factorisations beside others may wait for ever.
_posterior = jax.jit(posterior)


def logits(source: Source, support, pairs, unlabelled, query) -> jax.Array:
    """What each of `VARIANTS` says of the query images; those without unlabelled images of none.

    Args:
        source: of images that have nothing in common with these.
        support: features, the real ones first, as many fakes.
        pairs: as `posterior` takes them.
        unlabelled: features of real images; there may be none.
        query: features.

    Returns:
        Logits of being fake, `(variants, queries)`; `ALWAYS` alone where nothing is unlabelled.
    """
    labels = jnp.repeat(jnp.arange(2), len(support) // 2)
    linear = lambda head: jnp.asarray(query) @ head.weights + head.bias
    made = jax.block_until_ready(_simple(source, support, pairs, unlabelled, query))
    alone = jax.block_until_ready(_posterior(source.prior, support, labels, pairs=pairs))
    made[Variant(DISCRIMINANT)] = linear(alone)
    if len(unlabelled):
        head = _posterior(source.prior, support, labels, pairs=pairs, unlabelled=unlabelled)
        made[Variant(DISCRIMINANT + BESIDE)] = linear(head)
    return jnp.stack([made[each] for each in VARIANTS if each in made])


@jax.jit
def _simple(source: Source, support, pairs, unlabelled, query) -> dict[Variant, jax.Array]:
    """All but the discriminant."""
    prior, count = source.prior, len(support) // 2
    labels = jnp.repeat(jnp.arange(2), count)
    standard = lambda x: (x - source.mean[None]) / source.scale[None]
    batch, asked = Batch(standard(support), labels), standard(query)
    beside = standard(unlabelled) if len(unlabelled) else None
    linear = lambda head: query @ head.weights + head.bias
    params = _as_params(head_of(prior), source)

    def of(name: str, knob: float, **more: Any) -> jax.Array:
        given = {"backbone": FEATURES, "l2": knob, "optimizer": optax.sgd(knob), "steps": (STEPS,)}
        rule = RULES[name].rule(given | {"objective": cross_entropy()} | more)
        found = rule.apply(params, batch, asked)[-1]
        return found[:, 1] - found[:, 0]

    made: dict[Variant, jax.Array] = {
        Variant(NONE): linear(head_of(prior)),
        Variant(LEARNED): query @ learned.weights(
            prior, source.spread, support[:count], support[count:], support[:0], matched=pairs[0] != NO_PAIR
        ),
    }  # fmt: skip
    made[Variant(WHITENED)] = of("whitened", REFERENCE)
    for penalty in PENALTIES:
        made[Variant(LOGISTIC, penalty)] = of("logistic", penalty)
    for rate in RATES:
        made[Variant(HEAD, rate)] = of("head", rate)
    if beside is not None:
        made[Variant(WHITENED + BESIDE)] = of("whitened", REFERENCE, unlabelled=beside)
    return made


def _as_params(head: Head, source: Source) -> dict[str, Any]:
    """The source's head for standardised features, with two logits."""
    weights = head.weights * source.scale
    bias = head.bias + head.weights @ source.mean
    kernel = jnp.stack([-weights / 2, weights / 2], axis=1)
    return {"head": {"kernel": kernel, "bias": cast(jax.Array, jnp.stack([-bias / 2, bias / 2]))}}
