"""The vocabulary: what a batch, an episode, a model and a loss are, with their shapes.

A learner knows a model only as a `LossFn`, an objective knows it only as `Outputs`; so every part can be tried on
a quadratic. Labels are `REAL` = 0, `FAKE` = 1 and, for FakeRadar, `OUTLIER` = 2, everywhere.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import jax
from jaxtyping import Array, Float

from metaforge.labels import FAKE, OUTLIER, REAL  # noqa: F401 - they are part of the vocabulary

Params = Any
"""A pytree of arrays: what the inner and outer loops move."""

Metrics = dict[str, Any]
"""Named scalars that a loss reports beside its value."""

Convolution = Literal["auto", "lax", "patches", "winograd"]
"""How to convolve: "lax" is XLA's own, "patches" one matrix product, "winograd" sixteen smaller ones; "auto" takes
winograd on a CPU and lax elsewhere."""

PRNGKey = jax.Array
"""A typed key, as `jax.random.key` makes it."""


class Batch(NamedTuple):
    """Labelled examples. The leading axes are free, and the same in `inputs` and `targets`.

    Attributes:
        inputs: a pytree of arrays, leading axis `examples`. Images are `(examples, height, width, 3)`,
            uint8 in [0, 255] or floating point in [0, 1].
        targets: labels, int32, shape `(examples,)`, or regression targets.
        context: the inputs whose statistics may normalise these ones, or `None` for the batch's own. A learner
            sets it to the support inputs when it scores a query batch; only a backbone with
            `normalisation="support"` looks at it.
        probe: what outlier synthesis has to say with this batch (`metaforge.outliers.Probe`), or `None` for nothing.
        weights: by name, what the parts of a `metaforge.objectives.weighted_sum` count, or `None` for what it was made
            with. As data, they can change from step to step without compiling again.
        key: a random key for what a model draws in training, such as dropout, or `None` for drawing nothing (see
            `metaforge.with_keys`).
    """

    inputs: Any
    targets: Any
    context: Any = None
    probe: Any = None
    weights: Any = None
    key: Any = None


class Episode(NamedTuple):
    """One task's data: adapt on `support`, be judged on `query`. In a meta-batch the leading axis is tasks.

    Attributes:
        support: what to adapt on.
        query: what to be judged on.
        domain: the number of the domain, int32, `(tasks,)` in a meta-batch, or `None`. Only a learner that remembers
            domains from one outer step to the next, such as `metaforge.group_dro`, looks at it.
    """

    support: Batch
    query: Batch
    domain: Any = None


class Words(NamedTuple):
    """What a model of images and texts says of a batch whose images bring texts (`metaforge.backbones.two_towers`).

    Attributes:
        images: the images in the space that they share with texts. Not normalised.
        texts: the texts there.
        scale: what the cosines of the two are multiplied with, above 0.
        logits: what image and text together say of the class.
    """

    images: Float[Array, "examples shared"]
    texts: Float[Array, "examples shared"]
    scale: Float[Array, ""]
    logits: Float[Array, "examples classes"]


class Outputs(NamedTuple):
    """What a backbone says of a batch: `logits`, shape `(examples, classes)`, and `embeddings`, what the head saw.

    `outlier_logits` is what the head says of the batch's synthetic outliers, shape `(outliers, classes)`, if any;
    `words` is what a model that reads makes of the images and their texts. The other two never depend on a text.
    """

    logits: Float[Array, "examples classes"]
    embeddings: Float[Array, "examples features"]
    outlier_logits: Float[Array, "outliers classes"] | None = None
    words: Words | None = None


@runtime_checkable
class LossFn(Protocol):
    """All that a learner knows of a model: parameters and a batch to a scalar and named metrics."""

    def __call__(self, params: Params, batch: Batch, /) -> tuple[Float[Array, ""], Metrics]:
        """The loss of `params` on `batch`, a float32 scalar, and metrics to log."""
        ...


@runtime_checkable
class Objective(Protocol):
    """All that an objective knows of a model: its outputs and the batch to a scalar and named metrics."""

    def __call__(self, outputs: Outputs, batch: Batch, /) -> tuple[Float[Array, ""], Metrics]:
        """The value to minimise, a float32 scalar, and metrics to log."""
        ...


@runtime_checkable
class ApplyFn(Protocol):
    """The forward pass of a backbone. One that draws random numbers takes `key` too, and draws none without it."""

    def __call__(self, params: Params, inputs: Any, /, *, context: Any = None) -> Outputs:
        """Scores `inputs`; `context` is as in `Batch`."""
        ...


@dataclasses.dataclass(frozen=True)
class ModelLoss:
    """A `LossFn` that shows the parts of its model, as `metaforge.objectives.loss_fn` makes it.

    Learners that look inside a model, for its embeddings or its head, take no other; the rest just call it.

    Attributes:
        apply: the model's forward pass.
        objective: what is made of its outputs.
        head: the last part of `apply` alone, `head(params, embeddings) -> logits`; `None` where there is none.
    """

    apply: ApplyFn
    objective: Objective
    head: Callable[[Params, Any], Any] | None = None

    def __call__(self, params: Params, batch: Batch, /) -> tuple[Float[Array, ""], Metrics]:
        """The loss of `params` on `batch`, a float32 scalar, and metrics to log."""
        return self.objective(self.outputs(params, batch), batch)

    def outputs(self, params: Params, batch: Batch) -> Outputs:
        """What the model says of a batch, and of the synthetic outliers that it brings."""
        outputs = self.seen(params, batch)
        outliers = self.outlier_logits(params, batch)
        return outputs if outliers is None else outputs._replace(outlier_logits=outliers)

    def seen(self, params: Params, batch: Batch) -> Outputs:
        """What the model says of the images of a batch."""
        if batch.key is None:
            return self.apply(params, batch.inputs, context=batch.context)
        # Forward passes that draw nothing need not know of keys.
        apply: Any = self.apply
        return apply(params, batch.inputs, context=batch.context, key=batch.key)

    def outlier_logits(self, params: Params, batch: Batch) -> Any:
        """What the head says of the synthetic outliers of a batch: through it alone, for no outlier was an image."""
        if self.head is None or batch.probe is None:
            return None
        return self.head(params, batch.probe.outliers.features)


class Backbone(NamedTuple):
    """A model as pure functions.

    Attributes:
        init: `init(key, inputs) -> params`.
        apply: `apply(params, inputs, context=None) -> Outputs`; of a model with dropout, `key=None` too.
        head: `head(params, embeddings) -> logits`, the last part of `apply` alone, for features that no image has;
            `None` for a model without such a part.
    """

    init: Callable[[PRNGKey, Any], Params]
    apply: ApplyFn
    head: Callable[[Params, Any], Any] | None = None


TaskWeighting = Callable[[Float[Array, " tasks"]], Float[Array, " tasks"]]
"""Query losses, shape `(tasks,)`, to weights of the same shape. The outer loss is their weighted sum."""
