"""Every way to run a meta-batch gives the numbers of a plain Python loop."""

import inspect
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.backbones._convolution import max_pool, patches_conv
from metaforge.core.execution import Strategy, each_task, task_gradients

STRATEGIES = ("auto", "vmap", "scan", "unroll")


def tanh_net(params, batch):
    hidden = jnp.tanh(batch.inputs @ params["w1"])
    return jnp.mean((hidden @ params["w2"] - batch.targets) ** 2), {}


def task(order, steps):
    """A task's query loss, and its support losses as the report."""

    def task_loss(params, episode):
        adapted, info = mf.adapt(
            tanh_net, params, episode.support, optimizer=optax.sgd(0.3), num_steps=steps, order=order
        )
        return tanh_net(adapted, episode.query)[0], {"support": info.losses}

    return task_loss


def problem(dtype, tasks=2):
    rng = np.random.default_rng(0)
    params = {"w1": rng.normal(size=(3, 4)), "w2": rng.normal(size=(4, 2))}
    batch = lambda n: mf.Batch(rng.normal(size=(tasks, n, 3)), rng.normal(size=(tasks, n, 2)))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (params, mf.Episode(batch(4), batch(6))))


def assert_close(actual, expected, rtol):
    scale = lambda leaf: rtol * max(float(np.abs(leaf).max(initial=0)), 1e-3)
    compare = lambda a, e: np.testing.assert_allclose(a, e, rtol=rtol, atol=scale(e), equal_nan=False)
    jax.tree.map(compare, actual, expected)


def test_the_tests_know_every_strategy():
    assert set(STRATEGIES) == set(Strategy.__args__)


SINGLE, DOUBLE = (jnp.float32, 1e-5), (jnp.float64, 1e-10)

# Every pair of two settings once.


@pytest.mark.parametrize(
    ("order", "steps", "dtype", "rtol"),
    [("first", 2, *SINGLE), ("second", 1, *SINGLE), ("first", 1, *DOUBLE), ("second", 2, *DOUBLE)],
)
def test_all_strategies_equal_a_loop_over_tasks(order, steps, dtype, rtol, x64):
    params, episodes = problem(dtype)
    task_loss = task(order, steps)
    run = jax.jit(lambda p, e: [task_gradients(task_loss, p, e, strategy=strategy) for strategy in STRATEGIES[1:]])
    results = run(params, episodes)

    one = jax.jit(jax.value_and_grad(task_loss, has_aux=True))
    loop = [one(params, jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], episodes)) for i in range(2)]
    expected = jax.tree.map(lambda *leaves: np.stack(leaves), *loop)
    for result in results:
        assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(result))
        assert_close(result, expected, rtol)


def test_convolutions_run_alike_grouped_under_vmap_and_as_patches_in_a_scan(x64):
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(2, 3, 6, 6, 2)))
    batch = mf.Batch(images, jnp.asarray(rng.normal(size=(2, 3, 3, 3, 2))))
    episodes = mf.Episode(batch, batch._replace(inputs=images[:, ::-1]))
    kernel = jnp.asarray(rng.normal(size=(3, 3, 2, 2)))

    def run(convolve, strategy):
        def loss_fn(kernel, batch):
            features = convolve(batch.inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            return jnp.mean((max_pool(features) - batch.targets) ** 2), {}

        def task_loss(kernel, episode):
            adapted, _ = mf.adapt(loss_fn, kernel, episode.support, optimizer=optax.sgd(0.01), order="second")
            return loss_fn(adapted, episode.query)

        return jax.jit(lambda p, e: task_gradients(task_loss, p, e, strategy=strategy))(kernel, episodes)

    assert_close(run(jax.lax.conv_general_dilated, "vmap"), run(patches_conv, "scan"), 1e-10)


def test_auto_is_one_of_the_others_on_this_machine():
    params, episodes = problem(jnp.float32)
    program = lambda strategy: str(
        jax.make_jaxpr(lambda p, e: task_gradients(task("first", 1), p, e, strategy=strategy))(params, episodes)
    )
    assert program("auto") == program("scan" if jax.default_backend() == "cpu" else "vmap")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_task_is_a_meta_batch_too(strategy):
    params, episodes = problem(jnp.float32, tasks=1)
    run = lambda params: task_gradients(task("first", 1), params, episodes, strategy=strategy)
    (losses, reports), gradients = jax.eval_shape(run, params)
    assert losses.shape == (1,)
    assert reports["support"].shape == (1, 1)
    assert gradients["w1"].shape == (1, 3, 4)


def test_an_unknown_strategy_is_named_with_the_known_ones():
    params, episodes = problem(jnp.float32)
    with pytest.raises(ValueError, match="unknown `strategy` 'pmap'; known: auto, vmap, scan, unroll"):
        inspect.unwrap(each_task)(task("first", 1), params, episodes, strategy="pmap")


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's account of memory")
def test_a_thousand_outer_steps_take_no_more_memory_than_a_hundred():
    # 80 kB of parameters: kept from every step, they would be 70 MB by the end.
    params = {"w1": jnp.full((3, 4000), 1 / 3), "w2": jnp.full((4000, 2), 1 / 4000)}
    # One task of one image a side: what a step keeps has the parameters' size, and a step's work the images'.
    episodes = jax.tree.map(lambda leaf: leaf[:, :1], problem(jnp.float32, tasks=1)[1])
    learner = mf.maml(
        tanh_net, inner_optimizer=optax.sgd(1e-3), outer_optimizer=optax.adam(1e-4), inner_steps=2, order="mixed"
    )
    update, state = jax.jit(learner.update, donate_argnums=0), learner.init(params)
    seen = {}
    for step in range(1, 1001):
        state, info = update(state, episodes)
        if step in (100, 1000):
            jax.block_until_ready(info)
            seen[step] = (len(jax.live_arrays()), resident_bytes())
    assert seen[1000][0] == seen[100][0]
    assert seen[1000][1] - seen[100][1] < 20e6
