"""The inner loop against closed forms, central differences and a hand-written first-order reference."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import metaforge as mf

# Every kind of inner rule: stateless, with memory, normalised, decayed, clipped.
RULES = {
    "sgd": optax.sgd(0.1),
    "momentum": optax.sgd(0.1, momentum=0.9),
    "adamw": optax.adamw(0.05, eps=1e-2, weight_decay=0.1),
    "rmsprop": optax.rmsprop(0.05, eps=1e-2),
    "clipped sgd": optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(0.1)),
}


def quadratic(params, batch):
    """Half the squared distance: its gradient is `params` minus the mean of the inputs, its curvature 1."""
    return 0.5 * jnp.mean((params - batch.inputs) ** 2), {}


def at(value):
    return mf.Batch(inputs=jnp.array([value]), targets=jnp.array([0]))


def tanh_net(params, batch):
    """Squared error of a smooth 2-3-1 network."""
    hidden = jnp.tanh(batch.inputs @ params["w1"] + params["b1"][None])
    return jnp.mean((hidden @ params["w2"] - batch.targets) ** 2), {}


def net_and_batches():
    rng = np.random.default_rng(0)
    shapes = {"w1": (2, 3), "b1": (3,), "w2": (3, 1)}
    params = {name: jnp.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}
    batch = lambda n: mf.Batch(jnp.asarray(rng.normal(size=(n, 2))), jnp.asarray(rng.normal(size=(n, 1))))
    return params, batch(4), batch(6)


def central_differences(function, params, step=1e-5):
    flat, unravel = ravel_pytree(params)
    shifts = step * jnp.eye(flat.size)
    values = jax.vmap(lambda shift: function(unravel(flat + shift)))(jnp.concatenate([shifts, -shifts]))
    return (values[: flat.size] - values[flat.size :]) / (2 * step)


@functools.cache
def meta_gradients(name, steps=2):
    """All that is compared of one rule, flat and in double precision, from one compiled program."""
    rule = RULES[name]
    params, support, query = net_and_batches()
    gradient = jax.grad(lambda params: tanh_net(params, support)[0])

    def outer(params, order):
        adapted, _ = mf.adapt(tanh_net, params, support, optimizer=rule, num_steps=steps, order=order)
        return tanh_net(adapted, query)[0], adapted

    def walk(params):
        """The inner gradients along the way, and where it ends, with no word of derivatives."""
        numbers, state = [], rule.init(params)
        for _ in range(steps):
            numbers.append(gradient(params))
            updates, state = rule.update(numbers[-1], state, params)
            params = optax.apply_updates(params, updates)
        return numbers, params

    def replay(params, numbers):
        """The same walk with the gradients as given numbers: what is left is the rule's own dependence on `params`."""
        state = rule.init(params)
        for grads in numbers:
            updates, state = rule.update(grads, state, params)
            params = optax.apply_updates(params, updates)
        return tanh_net(params, query)[0]

    @jax.jit
    def everything(params):
        numbers, end = walk(params)
        first, ends_first = jax.grad(outer, has_aux=True)(params, "first")
        exact, ends_exact = jax.grad(outer, has_aux=True)(params, "second")
        results = {"first": first, "exact": exact, "replayed": jax.grad(replay)(params, numbers)}
        results |= {"end": end, "ends_first": ends_first, "ends_exact": ends_exact}
        results = {key: ravel_pytree(tree)[0] for key, tree in results.items()}
        return results | {"differences": central_differences(lambda params: outer(params, "second")[0], params)}

    return jax.tree.map(np.asarray, everything(params))


@pytest.mark.parametrize(("steps", "order"), [(1, "first"), (1, "second"), (2, "second"), (7, "first")])
def test_on_a_quadratic_k_steps_shrink_the_distance_by_one_minus_alpha_to_the_k(steps, order, x64):
    alpha, target = 0.1, 1.0
    run = lambda theta: mf.adapt(quadratic, theta, at(target), optimizer=optax.sgd(alpha), num_steps=steps, order=order)
    adapted, info = jax.jit(run)(jnp.array(3.0))
    shrunk = (1 - alpha) ** np.arange(steps + 1) * (3.0 - target)
    np.testing.assert_allclose(adapted, target + shrunk[-1], rtol=1e-12)
    np.testing.assert_allclose(info.losses, 0.5 * shrunk[:-1] ** 2, rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_the_exact_meta_gradient_of_a_quadratic_has_the_factor_that_the_first_order_one_drops(steps, x64):
    alpha, theta, s, q = 0.1, 3.0, 1.0, -2.0

    def outer(theta, order):
        adapted, _ = mf.adapt(quadratic, theta, at(s), optimizer=optax.sgd(alpha), num_steps=steps, order=order)
        return quadratic(adapted, at(q))[0]

    adapted = s + (1 - alpha) ** steps * (theta - s)
    exact, first = jax.jit(lambda theta: [jax.grad(outer)(theta, order) for order in ("second", "first")])(theta)
    np.testing.assert_allclose(exact, (1 - alpha) ** steps * (adapted - q), rtol=1e-12)
    np.testing.assert_allclose(first, adapted - q, rtol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_the_exact_meta_gradient_agrees_with_central_differences(rule, x64):
    results = meta_gradients(rule)
    scale = np.abs(results["differences"]).max()
    np.testing.assert_allclose(results["exact"], results["differences"], rtol=1e-5, atol=1e-6 * scale)


@pytest.mark.parametrize("rule", RULES)
def test_the_first_order_meta_gradient_takes_the_inner_gradients_as_numbers(rule, x64):
    results = meta_gradients(rule)
    np.testing.assert_allclose(results["first"], results["replayed"], rtol=1e-10, atol=1e-14)
    # Were the two orders alike here, the comparison would show nothing.
    assert np.abs(results["exact"] - results["first"]).max() > 1e-3 * np.abs(results["first"]).max()


@pytest.mark.parametrize("rule", RULES)
def test_the_order_changes_the_derivative_and_never_the_value(rule, x64):
    results = meta_gradients(rule)
    np.testing.assert_allclose(results["ends_first"], results["end"], rtol=1e-12)
    np.testing.assert_allclose(results["ends_exact"], results["end"], rtol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("rule", RULES)
def test_adapted_parameters_keep_structure_shapes_and_dtypes(rule, dtype):
    params, support, _ = net_and_batches()
    cast = lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
    params, support = jax.tree.map(cast, (params, support))
    adapted, info = jax.eval_shape(
        lambda params: mf.adapt(tanh_net, params, support, optimizer=RULES[rule], num_steps=3), params
    )
    signature = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)
    assert signature(adapted) == signature(params)
    assert info.losses.shape == (3,)


@pytest.mark.parametrize("order", ["first", "second"])
def test_no_steps_return_the_parameters_themselves_and_pass_the_gradient_through(order):
    params, support, query = net_and_batches()
    run = lambda params: mf.adapt(tanh_net, params, support, optimizer=optax.adam(0.1), num_steps=0, order=order)
    through = lambda params: tanh_net(run(params)[0], query)[0]
    direct = lambda params: tanh_net(params, query)[0]
    (adapted, info), through, direct = jax.jit(lambda p: (run(p), jax.grad(through)(p), jax.grad(direct)(p)))(params)
    jax.tree.map(np.testing.assert_array_equal, adapted, params)
    assert info.losses.shape == (0,)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), through, direct)


def test_long_loops_and_unrolled_ones_walk_the_same_path(x64):
    params, support, _ = net_and_batches()
    walk = lambda params, steps: mf.adapt(tanh_net, params, support, optimizer=optax.sgd(0.1), num_steps=steps)
    long, info = jax.jit(walk, static_argnums=1)(params, 6)
    unrolled = jax.jit(walk, static_argnums=1)
    half, first = unrolled(params, 3)
    short, last = unrolled(half, 3)
    np.testing.assert_allclose(info.losses, np.concatenate([first.losses, last.losses]), rtol=1e-12)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), long, short)


def test_the_inner_optimizer_starts_afresh_in_every_call():
    rule = optax.sgd(0.1, momentum=0.9)
    run = jax.jit(lambda theta: mf.adapt(quadratic, theta, at(1.0), optimizer=rule, num_steps=1)[0])
    # One call takes a tenth off the distance; momentum carried into the second would take more.
    np.testing.assert_allclose(run(run(3.0)), 1 + 0.9 * 0.9 * 2, rtol=1e-6)


def test_adam_gives_finite_exact_meta_gradients_at_a_zero_inner_gradient_once_eps_root_is_positive():
    # The square root of adam's second moment has no derivative at 0; optax's `eps_root` is the remedy.
    rule = optax.adam(0.1, eps_root=1e-8)
    outer = lambda theta: quadratic(mf.adapt(quadratic, theta, at(1.0), optimizer=rule, order="second")[0], at(0.0))[0]
    assert np.isfinite(jax.jit(jax.grad(outer))(1.0))


def test_wrong_settings_are_named_in_one_line():
    # Past the tests' own type checks, as a user meets it.
    adapt = inspect.unwrap(mf.adapt)
    with pytest.raises(ValueError, match="`num_steps` must be at least 0, got -1"):
        adapt(quadratic, jnp.array(1.0), at(1.0), optimizer=optax.sgd(0.1), num_steps=-1)
    with pytest.raises(ValueError, match="unknown `order` 'third'; known: first, second"):
        adapt(quadratic, jnp.array(1.0), at(1.0), optimizer=optax.sgd(0.1), order="third")


EXACT = [("mixed", "none"), ("second", "steps"), ("second", "sqrt"), ("mixed", "steps"), ("mixed", "sqrt")]


# All five under a rule with a state. What computes again does not know the rule: of those without a state, the clipped
# one meets both orders and both ways to compute again, and mixed mode computes again under sgd in `test_maml`.
@pytest.mark.parametrize(("name", "ways"), [("adamw", EXACT), ("clipped sgd", EXACT[:3]), ("sgd", EXACT[:1])])
def test_mixed_mode_and_computing_again_give_the_exact_gradient(name, ways, x64):
    params, support, query = net_and_batches()

    def outer(arguments, order, remat):
        params, inputs = arguments
        adapted, info = mf.adapt(
            tanh_net, params, support._replace(inputs=inputs), optimizer=RULES[name], num_steps=7, order=order,
            remat=remat,
        )  # fmt: skip
        # The support losses too may be part of what is differentiated, and the support inputs.
        return tanh_net(adapted, query)[0] + jnp.sum(info.losses**2)

    @jax.jit
    def run(arguments):
        return [jax.value_and_grad(outer)(arguments, *how) for how in [("second", "none"), *ways]]

    expected, *found = run((params, support.inputs))
    for one in found:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), one, expected)


@pytest.mark.parametrize("order", ["second", "mixed"])
def test_parameters_of_half_precision_keep_their_type_under_a_loss_of_full_precision(order):
    def outer(theta):
        adapted, info = mf.adapt(quadratic, theta, at(1.0), optimizer=optax.sgd(0.5), num_steps=1, order=order)
        return quadratic(adapted, at(-2.0))[0] + jnp.sum(info.losses)

    slope = jax.jit(jax.grad(outer))(jnp.bfloat16(3.0))
    assert slope.dtype == jnp.bfloat16
    assert slope == 0.5 * (2 + 2) + (3 - 1)  # through the step to 2, and of the support loss itself; all exact


@pytest.mark.parametrize("grad_steps", [0, 1, 2, 5, 9])
def test_truncated_only_the_last_steps_shrink_the_gradient(grad_steps, x64):
    alpha, theta, s, q, steps = 0.1, 3.0, 1.0, -2.0, 5

    def outer(theta, order):
        adapted, info = mf.adapt(
            quadratic, theta, at(s), optimizer=optax.sgd(alpha), num_steps=steps, order=order, grad_steps=grad_steps
        )
        return quadratic(adapted, at(q))[0], info.losses

    shrunk = (1 - alpha) ** np.arange(steps + 1) * (theta - s)
    run = jax.jit(lambda theta: [jax.grad(outer, has_aux=True)(theta, order) for order in ("second", "mixed")])
    for gradient, losses in run(theta):
        np.testing.assert_allclose(gradient, (1 - alpha) ** min(grad_steps, steps) * (s + shrunk[-1] - q), rtol=1e-12)
        np.testing.assert_allclose(losses, 0.5 * shrunk[:-1] ** 2, rtol=1e-12)


def test_a_probe_sees_the_parameters_after_each_step(x64):
    alpha, theta, s, steps = 0.1, 3.0, 1.0, 4

    def last_of(theta):
        _, info = mf.adapt(
            quadratic, theta, at(s), optimizer=optax.sgd(alpha), num_steps=steps, order="second", grad_steps=2,
            after_step=lambda params: {"params": params},
        )  # fmt: skip
        return info.reports["params"]

    expected = s + (1 - alpha) ** np.arange(1, steps + 1) * (theta - s)
    seen, slopes = jax.jit(lambda theta: (last_of(theta), jax.jacobian(last_of)(theta)))(theta)
    np.testing.assert_allclose(seen, expected, rtol=1e-12)
    # After the first two steps, which are not differentiated, the derivative is still 1.
    np.testing.assert_allclose(slopes, (1 - alpha) ** np.array([0, 0, 1, 2]), rtol=1e-12)


def stored_bytes(order, remat):
    """Temporary memory of the compiled outer gradient of 16 steps on a batch that dwarfs the parameters."""
    params = {"w1": jnp.ones((4, 32)), "b1": jnp.ones(32), "w2": jnp.ones((32, 1))}
    batch = mf.Batch(jnp.ones((512, 4)), jnp.ones((512, 1)))

    def outer(params):
        adapted, _ = mf.adapt(tanh_net, params, batch, optimizer=optax.sgd(0.1), num_steps=16, order=order, remat=remat)
        return tanh_net(adapted, batch)[0]

    return jax.jit(jax.grad(outer)).lower(params).compile().memory_analysis().temp_size_in_bytes


def test_mixed_mode_and_computing_again_need_less_memory():
    plain = stored_bytes("second", "none")
    for how in EXACT:
        assert stored_bytes(*how) < plain / 3, how
