"""What every meta-learner is: three pure functions, a state that the next step needs, an info that a person wants."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import optax
from jaxtyping import Array, Float, Int

from metaforge.core.inner import AdaptInfo
from metaforge.types import Batch, Episode, Params


class MetaState(NamedTuple):
    """What the next outer step needs.

    Attributes:
        params: the meta-parameters, a pytree.
        opt_state: the outer optimizer's state.
        step: outer steps taken so far, int32.
    """

    params: Params
    opt_state: optax.OptState
    step: Int[Array, ""]


class MetaInfo(NamedTuple):
    r"""What a person wants to see of an outer step.

    Attributes:
        loss: the outer loss that was minimised, weighted and reduced.
        query_losses: each task's query loss after adaptation, $\mathcal{L}_{D^q_i}(\theta'_i)$.
        support_losses: each task's support loss before each inner step.
        weights: the task weights.
        gradient_factors: how many times each task's gradient counted, $\partial J / \partial \mathcal{L}_i$.
        grad_norm: the global norm of the outer gradient.
        metrics: what the loss function reported of each task's query batch.
    """

    loss: Float[Array, ""]
    query_losses: Float[Array, " tasks"]
    support_losses: Float[Array, "tasks steps"]
    weights: Float[Array, " tasks"]
    gradient_factors: Float[Array, " tasks"]
    grad_norm: Float[Array, ""]
    metrics: Any


@runtime_checkable
class UpdateFn(Protocol):
    """One outer step."""

    def __call__(self, state: MetaState, episodes: Episode, /) -> tuple[MetaState, MetaInfo]:
        """Moves the meta-parameters by one meta-batch; every leaf of `episodes` has a leading axis of tasks."""
        ...


@runtime_checkable
class AdaptFn(Protocol):
    """The inner loop as the learner was given it."""

    def __call__(self, params: Params, support: Batch, /) -> tuple[Params, AdaptInfo]:
        """Adapts to one task; `jax.vmap` it for more."""
        ...


@runtime_checkable
class InitFn(Protocol):
    """How a learner's state starts."""

    def __call__(self, params: Params, /) -> MetaState:
        """The state before the first outer step."""
        ...


class MetaLearner(NamedTuple):
    """A meta-learner: pure functions, to be jitted by the caller.

    Attributes:
        init: `init(params) -> MetaState`.
        update: `update(state, episodes) -> (MetaState, MetaInfo)`, one outer step on a meta-batch.
        adapt: `adapt(params, support) -> (model's parameters, AdaptInfo)`, one task; `params` are the meta-parameters,
            those of `MetaState`.
        model: `model(params) -> model's parameters`: what of the meta-parameters the model runs on where nothing is
            adapted. Learners that learn more than a model, such as rates, keep the model among the rest.
    """

    init: InitFn
    update: UpdateFn
    adapt: AdaptFn
    model: Callable[[Params], Params] = lambda params: params


class Entry(NamedTuple):
    """A learner in the table `LEARNERS`: how it is made, and what programs must know of it before it is.

    Attributes:
        make: its factory, `make(loss_fn, outer_optimizer=..., ...) -> MetaLearner`. What it takes besides the loss
            function is read from its signature; programs give it the settings that bear these names.
        cites: the entries of citations.bib behind it.
        adapts_itself: whether `adapt` is its own, by rates that it has learned, in closed form or on another loss, so
            that no rule of adaptation is to be chosen for it.
        adapts: which parameters its inner steps move where that is no choice, a pattern of paths; "" where it is one.
        draws: whether its outer steps draw random numbers of its `seed`, which is then part of the compiled program.
        own_head: whether it writes or adapts the head itself, which outer steps must then be allowed to move.
        linear_head: whether it works with a linear head alone.
        least_tasks: how many tasks a meta-batch must have.
    """

    make: Callable[..., MetaLearner]
    cites: tuple[str, ...] = ()
    adapts_itself: bool = False
    adapts: str = ""
    draws: bool = False
    own_head: bool = False
    linear_head: bool = False
    least_tasks: int = 1

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of the arguments that it takes besides the loss function."""
        return tuple(inspect.signature(self.make).parameters)[1:]
