"""Second-order gradients computed forward over reverse: the exact numbers, without keeping the inner activations."""

import jax
import jax.numpy as jnp

from metaforge.types import LossFn


def mixed_value_and_grad(loss_fn: LossFn):
    r"""`jax.value_and_grad(loss_fn)` whose own derivative is taken forward over reverse.

    Going back through an inner step needs the product of the support loss's Hessian with a cotangent,
    $\nabla^2 \mathcal{L}(\theta)\, v$. Reverse over reverse keeps every activation of the inner forward and backward
    passes for it. But the Hessian is symmetric, so that the product is also the derivative of the gradient along $v$,
    $\frac{\partial}{\partial \epsilon} \nabla \mathcal{L}(\theta + \epsilon v)$ at 0, a forward derivative, which keeps
    nothing: on the way forward only the parameters and the batch are stored.

    The price: what it returns can be differentiated once, in reverse, and `loss_fn` must not close over traced
    arrays that are differentiated.

    Args:
        loss_fn: parameters and a batch to a scalar loss and metrics. Floating-point parts of the batch are
            differentiated too.

    Returns:
        A function of parameters and batch to `(loss, gradient)`.

    Example:
        >>> from metaforge.types import Batch
        >>> loss_fn = lambda params, batch: (jnp.sum(params**3 * batch.inputs), {})
        >>> slope = lambda x: mixed_value_and_grad(loss_fn)(x, Batch(jnp.array([2.0]), None))[1].sum()
        >>> print(jax.grad(slope)(jnp.array([5.0])))  # the second derivative of 2 x^3
        [60.]

    References:
        Kemaev et al., *Scalable Meta-Learning via Mixed-Mode Differentiation*, ICML 2025, section 3 (MixFlow-MG).
    """

    def value(params, floats, rest, join):
        return loss_fn(params, join(floats, rest))[0]

    def inner(params, batch):
        floats, rest, join = _split(batch)

        @jax.custom_vjp
        def value_and_grad(params, floats, rest):
            return jax.value_and_grad(value)(params, floats, rest, join)

        def forward(params, floats, rest):
            return value_and_grad(params, floats, rest), (params, floats, rest)

        def backward(kept, cotangents):
            (params, floats, rest), (of_value, of_grad) = kept, cotangents
            gradient = lambda params: jax.grad(value, argnums=(0, 1))(params, floats, rest, join)
            grads, along = jax.jvp(gradient, (params,), (of_grad,))
            # A cotangent has its input's type, also where the loss has another (float32 of bfloat16 parameters).
            both = jax.tree.map(lambda grad, tangent: (of_value * grad + tangent).astype(grad.dtype), grads, along)
            return *both, None

        value_and_grad.defvjp(forward, backward)
        return value_and_grad(params, floats, rest)

    return inner


def _split(batch):
    """The floating-point leaves, the others (which have no derivative), and how to join them again."""
    leaves, structure = jax.tree.flatten(batch)
    is_float = [jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) for leaf in leaves]
    floats = [leaf for leaf, real in zip(leaves, is_float, strict=True) if real]
    rest = [leaf for leaf, real in zip(leaves, is_float, strict=True) if not real]

    def join(floats, rest):
        of_float, of_rest = iter(floats), iter(rest)
        return jax.tree.unflatten(structure, [next(of_float if real else of_rest) for real in is_float])

    return floats, rest, join
