"""Rules of adaptation: what holds for all of them, and each against another statement of what it does."""

import functools
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

import metaforge as mf
from metaforge import adaptation
from metaforge.backbones.efficientnet import _models, _plan
from metaforge.core.param_paths import paths, trainable

conv = mf.backbones.conv4(width=4, convolution="patches")
flat = mf.backbones.mlp(hidden=(6,), outputs=2)
objective = mf.objectives.cross_entropy()
SGD = optax.sgd(0.5)


def made(name, model, context=None, **others):
    """A rule of the table for a model; "own" is what a prototypical network does."""
    learner = mf.protonet(mf.objectives.loss_fn(model, objective), outer_optimizer=SGD)
    given = {"backbone": model, "objective": objective, "optimizer": SGD, "steps": (0, 2), "adaptable": "bias$",
             "l2": 1.0, "context": context, "adapt": learner.adapt}  # fmt: skip
    return adaptation.RULES[name].rule(given | others)


def pictures(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)


SOURCE = jnp.asarray(pictures(6, 9))


@pytest.fixture(scope="module", params=adaptation.RULES)
def case(request):
    """A rule of conv4, compiled once, with one image a class to adapt on."""
    params = jax.jit(conv.init)(jax.random.key(1), pictures(2, 0))
    rule = made(request.param, conv, SOURCE)
    support = mf.Batch(pictures(2, 1), jnp.array([0, 1], jnp.int32))
    return rule, jax.jit(rule.apply), params, support


def test_logits_are_finite_and_shaped_even_with_one_image_a_class(case):
    rule, apply, params, support = case
    logits = apply(params, support, pictures(5, 2))
    assert logits.shape == (len(rule.steps), 5, 2)
    assert np.isfinite(logits).all()


def test_the_order_of_queries_is_theirs_alone(case):
    _, apply, params, support = case
    queries, order = pictures(5, 2), np.array([3, 1, 4, 0, 2])
    np.testing.assert_allclose(
        apply(params, support, queries[order]), apply(params, support, queries)[:, order], rtol=1e-3, atol=1e-4
    )


def test_only_a_transductive_rule_sees_the_other_queries(case):
    rule, apply, params, support = case
    queries = pictures(5, 2)
    alone = apply(params, support, queries)[:, 0]
    among = apply(params, support, np.concatenate([queries[:1], pictures(4, 7)]))[:, 0]
    assert np.allclose(alone, among, rtol=1e-4, atol=1e-5) != rule.transductive


def test_only_a_rule_that_uses_labels_sees_them(case):
    rule, apply, params, support = case
    swapped = support._replace(targets=1 - np.asarray(support.targets))
    same = np.allclose(apply(params, support, pictures(5, 2)), apply(params, swapped, pictures(5, 2)), atol=1e-6)
    assert same != rule.uses_labels


def test_only_a_rule_that_uses_the_support_set_sees_its_images(case, request):
    entry = adaptation.RULES[request.node.callspec.params["case"]]
    _, apply, params, support = case
    other = support._replace(inputs=pictures(2, 8))
    same = np.allclose(apply(params, support, pictures(5, 2)), apply(params, other, pictures(5, 2)), atol=1e-6)
    assert same != entry.uses_support


@pytest.mark.parametrize("name", adaptation.RULES)
def test_the_table_says_of_a_rule_what_the_rule_says_of_itself(name):
    entry, rule = adaptation.RULES[name], made(name, flat)
    assert entry.uses_labels == rule.uses_labels
    assert rule.steps == ((0, 2) if entry.takes_steps else (0,))
    assert {"rate": "optimizer", "penalty": "l2"}.get(entry.knob, "backbone") in entry.takes
    assert entry.knob or not {"optimizer", "l2"} & set(entry.takes)


def test_a_knob_is_tried_around_its_unit_or_around_the_inner_rate():
    assert adaptation.RULES["all"].knobs(0.5) == (0.05, 0.5, 5.0)
    assert adaptation.RULES["ridge"].knobs(0.5) == (0.1, 1.0, 10.0)
    assert adaptation.RULES["prototypes"].knobs(0.5) == (0.0,)


forward = jax.jit(lambda params, images, context: conv.apply(params, images, context=context).logits)


def test_with_no_step_a_rule_is_the_model_with_the_statistics_that_it_names(case, request):
    name = request.node.callspec.params["case"]
    contexts = {"none": lambda support, _: SOURCE, "bn_query": lambda _, query: query}
    contexts |= dict.fromkeys(("all", "head", "part", "bn"), lambda support, _: support)
    contexts |= {"tent": lambda _, query: query}
    if name not in contexts:
        pytest.skip("a rule that has no model's logits to begin with")
    rule, apply, params, support = case
    query = pictures(5, 2)
    assert rule.steps[0] == 0
    found = apply(params, support, query)[0]
    wanted = forward(params, query, contexts[name](support.inputs, query))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", adaptation.RULES)
def test_eager_or_compiled_mapped_or_vectorised_the_numbers_agree(name):
    # An mlp has no normalisation that tent could move.
    rule = made(name, flat, pattern="bias$")
    params = jax.jit(flat.init)(jax.random.key(0), jnp.zeros((1, 4)))
    rng = np.random.default_rng(0)
    support = mf.Batch(rng.normal(size=(2, 2, 4, 4)).astype(np.float32), np.tile(np.int32([0, 1]), (2, 2, 2)))
    query = rng.normal(size=(2, 2, 3, 4)).astype(np.float32)
    apply = lambda given: rule.apply(params, *given)
    found = jax.jit(lambda *given: jax.lax.map(jax.vmap(apply), given))(support, query)
    assert found.shape == (2, 2, len(rule.steps), 3, 2)
    alone = apply(jax.tree.map(lambda leaf: jnp.asarray(leaf[1, 0]), (support, query)))
    np.testing.assert_allclose(found[1, 0], alone, rtol=1e-4, atol=1e-5)


@functools.cache
def problem(shots=6, hidden=6):
    """An mlp's parameters, a support set and queries, and the embeddings as the rules see them."""
    flat, rng = mf.backbones.mlp(hidden=(hidden,), outputs=2), np.random.default_rng(5)
    shapes = jax.eval_shape(flat.init, jax.random.key(0), jnp.zeros((1, 4)))
    params = jax.tree.map(lambda leaf: jnp.asarray(0.5 * rng.normal(size=leaf.shape), leaf.dtype), shapes)
    labels = np.arange(2 * shots) % 2
    inputs = (rng.normal(size=(2 * shots, 4)) + 0.7 * labels[:, None]).astype(np.float32)
    support = mf.Batch(jnp.asarray(inputs), jnp.asarray(labels, jnp.int32))
    queries = jnp.asarray(rng.normal(size=(9, 4)), jnp.float32)
    apply = jax.jit(flat.apply)
    seen, asked = (np.asarray(apply(params, x).embeddings, np.float64) for x in (inputs, queries))
    mean = seen.mean(axis=0)
    scale = np.sqrt(np.mean(np.sum((seen - mean) ** 2, axis=1)))
    return params, support, queries, (seen - mean) / scale, (asked - mean) / scale


SIZES = {"as usual": (6, 6, 1.0), "more features than images": (2, 40, 0.01), "fewer, hardly penalised": (20, 3, 1e-4)}
"""Shots, features, and the penalty."""


@pytest.mark.parametrize("size", SIZES)
def test_the_logistic_probe_is_scikit_learn_s(size):
    shots, hidden, l2 = SIZES[size]
    params, support, queries, seen, asked = problem(shots, hidden)
    model = mf.backbones.mlp(hidden=(hidden,), outputs=2)
    expected = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=10_000).fit(seen, support.targets)
    logits = jax.jit(adaptation.linear_probe(model, l2=l2).apply)(params, support, queries)[0]
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], expected.decision_function(asked), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_the_ridge_probe_is_scikit_learn_s(size):
    shots, hidden, l2 = SIZES[size]
    params, support, queries, seen, asked = problem(shots, hidden)
    model = mf.backbones.mlp(hidden=(hidden,), outputs=2)
    expected = Ridge(alpha=l2).fit(seen, 2.0 * np.asarray(support.targets) - 1).predict(asked)
    logits = jax.jit(adaptation.linear_probe(model, kind="ridge", l2=l2).apply)(params, support, queries)[0]
    np.testing.assert_allclose(logits, np.stack([-expected, expected], axis=1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("l2", [0.0, -1.0])
def test_a_penalty_that_is_not_above_zero_is_refused(l2):
    with pytest.raises(ValueError, match="`l2` must be above 0"):
        adaptation.linear_probe(flat, l2=l2)


def test_neighbours_and_prototypes_choose_as_scikit_learn_does():
    params, support, queries, seen, asked = problem()
    for metric in ("cosine", "euclidean"):
        nearest = KNeighborsClassifier(1, metric=metric, algorithm="brute").fit(seen, support.targets)
        logits = jax.jit(adaptation.nearest_neighbour(flat, metric=metric).apply)(params, support, queries)[0]
        np.testing.assert_array_equal(np.argmax(logits, axis=1), nearest.predict(asked))
    centroid = NearestCentroid().fit(seen, support.targets)
    logits = jax.jit(adaptation.prototypes(flat).apply)(params, support, queries)[0]
    np.testing.assert_array_equal(np.argmax(logits, axis=1), centroid.predict(asked))
    distances = ((asked[:, None] - centroid.centroids_[None]) ** 2).sum(axis=-1)
    np.testing.assert_allclose(logits, -distances, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("adapts", ["", "^head/"])
def test_fine_tuning_scores_one_path_of_the_optimizer_with_its_state_carried_on(adapts):
    params, support, queries, _, _ = problem()
    optimizer = optax.adam(0.1)
    rule = adaptation.fine_tune(flat, objective, optimizer=optimizer, steps=(0, 1, 4), adaptable=adapts)
    found = jax.jit(rule.apply)(params, support, queries)
    state, apply = optimizer.init(params), jax.jit(flat.apply)
    wanted = [apply(params, queries).logits]

    @jax.jit
    def step_by_hand(params, state):
        grads = jax.grad(lambda p: objective(flat.apply(p, support.inputs), support)[0])(params)
        if adapts:
            grads = {
                name: grads[name] if name == "head" else jax.tree.map(jnp.zeros_like, grads[name]) for name in grads
            }
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state

    for step in range(1, 5):
        params, state = step_by_hand(params, state)
        if step in (1, 4):
            wanted.append(apply(params, queries).logits)
    np.testing.assert_allclose(found, np.stack(wanted), rtol=1e-4, atol=1e-5)


def test_tent_lowers_the_entropy_of_the_queries_and_moves_normalisation_alone():
    params = jax.jit(conv.init)(jax.random.key(1), pictures(2, 0))
    queries, support = pictures(8, 3), mf.Batch(pictures(2, 1), jnp.array([0, 1], jnp.int32))
    rule = adaptation.tent(conv, optimizer=optax.sgd(0.05), steps=(0, 1))
    before, after = jax.jit(rule.apply)(params, support, queries)
    entropy = lambda logits: -jnp.mean(jnp.sum(jax.nn.softmax(logits) * jax.nn.log_softmax(logits), axis=1))
    assert np.less(*jax.jit(jax.vmap(entropy))(np.stack([after, before])))

    def by_hand(params):
        loss = lambda params: entropy(conv.apply(params, queries).logits)
        grads = jax.grad(loss)(params)
        step = lambda name, p, g: jax.tree.map(lambda a, b: a - 0.05 * b, p, g) if "Norm" in name else p
        return conv.apply({name: step(name, params[name], grads[name]) for name in params}, queries).logits

    np.testing.assert_allclose(after, jax.jit(by_hand)(params), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("steps", [(), (1, 0), (-1, 2), (1, 1)])
def test_steps_that_do_not_ascend_are_refused(steps):
    with pytest.raises(ValueError, match="must ascend"):
        adaptation.fine_tune(flat, objective, optimizer=SGD, steps=steps)


def test_tent_finds_the_scales_and_shifts_of_every_backbone_s_normalisation():
    pattern = inspect.signature(adaptation.tent).parameters["pattern"].default
    found = {
        "Normalise_0/EpisodicBatchNorm_0/scale": True, "Normalise_0/GroupNorm_0/bias": True,
        "block0/depthwise_norm/scale": True, "block0/depthwise_norm/variance": False,
        "vision/ln_pre/bias": True, "vision/blocks/00/ln_1/scale": True,
        "vision/blocks/00/mlp/in/bias": False, "vision/positions": False, "Conv_0/bias": False, "head/bias": False,
    }  # fmt: skip
    assert {path: re.search(pattern, path) is not None for path in found} == found
    # The first stage has blocks without an expansion, the second with one; all others are the second's kind.
    stages = tuple(stage._replace(repeats=1) for stage in _plan.LITE0.stages[:2])
    model = _models.assemble(_plan.LITE0._replace(stages=stages))
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    layers = [path for path in jax.tree.leaves(paths(params)) if path.endswith("/variance")]
    assert sum(jax.tree.leaves(trainable(params, pattern))) == 2 * len(layers) > 0
