"""Conv4 and its normalisations: whose pictures a score may depend on, and what the layers compute."""

import functools
import inspect
from typing import get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import metaforge as mf
from metaforge.backbones import Normalisation, _normalisation, conv4
from metaforge.backbones._convolution import max_pool
from metaforge.backbones._normalisation import EpisodicBatchNorm, Normalise

NORMALISATIONS = get_args(Normalisation)


def pictures(count, seed=0, size=16):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=(count, size, size, 3)), jnp.float32)


@functools.cache
def scorer(normalisation, **options):
    """A compiled `scores(inputs, context=None)` of one small network."""
    model = conv4(width=4, normalisation=normalisation, **options)
    params = jax.jit(model.init)(jax.random.key(0), pictures(2))
    # Scales and biases away from one and zero, so that leaving one out shows.
    noise = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: leaf + noise.normal(size=leaf.shape, scale=0.1).astype(np.float32), params)
    return jax.jit(lambda inputs, context=None: model.apply(params, inputs, context=context).logits)


@functools.cache
def influences(normalisation):
    """How far query image 0's score moves when another query image changes, and when the support images do."""
    scores = scorer(normalisation)
    support, query = pictures(4, seed=1), pictures(3, seed=2)
    other = query.at[2].set(pictures(1, seed=3)[0] * 0.2)
    base = scores(query, support)
    return np.abs(scores(other, support) - base)[:2].max(), np.abs(scores(query, support * 0.3) - base)[:2].max()


@pytest.mark.parametrize("normalisation", ["support", "group", "none"])
def test_a_score_does_not_depend_on_other_query_images(normalisation):
    assert influences(normalisation)[0] < 1e-6


def test_under_episode_a_score_does_depend_on_other_query_images():
    assert influences("episode")[0] > 1e-3


def test_only_under_support_does_a_score_depend_on_the_support_images():
    assert influences("support")[1] > 1e-3
    assert all(influences(normalisation)[1] == 0 for normalisation in ("episode", "group", "none"))


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_score_does_not_depend_on_the_order_of_images(normalisation):
    scores, support, query = scorer(normalisation), pictures(4, seed=1), pictures(3, seed=2)
    np.testing.assert_allclose(scores(query[::-1], support)[::-1], scores(query, support), atol=1e-5)
    np.testing.assert_allclose(scores(query, support[::-1]), scores(query, support), atol=1e-5)


def test_support_without_context_is_the_batch_s_own_statistics():
    images = pictures(4)
    np.testing.assert_array_equal(scorer("support")(images), scorer("episode")(images))


def test_with_the_images_themselves_as_context_support_equals_episode():
    images = pictures(4)
    np.testing.assert_allclose(scorer("support")(images, images), scorer("episode")(images), atol=1e-5)


def test_under_support_one_image_scores_as_it_does_in_company():
    support, query = pictures(4, seed=1), pictures(3, seed=2)
    scores = scorer("support")
    np.testing.assert_allclose(scores(query[1:2], support), scores(query, support)[1:2], atol=1e-6)


def test_bytes_and_fractions_of_255_are_the_same_picture_in_any_mixture():
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, size=(3, 16, 16, 3)), jnp.uint8)
    context = images[::-1, ::-1]
    real = lambda picture: picture.astype(jnp.float32) / 255
    scores = scorer("support")
    expected = scores(real(images), real(context))
    np.testing.assert_allclose(scores(images, context), expected, atol=1e-5)
    # Support and query may come from different readers.
    np.testing.assert_allclose(scores(real(images), context), expected, atol=1e-5)
    np.testing.assert_allclose(scores(images, real(context)), expected, atol=1e-5)


def test_every_convolution_gives_the_same_scores():
    images, context = pictures(3, size=19), pictures(4, seed=1, size=19)
    model = lambda convolution: conv4(width=16, convolution=convolution)
    params = jax.jit(model("lax").init)(jax.random.key(0), images)
    run = jax.jit(lambda p: [model(c).apply(p, images, context=context) for c in ("lax", "patches", "winograd")])
    lax, *others = run(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), [lax, lax], others)


@pytest.fixture
def narrow():
    """Two filters and their parameters."""
    model = conv4(width=2, convolution="patches")
    return model, jax.jit(model.init)(jax.random.key(0), pictures(4))


@pytest.fixture
def all_optimizations(narrow):
    """What users compile with; the other tests, and the drawing of parameters, leave most of it out."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def test_the_gradient_is_the_same_however_xla_fuses_the_maxima(narrow, all_optimizations):
    # As slices of one vector the parameters make XLA fuse otherwise. A maximum that it computes again with other
    # rounding equals none of its inputs, and a gradient that asks which input it equals is lost there.
    model, params = narrow
    loss_fn = mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy())
    batch = mf.Batch(pictures(4), np.array([0, 1, 0, 1]))
    flat, unravel = ravel_pytree(params)
    gradient = lambda params, batch: jax.grad(lambda params: loss_fn(params, batch)[0])(params)
    # Fused as outside of these tests, which have an older way compile faster. LLVM need not optimise: a network
    # this small shows the loss without.
    fused = {"xla_cpu_use_fusion_emitters": True, "xla_backend_optimization_level": 0}
    from_tree = jax.jit(gradient, compiler_options=fused)(params, batch)
    from_slices = jax.jit(lambda flat, batch: gradient(unravel(flat), batch), compiler_options=fused)(flat, batch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4, equal_nan=False), from_tree, from_slices)


CONVOLUTIONS = 3 * 3 * 3 * 64 + 3 * (3 * 3 * 64 * 64)
HEAD = 5 * 5 * 64 * 2 + 2  # 84 px halve to 42, 21, 10 and 5


@pytest.mark.parametrize(
    ("normalisation", "count"),
    [
        ("episode", CONVOLUTIONS + 4 * (64 + 64) + HEAD),
        ("support", CONVOLUTIONS + 4 * (64 + 64) + HEAD),
        ("group", CONVOLUTIONS + 4 * 64 + 4 * (64 + 64) + HEAD),
        ("none", CONVOLUTIONS + 4 * 64 + HEAD),
    ],
)
def test_at_84_pixels_the_network_has_as_many_parameters_as_counted_by_hand(normalisation, count):
    model = conv4(normalisation=normalisation)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 84, 84, 3)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count
    outputs = jax.eval_shape(model.apply, params, jnp.zeros((7, 84, 84, 3)))
    assert outputs.logits.shape == (7, 2)
    assert outputs.embeddings.shape == (7, 1600)


def test_without_normalisation_it_is_convolution_relu_and_pool_four_times_over():
    images = pictures(2, size=17)
    model = conv4(width=4, normalisation="none", convolution="lax")
    params = jax.jit(model.init)(jax.random.key(0), images)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)

    @jax.jit
    def by_hand(params):
        hidden = 2 * images - 1
        for block in range(4):
            kernel, bias = (params[f"Conv_{block}"][name] for name in ("kernel", "bias"))
            hidden = jax.lax.conv_general_dilated(
                hidden, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            hidden = nn.max_pool(jnp.maximum(hidden + bias[None, None, None], 0), (2, 2), strides=(2, 2))
        flat = hidden.reshape(2, -1)
        return flat, flat @ params["head"]["kernel"] + params["head"]["bias"][None]

    embeddings, logits = by_hand(params)
    outputs = jax.jit(model.apply)(params, images)
    np.testing.assert_allclose(outputs.embeddings, embeddings, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outputs.logits, logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 15, 16, 3), (1, 16, 15, 3)])
def test_images_that_four_poolings_would_wipe_out_are_refused(shape):
    with pytest.raises(ValueError, match="images must be 16 pixels or more"):
        conv4(width=4).init(jax.random.key(0), jnp.zeros(shape))


def test_other_channel_counts_and_oblong_images_are_welcome():
    model = conv4(width=4, num_classes=3)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 16, 40, 1)))
    assert jax.eval_shape(model.apply, params, jnp.zeros((2, 16, 40, 1))).logits.shape == (2, 3)


def test_unknown_choices_are_named_with_the_known_ones():
    factory = inspect.unwrap(conv4)
    with pytest.raises(ValueError, match="unknown `normalisation` 'layer'; known: episode, support, group, none"):
        factory(normalisation="layer")
    with pytest.raises(ValueError, match="unknown `convolution` 'fft'; known: auto, lax, patches, winograd"):
        factory(convolution="fft")


def normalise(inputs, rows, scale, bias):
    """`EpisodicBatchNorm` with the given parameters."""
    return EpisodicBatchNorm().apply({"params": {"scale": scale, "bias": bias}}, inputs, rows)


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_batch_statistics_are_those_of_the_leading_rows(rows, x64):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(5, 3, 4, 2)) * 3 + 7
    scale, bias = np.array([2.0, -1.0]), np.array([0.5, 3.0])
    mean, variance = inputs[:rows].mean(axis=(0, 1, 2)), inputs[:rows].var(axis=(0, 1, 2))
    expected = scale * (inputs - mean) / np.sqrt(variance + 1e-5) + bias
    actual = normalise(jnp.asarray(inputs), rows, jnp.asarray(scale), jnp.asarray(bias))
    np.testing.assert_allclose(actual, expected, rtol=1e-10)


def test_with_all_rows_it_is_flax_s_batch_norm_without_the_memory():
    inputs = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3, 4, 2)) * 3 + 7, jnp.float32)
    layer = nn.BatchNorm(use_running_average=False, epsilon=1e-5)
    variables = layer.init(jax.random.key(0), inputs)
    params = {"scale": jnp.array([2.0, -1.0]), "bias": jnp.array([0.5, 3.0])}
    expected, _ = layer.apply(variables | {"params": params}, inputs, mutable=["batch_stats"])
    np.testing.assert_allclose(normalise(inputs, 5, **params), expected, atol=1e-5)


def test_a_large_mean_does_not_cost_the_variance_its_digits():
    inputs = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype(np.float32) + 1000
    exact = inputs.astype(np.float64)
    expected = (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5)
    actual = normalise(jnp.asarray(inputs), 8, jnp.ones(1), jnp.zeros(1))
    np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_a_first_example_that_is_unlike_the_rest_does_not_either():
    # Its mean is what the others are measured from.
    inputs = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype(np.float32)
    inputs[0] += 1000
    exact = inputs.astype(np.float64)
    expected = (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5)
    actual = normalise(jnp.asarray(inputs), 8, jnp.ones(1), jnp.zeros(1))
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_the_derivatives_of_mean_and_variance_are_those_of_their_definitions(x64):
    rng = np.random.default_rng(0)
    inputs, along = (jnp.asarray(rng.normal(size=(3, 2, 4, 2)) * 2 + 5) for _ in range(2))

    def everything(statistics):
        loss = lambda x: jnp.sum(jnp.sin(jnp.stack(statistics(x))))
        gradient = jax.grad(loss)
        return {
            "value": statistics(inputs),
            "tangent": jax.jvp(statistics, (inputs,), (along,))[1],
            "gradient": gradient(inputs),
            "forward over reverse": jax.jvp(gradient, (inputs,), (along,))[1],
            "reverse over reverse": jax.grad(lambda x: jnp.vdot(gradient(x), along))(inputs),
        }

    plain = lambda x: (x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2)))
    ours, expected = jax.jit(lambda: (everything(_normalisation._mean_and_variance), everything(plain)))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), ours, expected)


def test_pooled_before_it_is_normalised_it_is_what_it_would_be_after(x64):
    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.normal(size=(5, 6, 5, 3)))
    scale, bias, target = jnp.array([2.0, -1.0, 0.0]), jnp.array([0.5, 0.2, 1.0]), rng.normal(size=(5, 3, 2, 3))

    def pooled_first(inputs, params):
        return Normalise("support").apply({"params": {"EpisodicBatchNorm_0": params}}, inputs, 4)

    def pooled_last(inputs, params):
        return max_pool(nn.relu(normalise(inputs, 4, **params)))

    @jax.jit
    def run(inputs, params):
        both = (pooled_first, pooled_last)
        return [
            (f(inputs, params), jax.grad(lambda *a, f=f: jnp.sum(f(*a) * target), (0, 1))(inputs, params)) for f in both
        ]

    ours, expected = run(inputs, {"scale": scale, "bias": bias})
    # Where the scale is 0 all four are equal, and which of them is the largest is anybody's choice: its inputs count 0.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), ours[0], expected[0])
    np.testing.assert_allclose(ours[1][0], expected[1][0], rtol=1e-10, atol=1e-12)
    for name in ("scale", "bias"):
        known = slice(0, 2) if name == "scale" else slice(0, 3)
        np.testing.assert_allclose(ours[1][1][name][known], expected[1][1][name][known], rtol=1e-10)


# XLA's own convolution, with the statistics of groups, is among the backbones of the laws.
@pytest.mark.parametrize("convolution", ["patches", "winograd"])
def test_half_precision_is_for_convolutions_alone(convolution):
    images, context = pictures(6, size=16), pictures(4, seed=1, size=16)
    options = {"width": 16, "convolution": convolution, "normalisation": "support"}
    half, single = (conv4(precision=precision, **options) for precision in ("bfloat16", "float32"))
    params = jax.jit(half.init)(jax.random.key(0), images)

    def loss(model):
        outputs = lambda params: model.apply(params, images, context=context)
        return lambda params: (jnp.sum(jnp.sin(outputs(params).logits)), outputs(params))

    run = jax.jit(lambda p: [jax.value_and_grad(loss(model), has_aux=True)(p) for model in (half, single)])
    ((_, outputs), grads), ((_, expected), exact) = run(params)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, outputs, grads))} == {jnp.dtype("float32")}
    # Eight bits of mantissa, four layers: a few hundredths. If nothing had been rounded, it would be nothing.
    scale = np.abs(expected.logits).max()
    difference = np.abs(outputs.logits - expected.logits).max() / scale
    assert 1e-6 < difference < 0.1
    angle = lambda a, b: np.vdot(a, b) / np.sqrt(np.vdot(a, a) * np.vdot(b, b))
    flat = lambda tree: np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
    assert angle(flat(grads), flat(exact)) > 0.98


def test_an_unknown_precision_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown `precision` 'int8'; known: float32, bfloat16"):
        inspect.unwrap(conv4)(precision="int8")
