"""What holds for every backbone, whatever its normalisation. A new one is a new row of `CASES`."""

import inspect
from typing import get_args

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import metaforge as mf
from metaforge import backbones
from metaforge.backbones.clip_model import LoRA, STAdapter, TextConfig, VisionConfig
from metaforge.backbones.efficientnet import _models, _plan


class Linear(nn.Module):
    """A stranger's module."""

    @nn.compact
    def __call__(self, inputs, context=None):
        return mf.Outputs(nn.Dense(2)(inputs), inputs)


# An EfficientNet of one block, with and without squeeze-and-excitation.
LITE, LITE1, LITE2, B, B4 = (
    plan._replace(stages=(plan.stages[2]._replace(repeats=1, features=6),), stem=4, top=8)
    for plan in (_plan.LITE0, _plan.LITE1, _plan.LITE2, _plan.B0, _plan.plan_of("efficientnet_b4", "torch"))
)
TINY = VisionConfig(image_size=8, patch_size=4, width=8, layers=1, heads=2)
TOWERS = {
    "vision": VisionConfig(image_size=8, patch_size=4, width=8, layers=1, heads=2, projection=6),
    "text": TextConfig(vocabulary=9, context=5, width=8, layers=1, heads=2, projection=6),
}

# The backbone and the shape of one input, or of each of its parts; tokens are integers.
CASES = {
    f"conv4, {normalisation}": (backbones.conv4(width=4, normalisation=normalisation), (16, 16, 3))
    for normalisation in get_args(backbones.Normalisation)
} | {
    "conv4, support, lax": (backbones.conv4(width=4, convolution="lax"), (16, 16, 3)),
    "conv4, neck, mlp": (backbones.conv4(width=4, neck=3, head="mlp", num_classes=3), (16, 16, 3)),
    "mlp": (backbones.mlp(hidden=(4,), outputs=2), (3,)),
    "mlp, neck, quadratic": (backbones.mlp(hidden=(), outputs=3, neck=2, head="quadratic"), (3,)),
    "clip": (backbones.clip(variant=TINY, num_classes=2), (8, 8, 3)),
    "clip, adapters": (backbones.clip(variant=TINY, num_classes=2, adapter=STAdapter(width=4), lora=LoRA()), (8, 8, 3)),
    "clip, neck, quadratic": (backbones.clip(variant=TINY, neck=3, head="quadratic"), (8, 8, 3)),
    "efficientnet_lite0": (_models.assemble(LITE, head_init="zeros", neck=3), (32, 32, 3)),
    "efficientnet_lite1": (_models.assemble(LITE1, head_init="zeros"), (32, 32, 3)),
    "efficientnet_lite2": (_models.assemble(LITE2, head_init="zeros"), (32, 32, 3)),
    "efficientnet_b0": (_models.assemble(B, normalisation="support"), (32, 32, 3)),
    "efficientnet_b4": (_models.assemble(B4), (32, 32, 3)),
    "two_towers": (backbones.two_towers(**TOWERS, heads=2), {"image": (8, 8, 3), "tokens": (5,)}),
    "two_towers, images alone": (backbones.two_towers(**TOWERS, heads=2), (8, 8, 3)),
    "reading": (
        backbones.reading(backbones.mlp(hidden=(4,), outputs=2), text=TOWERS["text"], heads=2),
        {"image": (3,), "tokens": (5,)},
    ),
    "from_flax": (backbones.from_flax(Linear()), (3,)),
}


def test_every_backbone_has_a_row():
    public = {
        name
        for name in backbones.__all__
        if inspect.isroutine(made := inspect.unwrap(getattr(backbones, name)))
        and inspect.signature(made).return_annotation is mf.Backbone
    }
    assert public == {name.split(",")[0] for name in CASES}


def drawn(shape, count, rng, name="image"):
    if isinstance(shape, dict):
        return {part: drawn(its, count, rng, part) for part, its in shape.items()}
    if name == "tokens":
        return jnp.asarray(rng.integers(1, 9, size=(count, *shape)), jnp.int32)
    return jnp.asarray(rng.uniform(size=(count, *shape)), jnp.float32)


class Run:
    """One backbone, compiled once for all laws: a second trace anywhere fails."""

    def __init__(self, case):
        self.model, self.shape = CASES[case]
        self.init = jax.jit(self.model.init)
        self.params = self.init(jax.random.key(0), self.inputs(2))
        self.apply = jax.jit(chex.assert_max_traces(self._apply, n=1))

        self.again = self.model.head or (lambda params, embeddings: None)

    def _apply(self, params, inputs, context):
        """The outputs, and what the head says of the embeddings alone."""
        outputs = self.model.apply(params, inputs, context=context)
        return outputs, self.again(params, outputs.embeddings)

    def inputs(self, count, seed=0):
        return drawn(self.shape, count, np.random.default_rng(seed))


@pytest.fixture(scope="module", params=CASES)
def run(request):
    chex.clear_trace_counter()
    return Run(request.param)


def assert_equal(actual, expected):
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def test_init_is_a_function_of_the_key_and_of_shapes(run):
    assert_equal(run.init(jax.random.key(0), run.inputs(2, seed=5)), run.params)
    other = run.init(jax.random.key(1), run.inputs(2))
    assert any(np.any(a != b) for a, b in zip(jax.tree.leaves(other), jax.tree.leaves(run.params), strict=True))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(run.params))


def test_the_head_says_of_embeddings_what_the_model_says_of_inputs(run):
    if run.model.head is None:
        pytest.skip("a stranger's module has no head of its own")
    outputs, logits = run.apply(run.params, run.inputs(5), run.inputs(4, seed=1))
    np.testing.assert_allclose(logits, outputs.logits, rtol=1e-4, atol=1e-6)


def test_apply_is_pure_and_compiles_once(run):
    before = jax.tree.map(np.array, run.params)
    first = run.apply(run.params, run.inputs(5), run.inputs(4, seed=1))
    run.apply(run.params, run.inputs(5, seed=2), run.inputs(4, seed=3))
    assert_equal(run.apply(run.params, run.inputs(5), run.inputs(4, seed=1)), first)
    assert_equal(run.params, before)


def test_logits_and_embeddings_have_a_row_for_every_input(run):
    outputs, _ = run.apply(run.params, run.inputs(5), run.inputs(4, seed=1))
    assert outputs.logits.shape in ((5, 2), (5, 3))
    assert outputs.embeddings.shape[0] == 5
    assert outputs.embeddings.ndim == 2
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(outputs))


def test_constant_inputs_too_have_finite_losses_and_gradients(run):
    # All images alike: the variance is 0, the maxima are tied.
    loss_fn = mf.objectives.loss_fn(run.model.apply, mf.objectives.cross_entropy())
    inputs = jax.tree.map(lambda leaf: np.broadcast_to(0.5 * (leaf > 0), leaf.shape).astype(leaf.dtype), run.inputs(4))
    batch = mf.Batch(inputs, np.array([0, 1, 0, 1]))
    (loss, _), gradient = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))(run.params, batch)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((loss, gradient)))


TWICE = {
    "conv4": (lambda **how: backbones.conv4(width=4, normalisation="group", convolution="lax", **how), (16, 16, 3)),
    "efficientnet_lite0": (lambda **how: _models.assemble(LITE._replace(**how), normalisation="support"), (32, 32, 3)),
    "efficientnet_lite0, neck": (lambda **how: _models.assemble(LITE._replace(**how), neck=3), (32, 32, 3)),
    "efficientnet_lite2": (lambda **how: _models.assemble(LITE2._replace(**how), depthwise="lax"), (32, 32, 3)),
    "efficientnet_b0": (lambda **how: _models.assemble(B._replace(**how), normalisation="group"), (32, 32, 3)),
    "efficientnet_b4": (lambda **how: _models.assemble(B4._replace(**how), depthwise="lax"), (32, 32, 3)),
    "clip": (lambda **how: backbones.clip(variant=TINY, num_classes=2, **how), (8, 8, 3)),
}
"""Backbones that compute in two precisions, and the shape of one input."""


def test_every_backbone_that_takes_a_precision_is_here():
    able = {
        name.split(",")[0]
        for name in CASES
        if "precision" in inspect.signature(inspect.unwrap(getattr(backbones, name.split(",")[0]))).parameters
    }
    assert able - {"efficientnet_lite1"} == {name.split(",")[0] for name in TWICE}


@pytest.mark.parametrize("case", TWICE)
def test_half_precision_is_for_products_and_agrees_within_its_digits(case):
    make, shape = TWICE[case]
    half, single = (make(precision=precision) for precision in ("bfloat16", "float32"))
    inputs = drawn(shape, 6, np.random.default_rng(0))
    params = jax.jit(single.init)(jax.random.key(0), inputs)
    given = jax.jit(half.init)(jax.random.key(0), inputs)
    # CLIP's tower has its weights in half precision, and is not trained; nothing else has.
    trained = lambda tree: {name: part for name, part in tree.items() if name != "vision"}
    assert_equal(trained(given), trained(params))

    def both(given, params):
        loss = lambda model, params: (jnp.sum(jnp.sin(model.apply(params, inputs).logits)), model.apply(params, inputs))
        run = lambda model, params: jax.value_and_grad(lambda moving: loss(model, params | moving), has_aux=True)(
            trained(params)
        )
        return run(half, given), run(single, params)

    ((_, found), gradient), ((_, exact), expected) = jax.jit(both)(given, params)
    assert {leaf.dtype for leaf in jax.tree.leaves((trained(given), found, gradient))} == {jnp.dtype("float32")}
    # Inputs, weights and what a product makes are each rounded to 8 binary digits; images pass at most 6 products.
    difference = np.max(np.abs(found.logits - exact.logits)) / np.max(np.abs(exact.logits))
    assert 1e-6 < difference < 6 * 3 * 2.0**-8
    flat = lambda tree: np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
    one, other = flat(gradient), flat(expected)
    assert np.dot(one, other) / np.sqrt(np.dot(one, one) * np.dot(other, other)) > 0.98
