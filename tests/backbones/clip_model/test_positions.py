"""Bicubic interpolation of position embeddings: against numbers of another library, and what must hold for any."""

import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones.clip_model.positions import cubic_weights, resized_positions

GRID = np.array([[1.0, 2.0, 0.0], [0.0, 4.0, 1.0], [3.0, -1.0, 2.0]])
# torch 2.13: F.interpolate(grid, size=(n, n), mode="bicubic", align_corners=False), which runs the released models.
OTHERS = {
    2: [[1.197937, 0.812592], [1.757004, 1.371658]],
    5: [
        [1.027648, 1.509344, 1.808000, 0.694016, -0.278784],
        [0.132960, 1.662160, 3.136000, 1.607440, 0.045280],
        [-0.384000, 1.768000, 4.000000, 2.452000, 0.712000],
        [1.829280, 1.456960, 1.084000, 1.402240, 1.741600],
        [3.745728, 1.180544, -1.480000, 0.365216, 2.439296],
    ],
}


@pytest.mark.parametrize("grid", OTHERS)
def test_resized_positions_are_those_of_another_library(grid):
    table = jnp.concatenate([jnp.array([[7.0, 7.0]]), jnp.asarray(GRID.reshape(9, 1) * [1.0, -2.0], jnp.float32)])
    resized = resized_positions(table, grid)
    expected = np.reshape(OTHERS[grid], (-1, 1)) * [1.0, -2.0]
    np.testing.assert_array_equal(resized[0], table[0])
    np.testing.assert_allclose(resized[1:], expected, atol=3e-6)


def test_the_same_size_changes_nothing():
    table = jnp.asarray(np.random.default_rng(0).normal(size=(10, 2)), jnp.float32)
    assert resized_positions(table, 3) is table


@pytest.mark.parametrize(("size", "resized"), [(7, 14), (14, 7), (16, 24), (3, 1), (1, 3)])
def test_weights_add_up_to_one_and_mirror(size, resized):
    weights = cubic_weights(size, resized)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-12)


def test_the_same_size_has_the_weights_of_the_identity():
    np.testing.assert_allclose(cubic_weights(5, 5), np.eye(5), atol=1e-12)


def test_a_table_that_is_no_square_is_refused():
    with pytest.raises(ValueError, match="a table of 9 positions is no class token and a square"):
        resized_positions(jnp.zeros((9, 2)), 2)
