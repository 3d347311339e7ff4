"""iMAML: the outer gradient is that of the inner problem's solution, however it was found."""

import jax
import jax.numpy as jnp
import optax
from jax.scipy.sparse.linalg import cg

from metaforge.core.execution import Strategy
from metaforge.core.inner import AdaptInfo
from metaforge.core.inner import adapt as inner_adapt
from metaforge.core.keys import split_keys
from metaforge.core.param_paths import merge, partition
from metaforge.learners._assembly import Reduction, init_with, outer_update, with_context
from metaforge.learners.base import MetaLearner
from metaforge.types import LossFn, TaskWeighting


def imaml(
    loss_fn: LossFn,
    *,
    inner_optimizer: optax.GradientTransformation,
    outer_optimizer: optax.GradientTransformation,
    lam: float = 2.0,
    cg_steps: int = 5,
    inner_steps: int = 16,
    task_weighting: TaskWeighting | None = None,
    reduction: Reduction = "sum",
    adaptable: str = "",
    strategy: Strategy = "auto",
) -> MetaLearner:
    r"""MAML with implicit gradients: many inner steps, whose number costs the outer gradient nothing.

    Task $i$ adapts by solving a problem that holds it near the meta-parameters (eq. 3 and 4),

    $$\phi_i = \arg\min_\phi\; \mathcal{L}_{D^s_i}(\phi) + \frac{\lambda}{2} \lVert \phi - \theta \rVert^2,$$

    for which `inner_steps` steps of any rule are taken. Where the solution moves with $\theta$ is known without the
    path that led to it: by the implicit function theorem $d\phi_i/d\theta = (I + H_i/\lambda)^{-1}$, with $H_i$ the
    Hessian of the support loss at $\phi_i$ (lemma 1, eq. 6). So a task's outer gradient is the solution $g_i$ of

    $$\left(I + \tfrac{1}{\lambda} H_i\right) g_i = \nabla \mathcal{L}_{D^q_i}(\phi_i),$$

    found by `cg_steps` steps of conjugate gradient on products with the Hessian (eq. 7, algorithm 2). No inner step is
    differentiated or kept, and memory does not grow with their number.

    The gradient is as good as the solution: with few steps, or slow ones, it is that of a point at which $\phi_i$ is
    not yet. $\lambda$ must exceed the steepest negative curvature of the support loss, or there is no single solution
    and conjugate gradient may go anywhere. As $\lambda$ grows, the outer step becomes that of `metaforge.maml` with one
    step of gradient descent at the rate $1/\lambda$, second order included: what is left falls with $1/\lambda^2$.

    The released code differs: it adds to $I$ and to $\lambda$ before it solves (damping), and pulls towards $\theta$
    once, after the inner steps. This is the paper's.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics.
        inner_optimizer: the inner rule, any optax transformation, also one that asks for the loss or searches along a
            line; what it is given is the loss with the proximal term.
        outer_optimizer: the outer rule; Adam in the paper.

    Other Arguments:
        lam: $\lambda$, how strongly a task is held near the meta-parameters, above 0; 2 on Omniglot in the paper.
        cg_steps: steps of conjugate gradient, at least 0, from the query gradient on; they stop where only rounding is
            left. 5 in the paper; 0 is the query gradient itself, as under first order.
        inner_steps: steps on the inner problem; 16 on 5-way Omniglot in the paper.
        task_weighting: as in `metaforge.maml`.
        reduction: as in `metaforge.maml`; the paper's is "mean".
        adaptable: which parameters the inner problem is about, a pattern of paths; all if empty. The outer gradient of
            the others is exact too, through the solution.
        strategy: as in `metaforge.maml`.

    Returns:
        A `MetaLearner`. Its `adapt` solves the same problem, and is differentiable in reverse, once, by the implicit
        gradient; support losses are without the proximal term, and constants.

    Raises:
        ValueError: for a `lam` that is not above 0, negative `cg_steps`, or an unknown `reduction`; when used, for
            negative `inner_steps`, an unknown `strategy`, or a pattern that no path has.

    Example:
        >>> from metaforge.types import Batch, Episode
        >>> loss_fn = lambda params, batch: (0.5 * jnp.mean((params - batch.inputs) ** 2), {})
        >>> learner = imaml(loss_fn, inner_optimizer=optax.sgd(0.5), outer_optimizer=optax.sgd(0.1), lam=1.0)
        >>> images = jnp.array([[4.0], [2.0]])  # two tasks of one example each
        >>> batch = Batch(images, images)
        >>> state, info = learner.update(learner.init(jnp.array(0.0)), Episode(support=batch, query=batch))
        >>> print(info.query_losses, state.params.round(3))  # tasks end at 2 and at 1, half the way
        [2.  0.5] 0.15

    References:
        Rajeswaran, Finn, Kakade and Levine, *Meta-Learning with Implicit Gradients*, NeurIPS 2019, sections 2.2 and 3,
        algorithms 1 and 2.
    """
    if not lam > 0:
        raise ValueError(f"`lam` must be above 0, got {lam}.")
    if cg_steps < 0:
        raise ValueError(f"`cg_steps` must be at least 0, got {cg_steps}.")

    def support_loss(moving, frozen, support):
        return loss_fn(merge(moving, frozen), support)[0]

    @jax.custom_vjp
    def solve(moving, frozen, support):
        """The solution, as far as the steps come, and the support loss before each of them."""

        def pull(there):
            return 0.5 * lam * optax.tree.norm(jax.tree.map(jnp.subtract, there, moving), squared=True)

        def held(there, batch):
            return support_loss(there, frozen, batch) + pull(there), {}

        found, info = inner_adapt(
            held, moving, support, optimizer=inner_optimizer, num_steps=inner_steps, after_step=pull
        )
        # Before the first step nothing pulls.
        return found, info.losses - jnp.pad(info.reports, (1, 0))[:inner_steps]

    def forward(moving, frozen, support):
        found, losses = solve(moving, frozen, support)
        return (found, losses), (found, frozen, support)

    def backward(kept, cotangents):
        found, frozen, support = kept
        wanted, _ = cotangents
        # A model that draws has the curvature of one draw, that of the first inner step.
        now = None if support.key is None else split_keys(support.key)[0]
        batch = support._replace(key=now)

        def curvature(along):
            """How the support loss's gradient, by the moving and by the frozen part, changes along a direction."""
            gradient = lambda there: jax.grad(support_loss, argnums=(0, 1))(there, frozen, batch)
            return jax.jvp(gradient, (found,), (along,))[1]

        def matrix(vector):
            return jax.tree.map(lambda v, h: v + h / lam, vector, curvature(vector)[0])

        # The solver begins by one product in any case; from the query gradient on it is not wasted on zeros.
        rounding = float(jnp.finfo(jnp.result_type(*jax.tree.leaves(wanted))).eps)
        solved, _ = cg(matrix, wanted, x0=wanted, tol=rounding, maxiter=cg_steps)
        mixed = jax.tree.map(lambda leaf: -leaf / lam, curvature(solved)[1]) if jax.tree.leaves(frozen) else frozen
        return solved, mixed, None

    solve.defvjp(forward, backward)

    def adapt(params, support):
        moving, frozen = partition(params, adaptable)
        found, losses = solve(moving, frozen, support)
        return merge(found, frozen), AdaptInfo(losses)

    def task_loss(params, episode):
        adapted, info = adapt(params, episode.support)
        loss, metrics = loss_fn(adapted, with_context(episode.query, episode.support))
        return loss, (info.losses, metrics)

    update = outer_update(
        task_loss, outer_optimizer, task_weighting=task_weighting, reduction=reduction, strategy=strategy
    )
    return MetaLearner(init_with(outer_optimizer), update, adapt)
