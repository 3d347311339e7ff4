"""Winograd's convolution against XLA's: values, derivatives of first and second order in both modes, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.backbones import _winograd
from metaforge.backbones._winograd import winograd_conv

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def xla_conv(images, kernel):
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=DIMENSIONS)


def draw(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


def close(ours, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10), ours, expected)


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7), (1, 2), (8, 3)])
def test_it_equals_xla_s_convolution_and_its_derivatives(x64, height, width):
    images, kernel = draw(2, height, width, 16), draw(3, 3, 16, 5)
    direction = (draw(2, height, width, 16)[::-1], draw(3, 3, 16, 5)[::-1])
    target = draw(2, height, width, 5)

    @jax.jit
    def run(images, kernel):
        def everything(convolve):
            # Not linear in the convolution, so that its second derivative has all of its terms.
            loss = lambda *args: jnp.sum(jnp.tanh(convolve(*args)) * target)
            grad = jax.grad(loss, argnums=(0, 1))
            along = lambda args: sum(jnp.vdot(g, d) for g, d in zip(grad(*args), direction, strict=True))
            args = (images, kernel)
            return {
                "value": convolve(*args),
                "gradient": grad(*args),
                "tangent": jax.jvp(convolve, args, direction),
                "forward over reverse": jax.jvp(grad, args, direction)[1],
                "reverse over reverse": jax.grad(along)(args),
            }

        return everything(winograd_conv), everything(xla_conv)

    close(*run(images, kernel))


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0), (1, 3)])
def test_a_batch_of_convolutions_equals_one_after_the_other(x64, axes):
    images, kernel = draw(2, 4, 4, 16), draw(3, 3, 16, 2)
    spread = lambda array, axis: array if axis is None else jnp.stack([array, 2 * array, array[::-1]], axis)
    arguments = [spread(a, axis) for a, axis in zip((images, kernel), axes, strict=True)]
    run = lambda convolve: jax.jit(jax.vmap(jax.value_and_grad(lambda x, w: jnp.sum(convolve(x, w) ** 2), 1), axes))
    close(run(winograd_conv)(*arguments), run(xla_conv)(*arguments))
    # The other way round: the gradient of a batched program.
    total = lambda convolve: lambda *args: jnp.sum(jax.vmap(convolve, axes)(*args) ** 2)
    close(*[jax.jit(jax.grad(total(convolve), (0, 1)))(*arguments) for convolve in (winograd_conv, xla_conv)])


def test_single_precision_loses_no_more_than_a_few_units():
    images, kernel = draw(4, 16, 16, 64).astype(jnp.float32), draw(3, 3, 64, 64).astype(jnp.float32)
    expected = np.asarray(xla_conv(images, kernel))
    np.testing.assert_allclose(winograd_conv(images, kernel), expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def test_few_channels_are_left_to_patches():
    images, kernel = draw(2, 5, 4, 3).astype(jnp.float32), draw(3, 3, 3, 4).astype(jnp.float32)
    np.testing.assert_allclose(winograd_conv(images, kernel), xla_conv(images, kernel), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "strides", "padding", "options"),
    [
        ((1, 1), (1, 1), "SAME", {}),
        ((3, 3), (2, 2), "SAME", {}),
        ((3, 3), (1, 1), "VALID", {}),
        ((3, 3), (1, 1), [(1, 1), (0, 2)], {}),
        ((3, 3), (1, 1), "SAME", {"rhs_dilation": (2, 2)}),
        ((3, 3), (1, 1), "SAME", {"dimension_numbers": ("NCHW", "OIHW", "NCHW")}),
    ],
)
def test_what_it_cannot_do_is_refused(kernel, strides, padding, options):
    with pytest.raises(ValueError, match="winograd_conv takes"):
        winograd_conv(jnp.ones((2, 4, 4, 4)), jnp.ones((*kernel, 4, 4)), strides, padding, **options)


@pytest.mark.parametrize(("examples", "limit", "chunks"), [(6, 4, 2), (6, 6, 1), (6, 1, 6), (7, 5, 1), (4, 0, 1)])
def test_chunks_are_as_few_as_fit_if_they_come_out_even(examples, limit, chunks):
    images = draw(examples, 4, 4, 16)
    assert _winograd._chunks(images, limit * images[0].nbytes) == chunks


def test_in_chunks_it_has_the_numbers_of_the_whole(x64, monkeypatch):
    images, kernel, target = draw(6, 5, 4, 16), draw(3, 3, 16, 5), draw(6, 5, 4, 5)

    @jax.jit
    def run(images, kernel):
        loss = lambda *args: jnp.sum(jnp.tanh(winograd_conv(*args)) * target)
        gradient = jax.grad(loss, argnums=(0, 1))
        second = jax.jvp(gradient, (images, kernel), (images[::-1], kernel[::-1]))[1]
        several = jax.vmap(gradient, (None, 0))(images, jnp.stack([kernel, 2 * kernel]))
        return loss(images, kernel), gradient(images, kernel), second, several

    whole = run(images, kernel)
    assert "while" not in run.lower(images, kernel).as_text()
    monkeypatch.setattr(_winograd, "_a_core_to_itself", lambda: True)
    monkeypatch.setattr(_winograd, "_CHUNK_BYTES", 2 * images[0].nbytes)
    jax.clear_caches()
    close(run(images, kernel), whole)
    assert "while" in run.lower(images, kernel).as_text()
    jax.clear_caches()


def test_a_core_is_a_program_s_own_where_there_are_about_as_many_programs(monkeypatch):
    found = {}
    for devices, cores in ((1, 1), (2, 2), (2, 3), (2, 4), (4, 4)):
        monkeypatch.setattr(_winograd.processor, "cores", lambda cores=cores: cores)
        monkeypatch.setattr(
            jax.sharding, "get_abstract_mesh", lambda n=devices: jax.sharding.AbstractMesh((n,), ("task",))
        )
        found[devices, cores] = _winograd._a_core_to_itself()
    assert found == {(1, 1): False, (2, 2): True, (2, 3): True, (2, 4): False, (4, 4): True}
