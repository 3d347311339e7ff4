"""Cross-attention against plain loops in NumPy, and what padding may not do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones.clip_model import TowerOutputs, cross_attention, fused, init_cross_attention, init_fusion


def doubles(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def normal(params, rows):
    """A layer normalisation, row by row."""
    rows = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + 1e-5)
    return rows * params["scale"] + params["bias"]


def slow_cross_attention(params, queries, others, heads):
    """One sequence, one head, one query at a time."""
    affine = lambda name, rows: rows @ params[name]["kernel"] + params[name]["bias"]
    q = affine("q", normal(params["ln_queries"], queries))
    k, v = (affine(name, normal(params["ln_others"], others)) for name in "kv")
    size = q.shape[1] // heads
    mixed = np.zeros_like(q)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i, query in enumerate(q[:, part]):
            weights = np.exp([query @ key / np.sqrt(size) for key in k[:, part]])
            mixed[i, part] = sum(w * value for w, value in zip(weights / weights.sum(), v[:, part], strict=True))
    return queries + affine("out", mixed)


def problem():
    rng = np.random.default_rng(0)
    params = init_cross_attention(jax.random.key(0), 8, 6)
    # No bias of 0 and no scale of 1, which would hide.
    params = jax.tree.map(lambda leaf: leaf + np.asarray(0.3 * rng.normal(size=leaf.shape), np.float32), params)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
    return params, draw(3, 2, 8), draw(3, 5, 6)


@pytest.mark.parametrize("heads", [1, 2])
def test_it_is_the_formula(heads):
    params, queries, others = problem()
    found = jax.jit(cross_attention, static_argnames="heads")(params, queries, others, heads=heads)
    for row, x, y in zip(np.asarray(found), *doubles((queries, others)), strict=True):
        np.testing.assert_allclose(row, slow_cross_attention(doubles(params), x, y, heads), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding", [np.nan, np.inf])
def test_padding_changes_neither_values_nor_gradients(padding):
    params, queries, others = problem()
    where = np.array([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], bool)

    @jax.jit
    def run(params, others):
        def total(params, others):
            values = cross_attention(params, queries, others, heads=2, where=jnp.asarray(where))
            return jnp.sum(values * jnp.arange(8.0).reshape(1, 1, 8)), values

        (_, values), gradients = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)(params, others)
        return values, gradients

    clean = run(params, others)
    jax.tree.map(np.testing.assert_array_equal, run(params, jnp.where(where[:, :, None], others, padding)), clean)
    values, (_, gradient) = jax.tree.map(np.asarray, clean)
    assert np.all(gradient[~where] == 0)
    # As if the padding were not there; and what sees nothing stays as it is.
    short = slow_cross_attention(*doubles((params, queries[0], others[0, :3])), 2)
    np.testing.assert_allclose(values[0], short, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(values[2], queries[2])


def test_each_side_looks_at_the_other():
    rng = np.random.default_rng(1)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
    params = init_fusion(jax.random.key(1), 8, 6)
    where = jnp.ones((2, 3), bool)
    run = jax.jit(lambda vision, text: fused(params, vision, text, heads=2, where=where))
    vision, text = TowerOutputs(None, draw(2, 8), draw(2, 5, 8)), TowerOutputs(None, draw(2, 6), draw(2, 3, 6))
    before = np.asarray(run(vision, text))
    words = np.asarray(run(vision, text._replace(tokens=draw(2, 3, 6)))) != before
    patches = np.asarray(run(vision._replace(tokens=draw(2, 5, 8)), text)) != before
    np.testing.assert_array_equal(words, np.broadcast_to(np.arange(14) < 8, (2, 14)))
    np.testing.assert_array_equal(patches, np.broadcast_to(np.arange(14) >= 8, (2, 14)))


def test_heads_divide_the_width():
    params, queries, others = problem()
    with pytest.raises(ValueError, match="`heads` must divide the width, 8; got 3"):
        cross_attention(params, jnp.asarray(queries), jnp.asarray(others), heads=3)
