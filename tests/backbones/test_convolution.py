"""Patches and the reshape pool against XLA's convolution and flax's pooling."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones._convolution import max_pool, patches_conv

DIMENSIONS = ("NHWC", "HWIO", "NHWC")
CASES = [
    # height, width, kernel, strides, padding
    (8, 8, (3, 3), (1, 1), "SAME"),
    (7, 9, (3, 3), (1, 1), "SAME"),
    (7, 10, (3, 3), (2, 2), "SAME"),
    (7, 10, (3, 2), (2, 1), "VALID"),
    (9, 8, (5, 3), (3, 2), [(2, 1), (0, 3)]),
    (6, 5, (1, 1), (2, 2), "VALID"),
    (5, 5, (2, 2), (1, 1), "SAME"),
    (5, 6, (2, 4), (1, 1), "SAME_LOWER"),
    (4, 4, (4, 4), (1, 1), "VALID"),
]


@pytest.mark.parametrize(("height", "width", "kernel", "strides", "padding"), CASES)
def test_patches_equal_xla_s_convolution_and_its_gradients(height, width, kernel, strides, padding):
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(2, height, width, 3)), jnp.float32)
    weights = jnp.asarray(rng.normal(size=(*kernel, 3, 4)), jnp.float32)

    @jax.jit
    def run(images, weights):
        def both(convolve):
            call = lambda images, weights: convolve(
                images, weights, strides, padding, dimension_numbers=DIMENSIONS, feature_group_count=1
            )
            value = call(images, weights)
            ramp = jnp.arange(value.size, dtype=jnp.float32).reshape(value.shape) / value.size
            grads = jax.grad(lambda *args: jnp.sum(call(*args) * ramp), argnums=(0, 1))(images, weights)
            return value, grads

        return both(patches_conv), both(jax.lax.conv_general_dilated)

    patches, expected = run(images, weights)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), patches, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"rhs_dilation": (2, 2)},
        {"lhs_dilation": (1, 2)},
        {"feature_group_count": 2},
        {"batch_group_count": 2},
        {"dimension_numbers": ("NCHW", "OIHW", "NCHW")},
    ],
)
def test_what_patches_cannot_do_is_refused_rather_than_computed_wrongly(options):
    with pytest.raises(ValueError, match="patches_conv takes"):
        patches_conv(jnp.ones((2, 4, 4, 4)), jnp.ones((3, 3, 4, 4)), **options)


def test_undilated_and_ungrouped_may_be_said_out_loud():
    options = {
        "lhs_dilation": (1, 1),
        "rhs_dilation": (1, 1),
        "feature_group_count": 1,
        "dimension_numbers": DIMENSIONS,
    }
    assert patches_conv(jnp.ones((2, 4, 4, 3)), jnp.ones((3, 3, 3, 2)), **options).shape == (2, 4, 4, 2)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (8, 6), (7, 9), (5, 4), (4, 3)])
def test_max_pool_equals_flax_s_and_so_does_its_gradient(height, width):
    # A shuffled ramp has no ties, where the two gradients might rightly differ.
    ramp = np.random.default_rng(0).permutation(2 * height * width * 3)
    images = jnp.asarray(ramp.reshape(2, height, width, 3), jnp.float32)
    windowed = lambda images: nn.max_pool(images, (2, 2), strides=(2, 2))

    @jax.jit
    def run(images):
        weight = jnp.cos(jnp.arange(windowed(images).size, dtype=jnp.float32)).reshape(windowed(images).shape)
        return [(pool(images), jax.grad(lambda x: jnp.sum(pool(x) * weight))(images)) for pool in (max_pool, windowed)]  # noqa: B023

    ours, flax_s = run(images)
    jax.tree.map(np.testing.assert_array_equal, ours, flax_s)
