"""What holds for every meta-learner. A new one is a new row of `CASES`."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge import learners
from metaforge.core import param_paths

SGD = optax.sgd(0.1)


class Case(NamedTuple):
    """A learner and its settings.

    Attributes:
        name: of the learner.
        options: its own; `inner_optimizer` is `optax.sgd(0.1)` where none is given and the learner takes one.
        unmoved: a pattern of paths that an outer step need not move, such as a head that the learner does not use.
        inner: whether it takes `inner_steps`; one that adapts in closed form does not.
        pools: whether it reports all tasks as one.
        weighs: whether its loss is the weighted sum (or mean) of the query losses, and nothing else.
        sees_order: whether a task's place in the meta-batch says what it is for, as in a split into two roles.
    """

    name: str
    options: Mapping[str, Any] = MappingProxyType({})
    unmoved: str = "^$"
    inner: bool = True
    pools: bool = False
    weighs: bool = True
    sees_order: bool = False


CASES = {
    "maml": Case("maml", {"inner_optimizer": SGD}),
    "maml, two steps of adam, vmapped": Case(
        "maml",
        {"inner_steps": 2, "reduction": "mean", "strategy": "vmap", "inner_optimizer": optax.adam(0.01, eps=1e-3)},
    ),
    "maml, of the first layer": Case("maml", {"adaptable": "Dense_0", "inner_optimizer": SGD}),
    "fomaml": Case("fomaml", {"inner_steps": 2, "inner_optimizer": SGD}),
    "daml": Case("daml", {"inner_optimizer": SGD}),
    "daml, normalised": Case("daml", {"normalize": True, "detach": True, "order": "second", "inner_optimizer": SGD}),
    "imaml": Case("imaml", {"lam": 10.0, "inner_steps": 3, "inner_optimizer": SGD}),
    "imaml, of the first layer": Case(
        "imaml",
        {"lam": 10.0, "inner_steps": 3, "adaptable": "Dense_0", "strategy": "vmap", "inner_optimizer": SGD},
    ),
    "erm": Case("erm", {"inner_optimizer": SGD}, pools=True),
    "anil": Case("anil", {"inner_steps": 2, "inner_optimizer": SGD}),
    "meta_sgd": Case("meta_sgd", {"inner_lr": 0.1}),
    "meta_sgd, first order, by array": Case(
        "meta_sgd", {"inner_lr": 0.1, "inner_steps": 2, "order": "first", "rates": "array"}
    ),
    "maml_plus_plus": Case(
        "maml_plus_plus",
        {"inner_lr": 0.1, "inner_steps": 2, "multi_step_iterations": 2, "second_order_from": 1, "strategy": "vmap"},
    ),
    "maml_plus_plus, a bias for each step": Case(
        "maml_plus_plus", {"inner_lr": 0.1, "inner_steps": 2, "per_step": "Dense_0/bias"}
    ),
    "protonet": Case("protonet", unmoved="^head/", inner=False),
    "ridge": Case("ridge", {"scale": 4.0, "reduction": "mean"}, unmoved="^head/", inner=False),
    "r2d2": Case("r2d2", {"strategy": "vmap"}, unmoved="^params/head/", inner=False),
    "reptile": Case("reptile", {"inner_steps": 2, "batch_size": 4, "inner_optimizer": SGD}),
    "mldg": Case("mldg", {"inner_optimizer": SGD}, sees_order=True),
    "ltw": Case("ltw", {"inner_optimizer": SGD, "hidden": 3}, weighs=False, sees_order=True),
    "group_dro": Case("group_dro", {"domains": 3, "inner_optimizer": SGD}),
    "coral": Case("coral", {"inner_optimizer": SGD}, weighs=False),
    "irm": Case("irm", {"weight": 10.0, "warm_up": 2, "inner_optimizer": SGD}, weighs=False),
}
LOOK_INSIDE = {"anil", "protonet", "ridge", "r2d2", "ltw", "coral", "irm"}
"""Those that must be shown a model; the rest run on any loss function."""
TASKS = 3

model = mf.backbones.mlp(hidden=(4,), outputs=2)


def objective(outputs, batch):
    """Cross-entropy, and a metric that is a number of Python's."""
    value, metrics = mf.objectives.cross_entropy()(outputs, batch)
    return value, metrics | {"constant": 1.0}


def doubling(params, inputs, *, context=None, key=None):
    """The model, with a random half of its embeddings doubled where there is a key. (Of zeros, Adam has no slope.)"""
    seen = model.apply(params, inputs, context=context).embeddings
    seen = seen if key is None else seen * (1.0 + jax.random.bernoulli(key, 0.5, seen.shape))
    return mf.Outputs(model.head(params, seen), seen)


loss_fn = mf.objectives.loss_fn(model._replace(apply=doubling), objective)


def test_every_learner_has_a_row():
    public = {name for name in learners.__all__ if name.islower() and callable(getattr(learners, name))}
    assert public == set(mf.LEARNERS)
    assert public == {case.name for case in CASES.values()}
    assert all(getattr(mf, name) is learner.make for name, learner in mf.LEARNERS.items())


def episodes(seed):
    rng = np.random.default_rng(seed)
    labels = lambda n: rng.permuted(np.arange(n) % 2 * np.ones((TASKS, 1), int), axis=1)
    batch = lambda n: mf.Batch(rng.normal(size=(TASKS, n, 3)).astype(np.float32), labels(n))
    return jax.tree.map(jnp.asarray, mf.Episode(batch(4), batch(6), np.arange(TASKS, dtype=np.int32)))


def drawing(seed, key=0):
    """Episodes in which the model draws."""
    return mf.with_keys(episodes(seed), jax.random.key(key))


def build(case, **options):
    name = CASES[case].name
    return mf.LEARNERS[name].make(loss_fn, outer_optimizer=optax.adam(0.1), **(dict(CASES[case].options) | options))


class Run:
    """One learner, compiled once for all laws: a second trace anywhere fails."""

    def __init__(self, case):
        self.case = CASES[case]
        self.learner = build(case)
        self.update = jax.jit(chex.assert_max_traces(self.learner.update, n=1))
        self.params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 3)))
        self.start = self.learner.init(self.params)
        self.before = jax.tree.map(np.array, (self.start, episodes(0)))
        self.state, self.info = self.update(self.start, drawing(0))


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
        state, _ = run.update(state, drawing(seed))
    assert state.step == 3


def test_the_state_keeps_its_structure_shapes_and_dtypes(run):
    assert signature(run.state) == signature(run.start)
    assert signature(run.learner.model(run.state.params)) == signature(run.params)
    assert_equal(run.learner.model(run.start.params), run.params)
    assert run.start.step == 0
    assert run.state.step == 1


def test_the_same_inputs_give_the_same_outputs_bit_for_bit(run):
    assert_equal(run.update(run.start, drawing(0)), (run.state, run.info))


def test_what_a_model_draws_it_draws_from_the_key_of_its_episodes(run):
    other, _ = run.update(run.start, drawing(0, key=1))
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), run.state.params, other.params)
    assert any(jax.tree.leaves(moved))


def test_what_is_given_is_left_as_it_was(run):
    assert_equal((run.start, episodes(0)), run.before)


def test_one_step_moves_every_parameter_array_and_nothing_is_infinite(run):
    moved = jax.tree.map(lambda before, after: bool(np.any(before != after)), run.start.params, run.state.params)
    names = jax.tree.leaves(param_paths.paths(moved))
    still = [name for name, moves in zip(names, jax.tree.leaves(moved), strict=True) if not moves]
    assert [name for name in still if not re.search(run.case.unmoved, name)] == []
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((run.state, run.info)))
    assert run.info.grad_norm > 0


def test_the_order_of_tasks_does_not_matter(run):
    if run.case.sees_order:
        pytest.skip("the place of a task is its role")
    # Which row is doubled goes by its place in the pool.
    update, given = (jax.jit(run.learner.update), episodes(0)) if run.case.pools else (run.update, drawing(0))
    order = np.array([2, 0, 1])
    state, info = update(run.start, jax.tree.map(lambda leaf: leaf[order], given))
    expected, as_given = update(run.start, given)
    assert_close(state, expected)
    assert_close(info.loss, as_given.loss)
    if as_given.query_losses.shape == (TASKS,):
        assert_close(info.query_losses, np.asarray(as_given.query_losses)[order])


def test_what_is_reported_fits_together(run):
    info = run.info
    rows = info.query_losses.shape
    assert rows == ((1,) if run.case.pools else (TASKS,))
    assert info.weights.shape == info.gradient_factors.shape == info.metrics["accuracy"].shape == rows
    assert np.all(info.metrics["constant"] == np.ones(rows))
    assert info.support_losses.shape[:1] == rows
    assert info.loss.shape == info.grad_norm.shape == ()
    if not run.case.weighs:
        return
    total = np.sum(np.asarray(info.weights) * info.query_losses)
    assert np.isclose(info.loss, total, rtol=1e-5) or np.isclose(info.loss, total / TASKS, rtol=1e-5)


def test_adapt_lowers_the_support_loss_and_runs_under_vmap_as_alone(run):
    adapt, loss = run.learner.adapt, jax.vmap(lambda params, batch: loss_fn(params, batch)[0], in_axes=(None, 0))

    @jax.jit
    def both_ways(params, support):
        found = jax.vmap(adapt, in_axes=(None, 0))(params, support)
        before = loss(run.learner.model(params), support)
        after = jax.vmap(lambda params, batch: loss_fn(params, batch)[0])(found[0], support)
        return found, adapt(params, jax.tree.map(lambda leaf: leaf[-1], support)), before, after

    found, alone, before, after = both_ways(run.start.params, episodes(0).support)
    assert_close(jax.tree.map(lambda leaf: np.asarray(leaf)[-1], found), alone)
    assert signature(alone[0]) == signature(run.params)
    assert np.all(after < before)


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case].inner])
def test_no_inner_steps_adapt_to_nothing(case):
    learner = build(case, inner_steps=0)
    params = {"Dense_0": {"kernel": jnp.ones((3, 4)), "bias": jnp.arange(4.0)}}
    params |= {"head": {"kernel": jnp.ones((4, 2)), "bias": jnp.zeros(2)}}
    batch = mf.Batch(jnp.ones((2, 3)), jnp.zeros(2, jnp.int32))
    adapted, info = learner.adapt(learner.init(params).params, batch)
    assert_equal(adapted, params)
    assert info.losses.shape == (0,)


def takes_numbers(case):
    """Whether a learner runs on a loss function of a single number, as in the docstrings."""
    return CASES[case].name not in LOOK_INSIDE and not {"adaptable", "per_step"} & set(CASES[case].options)


ASKING = {
    "polyak": optax.polyak_sgd(max_learning_rate=0.5),
    # From steps that would lead far too far.
    "halving": optax.chain(optax.sgd(1e3), optax.scale_by_backtracking_linesearch(12, decrease_factor=0.5)),
    "lbfgs": optax.lbfgs(memory_size=2),
}
"""Rules that ask for the loss, and for the loss elsewhere."""
EXACT_ALONE = {"ltw"}
"""Learners that go through their inner steps exactly, whatever one says."""


# What the shorter search is given, the longer is: to compile it for one learner is enough.
@pytest.mark.parametrize(
    ("name", "rule"),
    [(name, rule) for name, entry in mf.LEARNERS.items() if "inner_optimizer" in entry.takes
     for rule in ASKING if rule != "lbfgs" or name == "maml"],
)  # fmt: skip
def test_the_inner_rule_may_ask_for_the_loss_and_search_along_a_line(name, rule):
    takes = mf.LEARNERS[name].takes
    first = {"order": "first"} if "order" in takes and rule != "polyak" else {}
    learner = build(name, inner_optimizer=ASKING[rule], **first)
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 3)))
    support = jax.tree.map(lambda leaf: leaf[0], episodes(0).support)

    @jax.jit
    def run(state, episodes, support):
        adapted, info = learner.adapt(state.params, support)
        return info.losses[0], loss_fn(adapted, support)[0], learner.update(state, episodes)

    if rule != "polyak" and name in EXACT_ALONE:
        with pytest.raises(ValueError, match="searches along a line cannot be differentiated exactly"):
            run(learner.init(params), episodes(0), support)
        return
    before, after, (state, info) = run(learner.init(params), episodes(0), support)
    assert after < before
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((state, info)))


@pytest.mark.parametrize("name", mf.LEARNERS)
def test_the_outer_rule_may_ask_for_the_loss(name):
    options = dict(CASES[name].options)
    learner = mf.LEARNERS[name].make(loss_fn, outer_optimizer=optax.polyak_sgd(max_learning_rate=0.5), **options)
    params = {"Dense_0": {"kernel": jnp.ones((3, 4)), "bias": jnp.zeros(4)}}
    start = learner.init(params | {"head": {"kernel": jnp.ones((4, 2)), "bias": jnp.zeros(2)}})
    state, _ = jax.eval_shape(learner.update, start, episodes(0))
    assert signature(state) == signature(start)


@pytest.mark.parametrize("name", sorted(LOOK_INSIDE))
def test_a_loss_function_that_shows_no_model_is_refused_in_one_line(name):
    with pytest.raises(ValueError, match=f"^{name} looks inside a model, and this loss function shows none"):
        mf.LEARNERS[name].make(lambda *_: (0.0, {}), outer_optimizer=optax.adam(0.1), **CASES[name].options)


@pytest.mark.parametrize("case", filter(takes_numbers, CASES))
def test_weakly_typed_parameters_do_not_compile_twice(case):
    # `jnp.array(1.0)` is weakly typed, and every example in the docstrings starts from one.
    loss_fn = lambda params, batch: (jnp.mean((params - batch.inputs) ** 2), {})
    learner = mf.LEARNERS[CASES[case].name].make(loss_fn, outer_optimizer=optax.adam(0.1), **CASES[case].options)
    state = learner.init(jnp.array(1.0))
    # A program is for shapes, types and weakness: a state that is left as it was found needs no second one.
    assert signature(jax.eval_shape(learner.update, state, episodes(0))[0]) == signature(state)


@pytest.mark.parametrize("case", ["daml", "reptile"])
def test_inputs_may_be_a_pytree(case):
    apply = lambda params, inputs, context=None: model.apply(params, inputs["image"], context=context)
    seen = mf.objectives.loss_fn(model._replace(apply=apply), objective)
    beside = lambda batch: batch._replace(inputs={"image": batch.inputs, "mask": batch.inputs[..., 0] > 0})
    plain = episodes(0)
    both = plain._replace(support=beside(plain.support), query=beside(plain.query))
    options = dict(CASES[case].options)
    learner = mf.LEARNERS[CASES[case].name].make(seen, outer_optimizer=optax.adam(0.1), **options)
    start = learner.init(model.init(jax.random.key(0), jnp.zeros((1, 3))))
    known = build(case)
    assert_close(jax.jit(learner.update)(start, both)[0].params, jax.jit(known.update)(start, plain)[0].params)
