"""What holds for every objective. A new one is a new row of `CASES`."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge import objectives, outliers
from metaforge.types import Words

MARGINS = {"known_margin": -1.0, "outlier_margin": 0.5}

# The objective, and its problem: labels, numbers of the outputs' shape, real, fake and outlier with a probe, or the
# last with texts too.
CASES = {
    "cross_entropy": (objectives.cross_entropy(), "labels"),
    "cross_entropy, summed": (objectives.cross_entropy(reduction="sum"), "labels"),
    "focal": (objectives.focal(gamma=0.5, alpha=0.25), "labels"),
    "hard_example_mining": (objectives.hard_example_mining(share=0.4), "labels"),
    "poly1": (objectives.poly1(), "labels"),
    "smoothed_cross_entropy": (objectives.smoothed_cross_entropy(), "labels"),
    "squared_error": (objectives.squared_error(), "numbers"),
    "supervised_contrastive": (objectives.supervised_contrastive(), "labels"),
    "tri_cross_entropy": (objectives.tri_cross_entropy(label_smoothing=0.1), "tri"),
    "outlier_contrastive": (objectives.outlier_contrastive(temperature=0.5), "tri"),
    "outlier_contrastive, siblings let alone": (objectives.outlier_contrastive(siblings=False), "tri"),
    "outlier_exposure": (objectives.outlier_exposure(), "tri"),
    "energy_bounded": (objectives.energy_bounded(**MARGINS), "tri"),
    "fakeradar": (objectives.fakeradar(), "tri"),
    "weighted_sum": (
        objectives.weighted_sum(
            cls=(1.0, objectives.cross_entropy()), pull=(0.3, objectives.supervised_contrastive()),
            off=(0.0, objectives.tri_cross_entropy()),
        ),
        "tri",
    ),
    "image_text_contrastive": (objectives.image_text_contrastive(), "words"),
    "multimodal_cross_entropy": (objectives.multimodal_cross_entropy(), "words"),
    "image_text": (objectives.image_text(), "words"),
    "weighted_sum, words and outliers": (
        objectives.weighted_sum(**objectives.image_text(image=0.0).parts, **objectives.fakeradar().parts), "words",
    ),
}  # fmt: skip
NOT_OBJECTIVES = {"loss_fn"}


def test_every_objective_has_a_row():
    members = inspect.getmembers(objectives, inspect.isfunction)
    public = {name for name, _ in members if name[0] != "_"}
    assert public - NOT_OBJECTIVES == {name.split(",")[0] for name in CASES}


def probe(rng, dtype=jnp.float32):
    """Four clusters, one of real and two of fakes in use, and five outliers, of which one does not exist."""
    state = outliers.subcluster_outliers(3, slots=4, components=None).init(4)
    clusters = state.clusters._replace(
        mean=jnp.asarray(rng.normal(size=(4, 4)), jnp.float32), count=jnp.asarray(np.ones(4), jnp.float32),
        label=jnp.array([0, 1, 2, 1], jnp.int32), active=jnp.array([True, True, True, False]),
    )  # fmt: skip
    centers = jnp.asarray(rng.normal(size=(4, 4)), dtype)
    state = state._replace(clusters=clusters, centers=centers, updates=jnp.array(1, jnp.int32))
    made = outliers.Outliers(
        jnp.asarray(rng.normal(size=(5, 4)), dtype), jnp.array([0, 1, 2, 0, 1]), jnp.asarray(np.arange(5) != 3)
    )
    return outliers.Probe(state, made)


# Two captions that are the same, and an image without one.
TOKENS = np.array([[2, 5, 0], [3, 5, 0], [2, 5, 0], [2, 3, 5], [0, 0, 0], [4, 5, 0]], np.int32)


def problem(kind, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    classes = 3 if kind in ("tri", "words") else 2
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), dtype)
    outputs = mf.Outputs(draw(6, classes), draw(6, 4), draw(5, 3) if classes == 3 else None)
    targets = rng.normal(size=(6, 2)) if kind == "numbers" else np.array([0, 1, 1, 0, 0, 1])
    targets = jnp.asarray(targets, dtype if kind == "numbers" else jnp.int32)
    batch = mf.Batch(
        jnp.asarray(np.zeros((6, 1)), jnp.float32), targets, probe=probe(rng, dtype) if classes == 3 else None
    )
    if kind == "words":
        words = Words(draw(6, 4), draw(6, 4), jnp.asarray(3.0, dtype), draw(6, 3))
        return outputs._replace(words=words), batch._replace(inputs={"tokens": jnp.asarray(TOKENS)})
    return outputs, batch


@functools.cache
def compiled(case):
    """The value, the metrics and the gradient, compiled once for all laws."""
    objective, _ = CASES[case]
    run = jax.value_and_grad(lambda outputs, batch: objective(outputs, batch), has_aux=True)
    return jax.jit(run)


@pytest.mark.parametrize("case", CASES)
def test_the_value_is_a_finite_scalar_and_the_metrics_are_named_scalars(case):
    _, kind = CASES[case]
    (value, metrics), _ = compiled(case)(*problem(kind))
    assert (value.shape, value.dtype) == ((), jnp.float32)
    assert np.isfinite(value)
    assert all(np.shape(metric) == () and np.isfinite(metric) for metric in metrics.values())


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_examples_does_not_matter(case):
    _, kind = CASES[case]
    run = lambda outputs, batch: compiled(case)(outputs, batch)[0][0]
    outputs, batch = problem(kind)
    order = np.random.default_rng(1).permutation(6)
    shuffle = lambda tree: jax.tree.map(lambda leaf: np.asarray(leaf)[order] if leaf.ndim else leaf, tree)
    shuffled = shuffle(outputs._replace(outlier_logits=None))._replace(outlier_logits=outputs.outlier_logits)
    moved = batch._replace(inputs=shuffle(batch.inputs), targets=shuffle(batch.targets))
    np.testing.assert_allclose(run(shuffled, moved), run(outputs, batch), rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_agrees_with_central_differences(case, x64):
    objective, kind = CASES[case]
    outputs, batch = problem(kind, jnp.float64)
    flat, rebuild = jax.flatten_util.ravel_pytree(outputs)
    value = lambda flat: objective(rebuild(flat), batch)[0]
    shifts = 1e-6 * jnp.eye(flat.size)
    differences = jax.vmap(lambda shift: (value(flat + shift) - value(flat - shift)) / 2e-6)
    gradient, expected = jax.jit(lambda: (jax.grad(value)(flat), differences(shifts)))()
    assert np.any(gradient != 0)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_it_batches_over_tasks(case):
    objective, kind = CASES[case]
    outputs, batch = problem(kind)
    pair = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), (outputs, batch))
    values, _ = jax.jit(jax.vmap(objective))(*pair)
    np.testing.assert_allclose(values, np.full(2, compiled(case)(outputs, batch)[0][0]), rtol=1e-5)


TRI = [case for case, (_, kind) in CASES.items() if kind == "tri"]


@pytest.mark.parametrize("case", TRI)
@pytest.mark.parametrize("padding", [np.nan, np.inf])
def test_outliers_that_do_not_exist_change_neither_value_nor_gradient(case, padding):
    outputs, batch = problem("tri")
    run, fourth = compiled(case), np.arange(5)[:, None] == 3
    expected = run(outputs, batch)
    made = batch.probe.outliers
    fill = lambda rows: np.where(fourth, np.float32(padding), rows)
    wild = batch.probe._replace(outliers=made._replace(features=fill(made.features)))
    odd = outputs._replace(outlier_logits=fill(outputs.outlier_logits))
    jax.tree.map(np.testing.assert_array_equal, run(odd, batch._replace(probe=wild)), expected)
    assert np.all(expected[1].outlier_logits[3] == 0)


@pytest.mark.parametrize("case", TRI)
def test_before_there_are_clusters_or_without_a_probe_it_is_the_objective_of_images_alone(case):
    objective, _ = CASES[case]
    outputs, batch = problem("tri")
    state, made = batch.probe
    empty = outliers.Probe(
        state._replace(
            updates=np.int32(0),
            clusters=state.clusters._replace(active=np.zeros(4, bool)),
        ),
        made._replace(where=np.zeros(5, bool)),
    )
    (value, _), gradient = compiled(case)(outputs, batch._replace(probe=empty))
    bare = jax.jit(objective)(outputs._replace(outlier_logits=None), batch._replace(probe=None))[0]
    np.testing.assert_allclose(value, bare, rtol=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    np.testing.assert_array_equal(gradient.outlier_logits, np.zeros((5, 3)))


WITH_WORDS = [case for case, (_, kind) in CASES.items() if kind == "words"]


@pytest.mark.parametrize("case", WITH_WORDS)
def test_an_image_without_a_text_changes_nothing_that_is_said_of_texts(case):
    outputs, batch = problem("words")
    (value, _), gradient = compiled(case)(outputs, batch)
    silent = np.all(TOKENS == 0, axis=1)[:, None]
    words = outputs.words
    wild = [np.where(silent, np.float32(np.nan), rows) for rows in (words.images, words.texts, words.logits)]
    odd = outputs._replace(words=Words(wild[0], wild[1], words.scale, wild[2]))
    (again, _), gradient_again = compiled(case)(odd, batch)
    np.testing.assert_array_equal(again, value)
    jax.tree.map(np.testing.assert_array_equal, gradient_again, gradient)
    for rows in (gradient.words.images, gradient.words.texts, gradient.words.logits):
        assert np.all(rows[4] == 0)


@pytest.mark.parametrize("case", WITH_WORDS)
def test_a_batch_without_texts_has_the_objective_of_images_alone(case):
    objective, _ = CASES[case]
    outputs, batch = problem("words")
    bare = batch._replace(inputs=np.zeros((6, 1), np.float32))
    value, _ = jax.jit(objective)(outputs._replace(words=None), bare)
    alone = {
        "image_text": objectives.cross_entropy(), "weighted_sum, words and outliers": objectives.fakeradar(),
    }.get(case)  # fmt: skip
    np.testing.assert_allclose(value, 0 if alone is None else jax.jit(alone)(outputs, bare)[0], rtol=1e-6)


def test_texts_that_nothing_read_are_an_error():
    outputs, batch = problem("words")
    for objective in (objectives.image_text_contrastive(), objectives.multimodal_cross_entropy()):
        with pytest.raises(ValueError, match="give loss_fn a model with two towers"):
            objective(outputs._replace(words=None), batch)


def test_outliers_that_nothing_scored_are_an_error():
    outputs, batch = problem("tri")
    with pytest.raises(ValueError, match="give loss_fn a model with a head"):
        objectives.tri_cross_entropy()(outputs._replace(outlier_logits=None), batch)


def test_a_schedule_without_weights_in_the_batch_is_an_error():
    objective = objectives.weighted_sum(cls=(optax.linear_schedule(0.0, 1.0, 10), objectives.cross_entropy()))
    with pytest.raises(ValueError, match=r"weights=objective.weights\(step\)"):
        objective(*problem("labels"))
    with pytest.raises(ValueError, match="needs a part"):
        objectives.weighted_sum()
