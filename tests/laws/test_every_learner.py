"""What holds for every meta-learner. A new one is a new row of `CASES`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge import learners

# The learner's name, its own options, and its inner rule.
CASES = {
    "maml": ("maml", {}, optax.sgd(0.1)),
    "maml, three steps of adam": ("maml", {"inner_steps": 3, "reduction": "mean"}, optax.adam(0.01, eps=1e-3)),
    "maml, vmapped": ("maml", {"tasks": "vmap"}, optax.sgd(0.1, momentum=0.9)),
    "fomaml": ("fomaml", {"inner_steps": 2}, optax.sgd(0.1)),
    "daml": ("daml", {}, optax.sgd(0.1)),
    "daml, normalised": ("daml", {"normalize": True, "detach": True, "order": "second"}, optax.sgd(0.1)),
    "erm": ("erm", {}, optax.sgd(0.1)),
}
TASKS = 3

model = mf.backbones.mlp(hidden=(4,), outputs=2)
loss_fn = mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy())


def test_every_learner_has_a_row():
    public = {name for name in vars(learners) if name.islower() and callable(getattr(learners, name))}
    assert public == set(mf.LEARNERS)
    assert public <= {name for name, _, _ in CASES.values()}
    assert all(getattr(mf, name) is learner for name, learner in mf.LEARNERS.items())


def episodes(seed):
    rng = np.random.default_rng(seed)
    batch = lambda n: mf.Batch(rng.normal(size=(TASKS, n, 3)).astype(np.float32), rng.integers(0, 2, size=(TASKS, n)))
    return jax.tree.map(jnp.asarray, mf.Episode(batch(4), batch(5)))


def build(case, loss_fn=loss_fn):
    name, options, rule = CASES[case]
    return mf.LEARNERS[name](loss_fn, inner_optimizer=rule, outer_optimizer=optax.adam(0.1), **options)


class Run:
    """One learner, compiled once for all laws: a second trace anywhere fails."""

    def __init__(self, case):
        self.learner = build(case)
        self.update = jax.jit(chex.assert_max_traces(self.learner.update, n=1))
        self.params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 3)))
        self.start = self.learner.init(self.params)
        self.before = jax.tree.map(np.array, (self.start, episodes(0)))
        self.state, self.info = self.update(self.start, episodes(0))


@pytest.fixture(scope="module", params=CASES)
def run(request):
    chex.clear_trace_counter()
    return Run(request.param)


def assert_equal(actual, expected):
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def assert_close(actual, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), actual, expected)


def signature(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), tree)


def test_new_data_and_a_moved_state_do_not_compile_again(run):
    state = run.state
    for seed in (1, 2):
        state, _ = run.update(state, episodes(seed))
    assert state.step == 3


def test_the_state_keeps_its_structure_shapes_and_dtypes(run):
    assert signature(run.state) == signature(run.start)
    assert signature(run.state.params) == signature(run.params)
    assert run.start.step == 0
    assert run.state.step == 1


def test_the_same_inputs_give_the_same_outputs_bit_for_bit(run):
    assert_equal(run.update(run.start, episodes(0)), (run.state, run.info))


def test_what_is_given_is_left_as_it_was(run):
    assert_equal((run.start, episodes(0)), run.before)


def test_one_step_moves_every_parameter_array_and_nothing_is_infinite(run):
    for before, after in zip(jax.tree.leaves(run.params), jax.tree.leaves(run.state.params), strict=True):
        assert np.any(before != after)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((run.state, run.info)))
    assert run.info.grad_norm > 0


def test_the_order_of_tasks_does_not_matter(run):
    shuffled = jax.tree.map(lambda leaf: leaf[jnp.array([2, 0, 1])], episodes(0))
    state, info = run.update(run.start, shuffled)
    assert_close(state, run.state)
    assert_close(info.loss, run.info.loss)
    if run.info.query_losses.shape == (TASKS,):
        assert_close(info.query_losses, run.info.query_losses[jnp.array([2, 0, 1])])


def test_what_is_reported_fits_together(run):
    info = run.info
    rows = info.query_losses.shape
    assert info.weights.shape == info.gradient_factors.shape == info.metrics["accuracy"].shape == rows
    assert info.support_losses.shape[:1] == rows
    assert info.loss.shape == info.grad_norm.shape == ()
    total = np.sum(np.asarray(info.weights) * info.query_losses)
    assert np.isclose(info.loss, total, rtol=1e-5) or np.isclose(info.loss, total / TASKS, rtol=1e-5)


def test_adapt_lowers_the_support_loss_and_runs_under_vmap_as_alone(run):
    support = episodes(0).support
    adapted, info = jax.jit(jax.vmap(run.learner.adapt, in_axes=(None, 0)))(run.params, support)
    last = jax.tree.map(lambda leaf: leaf[-1], support)
    assert_close(jax.tree.map(lambda leaf: leaf[-1], (adapted, info)), jax.jit(run.learner.adapt)(run.params, last))
    after = jax.vmap(lambda params, batch: loss_fn(params, batch)[0])(adapted, support)
    assert np.all(after < info.losses[:, 0])


@pytest.mark.parametrize("case", CASES)
def test_no_inner_steps_adapt_to_nothing(case):
    name, options, rule = CASES[case]
    options = options | {"inner_steps": 0}
    learner = mf.LEARNERS[name](loss_fn, inner_optimizer=rule, outer_optimizer=optax.adam(0.1), **options)
    params = {"Dense_0": {"kernel": jnp.ones((3, 4)), "bias": jnp.arange(4.0)}}
    params |= {"head": {"kernel": jnp.ones((4, 2)), "bias": jnp.zeros(2)}}
    adapted, info = learner.adapt(params, mf.Batch(jnp.ones((2, 3)), jnp.zeros(2, jnp.int32)))
    assert_equal(adapted, params)
    assert info.losses.shape == (0,)


@pytest.mark.parametrize("case", CASES)
def test_weakly_typed_parameters_do_not_compile_twice_and_metrics_may_be_numbers(case):
    # `jnp.array(1.0)` is weakly typed, and every example in the docstrings starts from one.
    learner = build(case, lambda params, batch: (jnp.mean((params - batch.inputs) ** 2), {"constant": 1.0}))
    chex.clear_trace_counter()
    update = jax.jit(chex.assert_max_traces(learner.update, n=1))
    state, info = update(learner.init(jnp.array(1.0)), episodes(0))
    update(state, episodes(1))
    assert np.all(np.asarray(info.metrics["constant"]) == 1)
