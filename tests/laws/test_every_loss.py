"""What holds for every loss. A new one is a new row of `CASES`."""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge import losses

EXAMPLES = 6
EVERY = np.ones(EXAMPLES, bool)
KEPT = np.array([True, False, True, True, False, True])


class Case(NamedTuple):
    """A loss, and where its arguments come from.

    Attributes:
        run: the loss as a function of `arguments` and of `where=`.
        rows: how many columns each differentiated argument has; each has a row per example.
        labels: how many labels there are, or `None` for a loss without.
        context: the shapes of further arguments that have no row per example.
        logits: whether adding a constant to the logits changes nothing.
        alone: whether an example's value depends on its own row only.
    """

    run: Callable
    rows: tuple[int, ...]
    labels: int | None = None
    context: tuple[tuple[int, int], ...] = ()
    logits: bool = True
    alone: bool = True


def contrast(**options):
    def run(features, assignments, centers, outliers, *, where=None):
        classes = jnp.array([0, 0, 1]) if options.get("classes") else None
        rest = {name: value for name, value in options.items() if name != "classes"}
        return losses.outlier_contrastive(
            features, assignments, centers, outliers, center_classes=classes, where=where, **rest
        )

    return Case(run, (4,), labels=3, context=((3, 4), (5, 4)), logits=False)


def with_options(loss, **options):
    return lambda *arguments, where=None: loss(*arguments, where=where, **options)


CASES = {
    "outlier_contrastive": contrast(),
    "outlier_contrastive, siblings let alone": contrast(classes=True),
    "outlier_contrastive, masked": contrast(
        where_centers=jnp.array([True, True, True]), where_outliers=jnp.array([True, False, True, False, True])
    ),
    "supervised_contrastive": Case(losses.supervised_contrastive, (4,), labels=2, logits=False, alone=False),
    "image_text_contrastive": Case(losses.image_text_contrastive, (4, 4), logits=False, alone=False),
    "image_text_contrastive, captions that repeat": Case(
        with_options(losses.image_text_contrastive, scale=3.0), (4, 4), labels=3, logits=False, alone=False
    ),
    "outlier_conditioned_cross_entropy": Case(losses.outlier_conditioned_cross_entropy, (3,), labels=3),
    "outlier_conditioned_cross_entropy, smoothed": Case(
        with_options(losses.outlier_conditioned_cross_entropy, label_smoothing=0.1), (3,), labels=3
    ),
    "outlier_exposure": Case(losses.outlier_exposure, (2,)),
    "focal": Case(losses.focal, (3,), labels=3),
    "focal, a half": Case(with_options(losses.focal, gamma=0.5, alpha=0.25), (2,), labels=2),
    "hard_example_mining": Case(losses.hard_example_mining, (3,), labels=3, alone=False),
    "hard_example_mining, a part of one": Case(
        with_options(losses.hard_example_mining, share=0.1), (3,), labels=3, alone=False
    ),
    "poly1": Case(losses.poly1, (3,), labels=3),
    "poly1, negative": Case(with_options(losses.poly1, epsilon=-1.0), (2,), labels=2),
    "smoothed_cross_entropy": Case(losses.smoothed_cross_entropy, (4,), labels=3),
    "energy": Case(losses.energy, (2,), logits=False),
    "energy_bounded": Case(
        with_options(losses.energy_bounded, known_margin=-3.0, outlier_margin=1.0), (2,), labels=3, logits=False
    ),
    "kl_divergence": Case(losses.kl_divergence, (3, 3)),
    "kl_divergence, reverse": Case(with_options(losses.kl_divergence, direction="reverse"), (3, 3)),
}


def test_every_loss_has_a_row():
    public = {name for name in losses.__all__ if inspect.isfunction(getattr(losses, name))}
    assert public == {name.split(",")[0] for name in CASES}


def problem(case, dtype=jnp.float32, seed=0):
    """The arguments that have a row per example, the labels among them, and the other arguments."""
    rng = np.random.default_rng(seed)
    rows = [jnp.asarray(rng.normal(size=(EXAMPLES, columns)), dtype) for columns in case.rows]
    # Each label occurs, and the kept examples have company among the kept.
    labels = [jnp.asarray([0, 1, 0, 1, 2, 1], jnp.int32) % case.labels] if case.labels else []
    context = [jnp.asarray(rng.normal(size=shape), dtype) for shape in case.context]
    return rows, labels, context


@functools.cache
def value_of(case):
    """The values, compiled once for all laws, with the gradients of a weighted sum of them."""

    @jax.jit
    def run(rows, labels, context, where):
        def total(rows):
            values = case.run(*rows, *labels, *context, where=where)
            # Unequal weights, so that no two gradients cancel.
            return jnp.sum(values * jnp.arange(1.0, len(values) + 1)), values

        (_, values), gradients = jax.value_and_grad(total, has_aux=True)(rows)
        return values, gradients

    return run


def values_of(case):
    return lambda rows, labels, context, where: value_of(case)(rows, labels, context, jnp.asarray(where))[0]


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_one_finite_float32_value_per_example(case):
    types = (jnp.bfloat16, jnp.float16, jnp.float32)
    given = [problem(case, dtype) for dtype in types]

    @jax.jit
    def run(given):
        return [case.run(*rows, *labels, *context, where=jnp.asarray(EVERY)) for rows, labels, context in given]

    for dtype, arguments, values in zip(types, given, run(given), strict=True):
        assert (values.shape, values.dtype) == ((EXAMPLES,), jnp.float32), dtype
        assert np.isfinite(values).all(), dtype
        # Inside, too, nothing is rounded to half precision.
        up = lambda array: np.asarray(array, np.float32) if jnp.issubdtype(array.dtype, jnp.floating) else array
        expected = values_of(case)(*jax.tree.map(up, arguments), EVERY)
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-7, err_msg=str(dtype))


@pytest.mark.parametrize("padding", [np.nan, np.inf, -np.inf])
def test_what_padding_holds_changes_nothing(case, padding):
    rows, labels, context = problem(case)
    kept = jnp.asarray(KEPT)
    padded = [np.where(KEPT[:, None], row, np.float32(padding)) for row in rows]
    wild = [np.where(KEPT, label, np.int32(-7)) for label in labels]
    run = lambda *arguments: jax.tree.map(np.asarray, value_of(case)(*arguments))
    values, gradients = run(padded, wild, context, kept)
    clean_values, clean_gradients = run(rows, labels, context, kept)
    np.testing.assert_array_equal(values, clean_values)
    np.testing.assert_array_equal(values[~KEPT], 0)
    for gradient, clean in zip(gradients, clean_gradients, strict=True):
        np.testing.assert_array_equal(gradient, clean)
        np.testing.assert_array_equal(gradient[~KEPT], 0)
        assert np.any(gradient[KEPT] != 0)


def test_the_kept_examples_have_the_values_of_a_batch_without_the_others(case):
    rows, labels, context = problem(case)
    short = jax.tree.map(lambda array: np.asarray(array)[KEPT], (rows, labels))
    alone = jax.jit(lambda rows, labels, context: case.run(*rows, *labels, *context))(*short, context)
    found = np.asarray(values_of(case)(rows, labels, context, KEPT))
    np.testing.assert_allclose(found[KEPT], alone, rtol=1e-5, atol=1e-6)


def test_an_empty_mask_gives_zeros(case):
    arguments = problem(case)
    np.testing.assert_array_equal(values_of(case)(*arguments, np.zeros(EXAMPLES, bool)), np.zeros(EXAMPLES))


def test_permuted_examples_have_permuted_values(case):
    rows, labels, context = problem(case)
    order = np.random.default_rng(1).permutation(EXAMPLES)
    run = values_of(case)
    shuffled = run(*jax.tree.map(lambda array: np.asarray(array)[order], (rows, labels)), context, KEPT[order])
    np.testing.assert_allclose(shuffled, np.asarray(run(rows, labels, context, KEPT))[order], rtol=1e-5, atol=1e-6)


def test_a_value_is_its_own_rows_unless_the_batch_is_the_loss(case):
    rows, labels, context = problem(case)
    run = values_of(case)
    before = np.asarray(run(rows, labels, context, EVERY))
    # An example that costs something, since a batch may look at some alone.
    moved = np.arange(EXAMPLES) == np.argmax(before)
    factor = np.where(moved, np.float32(-3), np.float32(1))[:, None]
    after = np.asarray(run([row * factor for row in map(np.asarray, rows)], labels, context, EVERY))
    assert np.all(after[moved] != before[moved])
    assert np.array_equal(after[~moved], before[~moved]) == case.alone


def test_jit_equals_eager(case):
    rows, labels, context = problem(case)
    eager = case.run(*rows, *labels, *context, where=jnp.asarray(KEPT))
    np.testing.assert_allclose(values_of(case)(rows, labels, context, KEPT), eager, rtol=1e-5, atol=1e-5)


def test_vmap_equals_a_loop(case):
    problems = [problem(case, seed=seed) for seed in range(3)]
    run = values_of(case)
    stacked = jax.tree.map(lambda *arrays: np.stack(arrays), *problems)
    alone = lambda rows, labels, context: case.run(*rows, *labels, *context, where=jnp.asarray(KEPT))
    values = jax.jit(jax.vmap(alone))(*stacked)
    loop = [run(*arguments, KEPT) for arguments in problems]
    np.testing.assert_allclose(values, np.stack(loop), rtol=1e-5, atol=1e-5)


def test_a_constant_added_to_logits_changes_nothing_where_it_must_not(case):
    rows, labels, context = problem(case)
    run = values_of(case)
    shifts = np.linspace(-40.0, 70.0, EXAMPLES, dtype=np.float32)[:, None]
    moved = [np.asarray(row) + shifts for row in rows]
    before, after = (np.asarray(run(some, labels, context, EVERY)) for some in (rows, moved))
    if case.logits:
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=3e-5)
    else:
        assert np.max(np.abs(after - before)) > 0.1


def test_the_gradient_agrees_with_central_differences(case, x64):
    rows, labels, context = problem(case, jnp.float64)
    weights = np.arange(1.0, EXAMPLES + 1)
    together = np.concatenate(rows, axis=1)
    shape = together.shape

    def value(joined):
        parts = jnp.split(joined, np.cumsum(case.rows)[:-1], axis=1)
        return jnp.sum(weights * case.run(*parts, *labels, *context, where=jnp.asarray(KEPT)))

    @jax.jit
    def run(joined):
        shifts = 1e-6 * jnp.eye(joined.size).reshape(-1, *shape)
        differences = jax.vmap(lambda shift: (value(joined + shift) - value(joined - shift)) / 2e-6)(shifts)
        return jax.grad(value)(joined), differences

    gradient, expected = run(together)
    assert gradient.dtype == jnp.float64
    np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-6, atol=1e-7)
