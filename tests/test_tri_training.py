"""Tri-training inside the loops and inside optax: values by hand, nothing compiled twice, nothing lost when off."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge import objectives, outliers

FEATURES, TASKS = 4, 2
model = mf.backbones.mlp(hidden=(6,), outputs=3, neck=FEATURES, head="quadratic")
made = outliers.subcluster_outliers(2, slots=3, components=None, dynamic_updates=0)
synthesizer = made._replace(update=jax.jit(made.update), sample=jax.jit(made.sample, static_argnums=2))
apply, head = jax.jit(model.apply), jax.jit(model.head)


def images(seed, *shape):
    rng = np.random.default_rng(seed)
    targets = jnp.asarray(np.broadcast_to(np.arange(shape[-1]) % 2, shape), jnp.int32)
    inputs = rng.normal(size=(*shape, 5)) + 2.0 * np.asarray(targets)[..., None]
    return mf.Batch(jnp.asarray(inputs, jnp.float32), targets)


@pytest.fixture(scope="module")
def params():
    return jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 5)))


@pytest.fixture(scope="module")
def probe(params):
    bank = images(0, 60)
    rows = apply(params, bank.inputs).embeddings
    state, _ = synthesizer.update(jax.random.key(1), synthesizer.init(FEATURES), rows, bank.targets)
    return outliers.Probe(state, synthesizer.sample(jax.random.key(2), state, 6))


def loss_of(objective):
    return mf.objectives.loss_fn(model.apply, objective, head=model.head)


def test_the_head_alone_says_of_embeddings_what_the_model_says_of_images(params):
    outputs = apply(params, images(0, 8).inputs)
    np.testing.assert_allclose(head(params, outputs.embeddings), outputs.logits, rtol=1e-5, atol=1e-6)


def test_the_total_is_lambda_times_the_parts_as_numpy_adds_them(params, probe):
    batch = images(3, 8)._replace(probe=probe)
    value, metrics = jax.jit(loss_of(objectives.fakeradar(temperature=0.2)))(params, batch)

    outputs = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), apply(params, batch.inputs))
    targets, centers = np.asarray(batch.targets), np.asarray(probe.state.centers, np.float64)
    scored = np.concatenate([outputs.logits, np.asarray(head(params, probe.outliers.features))])
    logs = scored - np.log(np.exp(scored).sum(1, keepdims=True))
    cls = -np.mean(logs[np.arange(14), np.concatenate([targets, np.full(6, 2)])])
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
    # The synthesizer keeps one cluster a class, in the slot of its label; the third slot is empty.
    others = np.concatenate([unit(centers[:2]), unit(np.asarray(probe.outliers.features, np.float64))])
    scores = unit(outputs.embeddings) @ others.T / 0.2
    contrastive = np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(8), targets])
    np.testing.assert_allclose(value, contrastive + 0.5 * cls, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics["loss/contrastive"], contrastive, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics["loss/cls"], cls, rtol=1e-5, atol=1e-6)


def test_outliers_teach_the_head_and_only_images_teach_the_features(params, probe):
    batch = images(3, 8)._replace(probe=probe)
    everything = objectives.weighted_sum(cls=(1.0, objectives.tri_cross_entropy()))
    gradient = jax.jit(jax.grad(lambda params, batch: loss_of(everything)(params, batch)[0]))
    with_outliers, without = gradient(params, batch), gradient(params, batch._replace(probe=None))
    # One mean over 8 images and 6 outliers against one over 8 images.
    for layer in ("Dense_0", "neck"):
        jax.tree.map(
            lambda left, right: np.testing.assert_allclose(np.asarray(left) * 14 / 8, right, rtol=1e-4, atol=1e-7),
            with_outliers[layer], without[layer],
        )  # fmt: skip
    more = jax.tree.map(lambda left, right: np.asarray(left) * 14 / 8 - right, with_outliers["head"], without["head"])
    assert sum(np.sum(leaf**2) for leaf in jax.tree.leaves(more)) > 0.01**2


def test_a_weight_a_schedule_and_a_new_probe_never_compile_again(params, probe):
    objective = objectives.fakeradar(cls=optax.linear_schedule(0.0, 1.0, 100))
    traces = []

    @jax.jit
    def step(params, batch):
        traces.append(1)
        return loss_of(objective)(params, batch)

    found = []
    for index in (0, 50, 100):
        fresh = synthesizer.sample(jax.random.key(index), probe.state, 6)
        batch = images(index, 8)._replace(probe=outliers.Probe(probe.state, fresh), weights=objective.weights(index))
        found.append(step(params, batch)[1])
    assert [float(metrics["weight/cls"]) for metrics in found] == [0.0, 0.5, 1.0]
    assert all(np.isfinite(metrics["loss/cls"]) for metrics in found)
    other = batch._replace(weights={"contrastive": jnp.float32(0.0), "cls": jnp.float32(7.0)})
    value, metrics = step(params, other)
    np.testing.assert_allclose(value, 7.0 * metrics["loss/cls"], rtol=1e-5, atol=1e-6)
    assert len(traces) == 1


def episodes(seed, **extra):
    spread = jax.tree.map(lambda leaf: jnp.asarray(np.broadcast_to(leaf, (TASKS, *np.shape(leaf)))), extra)
    return mf.Episode(images(seed, TASKS, 4)._replace(**spread), images(seed + 100, TASKS, 6)._replace(**spread))


LEARNERS = {"daml": {}, "maml": {"order": "second", "strategy": "vmap"}, "erm": {}, "anil": {}, "coral": {}}


@functools.cache
def compiled(name, objective):
    options = {"inner_optimizer": optax.sgd(0.1), "outer_optimizer": optax.adam(0.01)}
    learner = mf.LEARNERS[name].make(loss_of(objective), **options, **LEARNERS[name])
    return learner, jax.jit(learner.update)


def trained(name, objective, params, data):
    learner, update = compiled(name, objective)
    state = learner.init(params)
    for batch in data:
        state, info = update(state, batch)
    return state.params, info


@pytest.mark.parametrize("name", LEARNERS)
def test_all_parts_off_is_exactly_the_learner_without_them(name, params, probe):
    plain, _ = trained(name, objectives.cross_entropy(), params, [episodes(seed) for seed in range(3)])
    off = objectives.weighted_sum(
        cls=(1.0, objectives.cross_entropy()), tri=(0.0, objectives.tri_cross_entropy()),
        contrastive=(0.0, objectives.outlier_contrastive()),
    )  # fmt: skip
    same, info = trained(name, off, params, [episodes(seed, probe=probe) for seed in range(3)])
    # To the last digit that compilers agree on: they may fuse two programs differently.
    jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-8), same, plain)
    assert {"loss/tri", "loss/contrastive", "weight/tri"} <= set(info.metrics)
    if name != "maml":
        return
    # Off by data: the same but for rounding, since the parts are still in the program. Second order is the hardest
    # case: nothing that counts 0 times may be infinite in either derivative.
    weights = off.weights()
    by_data, _ = trained(name, off, params, [episodes(seed, probe=probe, weights=weights) for seed in range(3)])
    jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, atol=2e-5), by_data, plain)


FAKERADAR = objectives.fakeradar()


@pytest.mark.parametrize("place", ["inner", "outer"])
def test_tri_training_plugs_into_the_inner_or_the_outer_loop_alone(place, params, probe):
    bare, full = episodes(0), episodes(0, probe=probe)
    mixed = mf.Episode(full.support, bare.query) if place == "inner" else mf.Episode(bare.support, full.query)
    _, with_it = trained("maml", FAKERADAR, params, [mixed])
    _, without = trained("maml", FAKERADAR, params, [bare])
    inner_differs = bool(np.any(with_it.support_losses != without.support_losses))
    assert inner_differs == (place == "inner")
    # Either way the adapted parameters are judged, so the query loss moves.
    assert bool(np.all(with_it.query_losses != without.query_losses))


tri_loss_and_gradient = jax.jit(jax.value_and_grad(lambda params, batch: loss_of(FAKERADAR)(params, batch)[0]))

OPTIMIZERS = {
    "chain": lambda: optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-2)),
    "multi_transform": lambda: optax.multi_transform(
        {"train": optax.adam(1e-2), "freeze": optax.set_to_zero()},
        lambda params: {name: "freeze" if name == "Dense_0" else "train" for name in params},
    ),
    "MultiSteps": lambda: optax.MultiSteps(optax.sgd(0.1), every_k_schedule=2),
    "lookahead": lambda: optax.lookahead(optax.sgd(0.1), sync_period=3, slow_step_size=0.5),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_tri_training_composes_with_optax(name, params, probe):
    optimizer = OPTIMIZERS[name]()
    begin = optax.LookaheadParams.init_synced(params) if name == "lookahead" else params
    batches = [images(seed, 8)._replace(probe=probe) for seed in range(6)]

    @jax.jit
    def step(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    now, state = begin, jax.jit(optimizer.init)(begin)
    history = [now]
    for batch in batches:
        _, grads = tri_loss_and_gradient(now.fast if name == "lookahead" else now, batch)
        now, state = step(now, state, grads)
        history.append(now)
    last = now.slow if name == "lookahead" else now
    total = lambda point: sum(float(tri_loss_and_gradient(point, batch)[0]) for batch in batches)
    assert total(last) < total(params)
    if name == "multi_transform":
        jax.tree.map(np.testing.assert_array_equal, last["Dense_0"], params["Dense_0"])
    if name == "MultiSteps":  # two half batches make one step, of their mean gradient
        jax.tree.map(np.testing.assert_array_equal, history[1], history[0])
        mean = jax.tree.map(
            lambda *leaves: sum(map(np.asarray, leaves)) / 2,
            *(tri_loss_and_gradient(params, batch)[1] for batch in batches[:2]),
        )
        expected = jax.tree.map(lambda leaf, slope: np.asarray(leaf) - 0.1 * slope, params, mean)
        jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, atol=1e-6), history[2], expected)
    if name == "lookahead":  # after three fast steps the slow weights move half of the way to the fast ones
        jax.tree.map(np.testing.assert_array_equal, history[2].slow, params)
        assert any(np.any(left != right) for left, right in zip(
            jax.tree.leaves(history[3].slow), jax.tree.leaves(params), strict=True))  # fmt: skip
