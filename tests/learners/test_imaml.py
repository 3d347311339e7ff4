"""iMAML in closed form on quadratics, by differences of what is solved to the end, and in the limit that is MAML."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import metaforge as mf

SIZE, LAM = 4, 0.7


def quadratic(params, batch):
    """`0.5 (p - c)' A (p - c)`: a batch's inputs are the matrix, its targets the center."""
    away = params - batch.targets
    return 0.5 * away @ batch.inputs @ away, {}


def positive(rng):
    root = rng.normal(size=(SIZE, SIZE))
    return root @ root.T / SIZE + 0.1 * np.eye(SIZE)


def quadratics(tasks=2):
    rng = np.random.default_rng(0)
    side = lambda: mf.Batch(np.stack([positive(rng) for _ in range(tasks)]), rng.normal(size=(tasks, SIZE)))
    return rng.normal(size=SIZE), mf.Episode(side(), side())


def by_hand(theta, task, rest=np.linalg.solve):
    """Where the inner problem ends, what that loses on the queries, and the implicit gradient."""
    (a, c), (b, d) = (task.support.inputs, task.support.targets), (task.query.inputs, task.query.targets)
    found = np.linalg.solve(a + LAM * np.eye(SIZE), a @ c + LAM * theta)
    slope = b @ (found - d)
    return found, 0.5 * (found - d) @ slope, rest(np.eye(SIZE) + a / LAM, slope)


def each(episodes):
    return [jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), episodes) for i in range(2)]


RULES = {
    "sgd": (optax.sgd(0.3), 400),
    "adam, ever slower": (optax.adam(optax.exponential_decay(0.1, 1, 0.985)), 1500),
    "lbfgs": (optax.lbfgs(), 30),
}
"""Rules and how many steps of theirs end at the solution, to the digits that are asked for."""


@pytest.mark.parametrize("rule", RULES)
def test_on_quadratics_the_outer_gradient_is_exact_whatever_rule_has_solved_them(rule, x64):
    theta, episodes = quadratics()
    optimizer, steps = RULES[rule]
    learner = mf.imaml(
        quadratic, inner_optimizer=optimizer, outer_optimizer=optax.sgd(1.0), lam=LAM, cg_steps=SIZE, inner_steps=steps
    )
    state = learner.init(jnp.asarray(theta))
    after, info = jax.jit(learner.update)(state, episodes)
    ends, losses, gradients = zip(*[by_hand(theta, task) for task in each(episodes)], strict=True)
    np.testing.assert_allclose(theta - after.params, np.sum(gradients, axis=0), rtol=1e-6)
    np.testing.assert_allclose(info.query_losses, losses, rtol=1e-6)
    np.testing.assert_allclose(learner.adapt(state.params, each(episodes)[0].support)[0], ends[0], rtol=1e-6)


@pytest.mark.parametrize("strategy", ["scan", "vmap"])
def test_what_is_found_of_the_gradient_is_best_among_as_many_products_with_the_hessian(strategy, x64):
    # Of all combinations of g, Ag, ..., conjugate gradient finds the one with the least error in A's own norm.
    theta, episodes = quadratics()
    for steps in (0, 1, 2):
        learner = mf.imaml(
            quadratic, inner_optimizer=optax.sgd(0.3), outer_optimizer=optax.sgd(1.0), lam=LAM, cg_steps=steps,
            inner_steps=400, strategy=strategy,
        )  # fmt: skip

        def best(matrix, slope, steps=steps):
            residual = slope - matrix @ slope
            span = np.stack([np.linalg.matrix_power(matrix, n) @ residual for n in range(steps)] or [slope * 0], axis=1)
            share = np.linalg.lstsq(span.T @ matrix @ span, span.T @ residual, rcond=None)[0]
            return slope + span @ share

        state = learner.init(jnp.asarray(theta))
        moved = theta - jax.jit(learner.update)(state, episodes)[0].params
        np.testing.assert_allclose(moved, sum(by_hand(theta, task, best)[2] for task in each(episodes)), rtol=1e-7)


def bent(params, batch):
    logits = jnp.tanh(batch.inputs @ params["w1"]) @ params["w2"]
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch.targets).mean(), {}


def classes():
    rng = np.random.default_rng(1)
    params = {"w1": jnp.asarray(rng.normal(size=(3, 3))), "w2": jnp.asarray(rng.normal(size=(3, 2)))}
    batch = lambda n: mf.Batch(jnp.asarray(rng.normal(size=(1, n, 3)) * 2), jnp.asarray(rng.integers(0, 2, (1, n))))
    return params, mf.Episode(batch(4), batch(6))


@pytest.mark.parametrize("adaptable", ["", "w2", "w1"])
def test_the_outer_gradient_is_how_the_solved_problem_s_query_loss_changes(adaptable, x64):
    # That of the frozen part too, on which the solution depends.
    params, episodes = classes()
    learner = mf.imaml(
        bent, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.sgd(1.0), lam=2.0, cg_steps=20, inner_steps=200,
        adaptable=adaptable,
    )  # fmt: skip
    support, query = jax.tree.map(lambda leaf: leaf[0], (episodes.support, episodes.query))
    flat, whole = ravel_pytree(params)

    @jax.jit
    def both(flat):
        after, _ = learner.update(learner.init(whole(flat)), episodes)
        loss = lambda flat: bent(learner.adapt(whole(flat), support)[0], query)[0]
        shifts = 1e-5 * jnp.eye(flat.size)
        differences = jax.vmap(lambda shift: (loss(flat + shift) - loss(flat - shift)) / 2e-5)(shifts)
        return flat - ravel_pytree(after.params)[0], differences

    moved, expected = both(flat)
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-9)
    assert np.all(expected != 0)


@pytest.mark.parametrize(("order", "power"), [("second", 2), ("first", 1)])
def test_as_lambda_grows_it_becomes_one_step_of_second_order_maml_at_the_rate_of_its_inverse(order, power, x64):
    # phi = theta - grad / lam + O(1 / lam^2), and (I + H / lam)^-1 = I - H / lam + O(1 / lam^2): so twice the lambda
    # leaves a quarter of the difference. First order lacks H / lam, of which half is left.
    params, episodes = classes()

    @jax.jit
    def apart(params):
        found = []
        for lam in (400.0, 800.0):
            options: dict[str, Any] = {"outer_optimizer": optax.sgd(1.0), "inner_optimizer": optax.sgd(1 / lam)}
            ours = mf.imaml(bent, lam=lam, cg_steps=20, inner_steps=12, **options)
            maml = mf.maml(bent, order=order, **options)
            ends = [learner.update(learner.init(params), episodes)[0].params for learner in (ours, maml)]
            found.append(optax.global_norm(jax.tree.map(jnp.subtract, *ends)))
        return found[0] / found[1]

    np.testing.assert_allclose(apart(params), 2**power, rtol=0.02)


def test_memory_does_not_grow_with_the_inner_steps():
    params, episodes = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), classes())

    def kept(make, steps):
        learner = make(bent, inner_optimizer=optax.sgd(0.1), outer_optimizer=optax.sgd(1.0), inner_steps=steps)
        used: Any = jax.jit(learner.update).lower(learner.init(params), episodes).compile().memory_analysis()
        return used.temp_size_in_bytes

    # Loops of six steps and more are not unrolled; each step's loss is reported, 4 bytes here and there.
    grown = {make: kept(make, 2000) - kept(make, 1000) for make in (mf.imaml, mf.maml)}
    parameters = 4 * sum(leaf.size for leaf in jax.tree.leaves(params))
    assert grown[mf.imaml] <= 1000 * 4 * 4
    assert grown[mf.maml] >= 1000 * parameters


def test_support_losses_are_those_of_the_support_set_alone(x64):
    theta, episodes = quadratics()
    task = each(episodes)[0]
    learner = mf.imaml(
        quadratic, inner_optimizer=optax.sgd(0.3), outer_optimizer=optax.sgd(1.0), lam=LAM, inner_steps=3
    )
    _, info = learner.adapt(jnp.asarray(theta), jax.tree.map(jnp.asarray, task.support))
    at, expected = theta, []
    for _ in range(3):
        away = at - task.support.targets
        expected.append(0.5 * away @ task.support.inputs @ away)
        at = at - 0.3 * (task.support.inputs @ away + LAM * (at - theta))
    np.testing.assert_allclose(info.losses, expected, rtol=1e-10)


def test_what_cannot_work_is_refused():
    rules: dict[str, Any] = {"inner_optimizer": optax.sgd(0.1), "outer_optimizer": optax.sgd(1.0)}
    for lam in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=r"^`lam` must be above 0, got"):
            mf.imaml(bent, lam=lam, **rules)
    with pytest.raises(ValueError, match=r"^`cg_steps` must be at least 0, got -1\.$"):
        mf.imaml(bent, cg_steps=-1, **rules)
