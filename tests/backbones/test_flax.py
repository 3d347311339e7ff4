"""The bridge from flax: what it lets through, and what it refuses."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import metaforge as mf
from metaforge.backbones import from_flax, mlp


class Head(nn.Module):
    """A linear head, with batch normalisation before it if asked."""

    batch_norm: bool = False

    @nn.compact
    def __call__(self, inputs, context=None):
        if self.batch_norm:
            inputs = nn.BatchNorm(use_running_average=False)(inputs)
        return mf.Outputs(nn.Dense(2)(inputs), inputs)


def test_running_averages_are_refused_with_what_to_use_instead():
    backbone = from_flax(Head(batch_norm=True))
    with pytest.raises(ValueError, match=r"Head keeps \['batch_stats'\].*nn.GroupNorm.*in place of `nn.BatchNorm`"):
        backbone.init(jax.random.key(0), jnp.ones((2, 3)))


def test_init_and_apply_are_the_module_s_own():
    module, inputs = Head(), jnp.arange(6.0).reshape(2, 3)
    backbone = from_flax(module)
    params = backbone.init(jax.random.key(1), inputs)
    jax.tree.map(np.testing.assert_array_equal, params, module.init(jax.random.key(1), inputs)["params"])
    np.testing.assert_array_equal(
        backbone.apply(params, inputs).logits, module.apply({"params": params}, inputs).logits
    )


def test_the_context_reaches_the_module():
    class Echo(nn.Module):
        @nn.compact
        def __call__(self, inputs, context=None):
            return mf.Outputs(inputs if context is None else context, inputs)

    backbone = from_flax(Echo())
    inputs = jnp.ones((2, 2))
    assert backbone.init(jax.random.key(0), inputs) == {}
    assert backbone.apply({}, inputs, context=2 * inputs).logits.sum() == 8


def test_the_perceptron_has_relu_between_its_layers_and_none_after():
    model = mlp(hidden=(4, 5), outputs=2)
    inputs = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), jnp.float32)
    params = jax.tree.map(np.asarray, jax.jit(model.init)(jax.random.key(0), inputs))
    hidden = np.asarray(inputs)
    for name in ("Dense_0", "Dense_1"):
        hidden = np.maximum(hidden @ params[name]["kernel"] + params[name]["bias"], 0)
    outputs = model.apply(params, inputs)
    np.testing.assert_allclose(outputs.embeddings, hidden, rtol=1e-5, atol=1e-6)
    expected = hidden @ params["head"]["kernel"] + params["head"]["bias"]
    np.testing.assert_allclose(outputs.logits, expected, rtol=1e-5, atol=1e-6)


def test_the_default_perceptron_is_maml_s_regressor():
    params = jax.eval_shape(mlp().init, jax.random.key(0), jnp.zeros((1, 1)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == (1 * 40 + 40) + (40 * 40 + 40) + (40 + 1)
