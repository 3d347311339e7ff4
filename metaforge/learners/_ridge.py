"""Ridge regression as the head, with a penalty that is given, or learned (R2D2)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from metaforge.core.execution import Strategy
from metaforge.learners._assembly import Reduction, init_with
from metaforge.learners._closed_form import linear_head, with_fitted_head
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn, Params, TaskWeighting


class R2D2Params(NamedTuple):
    """Meta-parameters of `r2d2`: a model, and how its head is found.

    Attributes:
        params: the model's parameters.
        log_l2: the logarithm of the penalty, a scalar.
        scale: what logits are multiplied by, a scalar.
        offset: what is added to them then, shape `(classes,)`.
    """

    params: Params
    log_l2: Float[Array, ""]
    scale: Float[Array, ""]
    offset: Float[Array, " classes"]


def ridge(
    loss_fn: LossFn,
    *,
    outer_optimizer: optax.GradientTransformation,
    l2: float = 1.0,
    scale: float = 1.0,
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""Ridge regression to one-hot labels as the head, with features learned for it: no inner loop.

    With support embeddings and a column of ones, $X$, and one-hot labels $Y$, the head is
    $W = X^\top (X X^\top + \lambda I)^{-1} Y$, which is $(X^\top X + \lambda I)^{-1} X^\top Y$ with a system of as many
    equations as examples. The smaller of the two is solved, by Cholesky in float32 at least, and the outer step goes
    through the solution. A penalty too small for the number format (below about $2 \cdot 10^{-6}$ of the
    sum of the squared embeddings in float32) is lifted to there, so that equal support images do no harm.

    The head that the model began with is not used, and does not learn. A class without support examples has a logit
    of -10,000.

    Args:
        loss_fn: the loss of a model, as `metaforge.objectives.loss_fn` makes it, which shows its parts; the model has a
            linear head under "head", which says how many classes there are.

    Other Arguments:
        outer_optimizer: the outer rule.
        l2: the penalty $\lambda$, of the bias too, at least 0. Compare the squared norm of an embedding, 2,300 with
            conv4 at 84 pixels and random weights.
        scale: what logits are multiplied by. They aim at 0 and 1, and a softmax of these is never surer than 0.73.
        task_weighting: as in `metaforge.maml`.
        reduction: as in `metaforge.maml`.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner`; its `adapt` gives whole parameters whose head is the solution, and no losses.

    Raises:
        ValueError: for a loss function that shows no model, or a model without a head; when used, for a head that is
            not linear.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.objectives import cross_entropy, loss_fn
        >>> loss = loss_fn(mlp(hidden=(4,), outputs=2), cross_entropy())
        >>> learner = ridge(loss, outer_optimizer=optax.adam(1e-3), scale=5.0)

    References:
        Bertinetto, Henriques, Torr and Vedaldi, *Meta-learning with Differentiable Closed-form Solvers*, ICLR 2019,
        eq. 4 and 5.
    """

    def fit(params, embeddings, labels):
        kernel, bias = _solve(embeddings, labels, jnp.asarray(l2, embeddings.dtype))
        return scale * kernel, scale * bias

    return with_fitted_head(
        loss_fn, "ridge", fit, init=init_with(outer_optimizer), outer_optimizer=outer_optimizer,
        task_weighting=task_weighting, reduction=reduction, strategy=strategy,
    )  # fmt: skip


def r2d2(
    loss_fn: LossFn,
    *,
    outer_optimizer: optax.GradientTransformation,
    l2: float = 1.0,
    scale: float = 1.0,
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""`ridge` that learns its penalty, and a scale and an offset of the logits, along with the features.

    The penalty is learned as its logarithm, so that it stays positive. The paper has one offset for all classes, which
    a softmax does not see; here each class has its own.

    Args:
        loss_fn: as in `metaforge.ridge`.

    Other Arguments:
        outer_optimizer: the outer rule, of the parameters and the three others alike.
        l2: where the penalty begins, above 0.
        scale: where the scale begins. Offsets begin at 0.
        task_weighting: as in `metaforge.maml`.
        reduction: as in `metaforge.maml`.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner` whose meta-parameters are a `R2D2Params`; its `model` is their `params`.

    Raises:
        ValueError: for a penalty that is not above 0; otherwise as `metaforge.ridge`.

    Example:
        >>> from metaforge.backbones import mlp
        >>> from metaforge.objectives import cross_entropy, loss_fn
        >>> loss = loss_fn(mlp(hidden=(4,), outputs=2), cross_entropy())
        >>> learner = r2d2(loss, outer_optimizer=optax.adam(1e-3), l2=50.0)

    References:
        Bertinetto, Henriques, Torr and Vedaldi, *Meta-learning with Differentiable Closed-form Solvers*, ICLR 2019,
        eq. 4 to 6.
    """
    if not l2 > 0:
        raise ValueError(f"`l2` must be above 0, since its logarithm is learned, got {l2}.")

    def init(params):
        bias = linear_head(params)["bias"]
        learned = (jnp.log(jnp.asarray(l2, bias.dtype)), jnp.asarray(scale, bias.dtype), jnp.zeros_like(bias))
        return init_with(outer_optimizer)(R2D2Params(params, *learned))

    def fit(meta, embeddings, labels):
        kernel, bias = _solve(embeddings, labels, jnp.exp(meta.log_l2))
        return meta.scale * kernel, meta.scale * bias + meta.offset

    return with_fitted_head(
        loss_fn, "r2d2", fit, init=init, outer_optimizer=outer_optimizer, model=lambda meta: meta.params,
        task_weighting=task_weighting, reduction=reduction, strategy=strategy,
    )  # fmt: skip


def _solve(
    embeddings: Float[Array, "examples features"], labels: Float[Array, "examples classes"], l2: Float[Array, ""]
) -> tuple[Float[Array, "features classes"], Float[Array, " classes"]]:
    """Kernel and bias of the ridge regression of labels on embeddings."""
    x = jnp.concatenate([embeddings, jnp.ones_like(embeddings[:, :1])], axis=1)
    # Accelerators would multiply with 10 bits by default, an error that no penalty of 1 makes good.
    product = lambda a, b: jnp.matmul(a, b, precision="highest")
    # The largest eigenvalue is the trace at most: what is left of it in rounding must not make the matrix indefinite.
    l2 = jnp.maximum(l2, 16 * jnp.finfo(x.dtype).eps * jnp.sum(jnp.square(x)))
    few = x.shape[0] <= x.shape[1]
    matrix = product(x, x.T) if few else product(x.T, x)
    factor = jax.scipy.linalg.cho_factor(matrix + l2 * jnp.eye(len(matrix), dtype=x.dtype), lower=True)
    right = labels if few else product(x.T, labels)
    solved = jax.scipy.linalg.cho_solve(factor, right)
    weights = product(x.T, solved) if few else solved
    return weights[:-1], weights[-1]
