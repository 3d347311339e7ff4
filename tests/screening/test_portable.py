"""A detector in ONNX: every network says what JAX says of it, without JAX, and a file that is amiss is named."""

import csv
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaforge.adaptation.gaussian import Prior
from metaforge.backbones import choice
from metaforge.backbones.clip_model.config import VisionConfig
from metaforge.backbones.clip_model.vision import init_vision, standardised, vision_layers, vision_readout
from metaforge.backbones.efficientnet._network import EfficientNet
from metaforge.backbones.efficientnet._plan import Plan, Stage
from metaforge.backbones.spec import BackboneSpec
from metaforge.errors import InputError
from metaforge.evaluation.calibration import fit_judge
from metaforge.screening import Detector, save_detector
from metaforge.screening.portable import load_onnx, networks, onnx_of, save_onnx, transformer
from metaforge.screening.portable import opened as opening
from metaforge.screening.portable.graph import Graph
from metaforge.screening.portable.layers import Normalising
from metaforge.screening.portable.opened import session_of
from metaforge.screening.portable.scoring import FORMAT, digest, read_onnx

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
ROOT = Path(__file__).parents[2]


def drawn(shapes, seed=0):
    """Parameters of these shapes; variances and scales have to be above 0."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.uniform(0.05, 0.4, leaf.shape).astype(np.float32) * (
        1 if len(leaf.shape) < 2 else rng.choice([-1.0, 1.0], leaf.shape).astype(np.float32)), shapes)  # fmt: skip


def images(count, size, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


def detector_of(**settings):
    spec = BackboneSpec(**{"width": 6, "image_size": 17} | settings)
    return Detector(drawn(choice.shapes(spec)), images(4, spec.image_size, 2), spec, {"learner": "erm"})


def log_odds(detector, asked):
    # An episode's detector is normalised by its context, as one of "support" is.
    kind = {"episode": "support"}.get(detector.spec.normalisation, detector.spec.normalisation)
    model = choice.choose(BackboneSpec(**{**vars(detector.spec), "normalisation": kind}))
    logits = np.asarray(jax.jit(model.apply)(detector.params, asked, context=detector.context).logits, np.float64)
    return np.logaddexp.reduce(logits[:, 1:], axis=1) - logits[:, 0]


OPENVINO = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="`openvino` is not installed")


def has_products_of_bfloat16():
    return "BF16" in opening.import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


ENGINES = ["onnx", pytest.param("openvino", marks=OPENVINO)]
PRECISE = {"onnx": 1e-4, "openvino": 1e-4, "openvino-bfloat16": 0.2}
"""By how much logits may differ, as a share of their range: bfloat16 has 8 bits, and rounds at every layer."""


SPECS = {
    "support": {"normalisation": "support"},
    "episode, a neck and a perceptron": {"normalisation": "episode", "neck": 5, "head": "mlp"},
    "group, a quadratic head of three classes": {"normalisation": "group", "head": "quadratic", "num_classes": 3},
    "none": {"normalisation": "none", "width": 3},
    "levels": {
        "backbone": "efficientnet_lite0", "normalisation": "frozen", "levels": "0,2", "image_size": 35,
    },
    "fusion and a neck": {
        "backbone": "efficientnet_b0", "normalisation": "frozen", "fusion": "0,2", "fusion_width": 12, "neck": 3,
        "image_size": 35,
    },
    "clip": {"backbone": "clip", "variant": "small", "normalisation": "none", "image_size": 32},
    "clip of another size in bfloat16, a neck and a perceptron": {
        "backbone": "clip", "variant": "small", "normalisation": "none", "image_size": 40, "neck": 5, "head": "mlp",
        "precision": "bfloat16",
    },
    "levels of clip, the last one too": {
        "backbone": "clip", "variant": "small", "normalisation": "none", "levels": "0,1", "image_size": 24,
    },
    "levels of clip but the last": {
        "backbone": "clip", "variant": "small", "normalisation": "none", "levels": "0", "image_size": 32,
    },
    "levels of two networks": {
        "backbone": "efficientnet_lite0", "normalisation": "frozen", "levels": "1", "variant": "small",
        "clip_levels": "1", "image_size": 40,
    },
}  # fmt: skip


@pytest.mark.parametrize("engine", [*ENGINES, pytest.param("openvino-bfloat16", marks=OPENVINO)])
@pytest.mark.parametrize("settings", SPECS.values(), ids=SPECS)
def test_every_detector_says_what_jax_says(settings, engine, tmp_path):
    if engine == "openvino-bfloat16" and not has_products_of_bfloat16():
        pytest.skip("this processor has no products of bfloat16")
    detector = detector_of(**settings)
    # From dark to light, and with a last layer that tells them apart, each by some logits.
    asked = np.uint8(images(5, detector.image_size) * np.linspace(0.2, 1, 5).reshape(-1, 1, 1, 1))
    head = dict(detector.params["head"])
    last = head.get("Dense_0", head)
    for _ in range(2):  # of three classes the odds are no multiple
        factor = 4 / np.ptp(log_odds(detector, asked))
        last = {"kernel": last["kernel"] * np.float32(factor), "bias": 0 * last["bias"]}
        head = head | {"Dense_0": last} if "Dense_0" in head else last
        detector = detector._replace(params={**detector.params, "head": head})
    expected = log_odds(detector, asked)
    # Among those that a float32's probability tells apart.
    offset = np.float32(expected.mean()) * np.arange(last["bias"].size, dtype=np.float32).clip(0, 1)
    last = last | {"bias": -offset}
    head = head | {"Dense_0": last} if "Dense_0" in head else last
    detector = detector._replace(params={**detector.params, "head": head})
    expected, close = log_odds(detector, asked), PRECISE[engine]
    assert 1 < np.ptp(expected) < 20
    save_onnx(tmp_path / "one.onnx", detector)
    read = load_onnx(tmp_path / "one.onnx", engine=engine)
    found, distance = read.examine(asked, batch=2)
    np.testing.assert_allclose(found, expected, rtol=close, atol=close * np.ptp(expected))
    assert distance is None
    np.testing.assert_allclose(read(asked), 1 / (1 + np.exp(-found)), atol=1e-6)
    assert (read.image_size, read.crop, read.judge) == (detector.image_size, detector.crop, None)
    assert read.examine(asked[:0])[0].shape == (0,)


TINY = Plan(
    (Stage(1, 3, 1, 1, 4), Stage(2, 5, 2, 3, 6)), 5, 8, 0.25, "swish", (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
)
"""Squeeze-and-excitation, both kernels and strides, an expansion and one without, a residual."""


FUSED = TINY._replace(fused=(0, 1), fused_width=6)
LITE, TORCH = TINY._replace(activation="relu6", squeeze=0.0), TINY._replace(padding="symmetric", epsilon=1e-5)


@pytest.mark.parametrize(
    ("plan", "kind", "size"),
    [(plan, kind, 37) for plan in (TINY, LITE, FUSED) for kind in ("frozen", "support", "group")]
    + [(TORCH, "frozen", 36)],
)
def test_every_part_of_an_efficientnet_is_there(plan, kind, size):
    network, asked, context = EfficientNet(plan, normalisation=kind), images(3, size), images(4, size, 2)
    params = drawn(jax.eval_shape(network.init, jax.random.key(0), asked)["params"])
    apply = jax.jit(lambda params, asked, context: network.apply({"params": params}, asked, context).embeddings)
    expected = apply(params, asked, context if kind == "support" else None)
    graph = Graph(size)
    features = networks.efficientnet(graph, plan, params, Normalising(kind, plan.epsilon, context))
    first = graph.add("Slice", features, *(graph.constant([n], kind=np.int64) for n in (3, 4, 1)))
    one = graph.add("Squeeze", first, graph.constant([1], kind=np.int64))
    (found,) = session_of(graph.model({"one": one}).SerializeToString()).run(["one"], {"images": asked})
    np.testing.assert_allclose(found, expected[:, 3], rtol=2e-4, atol=2e-4)


def with_prior():
    detector = detector_of(normalisation="support")
    size = detector.params["head"]["kernel"].shape[0]
    rng = np.random.default_rng(5)
    factor = np.tril(rng.normal(size=(size, size), scale=0.1)) + np.eye(size)
    as32 = np.float32
    prior = Prior(as32(rng.normal(size=size)), as32(factor), as32(np.ones(size)), as32(1), as32([1, 1]), as32(1),
                  as32(1), as32(0))  # fmt: skip
    judge = fit_judge([-3.0, -2.0, 1.0, 2.0], [0, 0, 1, 1], distances=[1.0, 2.0, 3.0, 4.0])
    return detector._replace(prior=prior, about={"crop": "sbi", "calibration": judge.as_json()})


@pytest.mark.parametrize("engine", ENGINES)
def test_the_distance_is_the_mean_square_of_what_the_factor_makes_white(engine, tmp_path):
    detector, asked = with_prior(), images(3, 17)
    save_onnx(tmp_path / "one.onnx", detector)
    read = load_onnx(tmp_path / "one.onnx", engine=engine)
    model = choice.choose(detector.spec)
    seen = np.float64(jax.jit(model.apply)(detector.params, asked, context=detector.context).embeddings)
    white = np.linalg.solve(np.float64(detector.prior.factor), (seen - detector.prior.middle).T)
    np.testing.assert_allclose(read.examine(asked)[1], np.mean(white**2, axis=0), rtol=1e-4)
    assert read.judge == detector.judge
    assert read.crop == "sbi"


BARE = ("numpy", "PIL", "absl", "lazy_loader", "jaxtyping", "wadler_lindig", "onnxruntime", "metaforge")
"""All that scoring an ONNX file takes."""
FACES = ("ai_edge_litert", "flatbuffers", "ml_dtypes")
"""And finding faces first."""

PREDICT = """
import importlib.util, json, sys
from metaforge.cli import predict
codes = [predict.main(["predict", *flags]) for flags in json.loads(sys.argv[1])]
print(json.dumps([codes, [name for name in sys.argv[2:] if importlib.util.find_spec(name)]]))
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder with links to the packages that screening with ONNX takes, and to nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    for name in (*BARE, *FACES):
        if spec := importlib.util.find_spec(name):
            (package,) = spec.submodule_search_locations
            # What a wheel brings of other programs lies beside its package; and jaxtyping asks for its own version.
            beside = [*Path(package).parent.glob(f"{name.replace('PIL', 'pillow')}.libs")]
            for each in (Path(package), *beside):
                (folder / each.name).symlink_to(each)
    (about,) = (
        importlib.metadata.distribution("jaxtyping").files[0].locate().parent.parent.glob("jaxtyping-*.dist-info")
    )
    (folder / about.name).symlink_to(about)
    return folder


def test_photographs_and_crops_are_screened_where_jax_is_not_installed(bare, tmp_path):
    from PIL import Image

    from metaforge.data.embedded_faces import whole_photographs
    from metaforge.data.face_crops import face_crops

    detector, asked = with_prior(), images(3, 17)
    save_onnx(tmp_path / "one.onnx", detector)
    (tmp_path / "crops").mkdir()
    for number, image in enumerate(asked):
        Image.fromarray(image).save(tmp_path / "crops" / f"{number}.png")
    model = f"--model={tmp_path / 'one.onnx'}"
    calls = [[model, f"--images={tmp_path / 'crops'}", "--crops", f"--out={tmp_path / 'crops.csv'}"]]
    if importlib.util.find_spec("ai_edge_litert"):
        photograph = next(iter(whole_photographs().values()))
        Image.fromarray(photograph).save(tmp_path / "whole.png")
        calls += [[model, f"--images={tmp_path / 'whole.png'}", f"--out={tmp_path / 'whole.csv'}"]]
        asked = np.concatenate([asked, [face.image for face in face_crops(photograph, size=17, crop="sbi")]])
    # A folder takes JAX, and that is said in one line.
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "config.json").write_text('{"detector": {}}')
    calls += [["--model=folder", f"--images={tmp_path / 'crops'}", "--crops"]]
    absent = ["jax", "jaxlib", "flax", "optax", "orbax", "scipy", "skimage", "sklearn", "onnx", "tqdm", "matplotlib"]
    done = subprocess.run([sys.executable, "-S", "-c", PREDICT, json.dumps(calls), *absent], cwd=tmp_path, text=True,
                          capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(bare)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes, present = json.loads(done.stdout.splitlines()[-1])
    assert (codes, present) == ([*[0] * (len(calls) - 1), 2], []), done.stderr
    assert done.stderr.splitlines()[-1].startswith("predict: model: 'folder' takes JAX, which is not installed.")
    tables = [(tmp_path / f"{name}.csv").read_text().splitlines() for name in ("crops", "whole")[: len(calls) - 1]]
    said = [float(row["p_fake"]) for table in tables for row in csv.DictReader(table)]
    _, doubted, _ = detector.judge.weigh(*detector.examine(asked))
    np.testing.assert_allclose(said, 1 / (1 + np.exp(-doubted)), atol=1e-4)


def test_where_jax_is_installed_a_file_in_onnx_does_not_ask_for_it(written, tmp_path):
    (tmp_path / "one.onnx").write_bytes(written)
    # ONNX Runtime writes a number for this machine into the home folder when it reports to its makers; not on a CI.
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "XDG_CACHE_HOME")}
    clean |= {"HOME": str(tmp_path)}
    program = "import sys; from metaforge.screening import predicting; predicting.load(sys.argv[1]); "
    program += "import metaforge.data.face_crops; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "one.onnx"], cwd=ROOT, capture_output=True,
                          text=True, check=True, env=clean)  # fmt: skip
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]
    heavy = {"jax", "flax", "optax", "orbax", "scipy", "skimage", "sklearn", "matplotlib", "onnx", "torch", "tqdm"}
    assert not heavy & set(done.stdout.split())


def test_both_engines_of_a_folder_say_the_same_and_a_file_is_not_for_jax(tmp_path):
    from metaforge.screening import predicting

    detector, asked = with_prior(), images(3, 17)
    save_detector(tmp_path / "folder", detector)
    by_jax, by_onnx = (predicting.load(str(tmp_path / "folder"), engine=engine) for engine in ("jax", "onnx"))
    for ours, theirs in zip(by_jax.examine(asked), by_onnx.examine(asked), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    save_onnx(tmp_path / "one.onnx", detector)
    with pytest.raises(InputError, match=r"--engine=jax: '.*one.onnx' is a file"):
        predicting.load(str(tmp_path / "one.onnx"), engine="jax")
    with pytest.raises(InputError, match=r"one\.onnx' exists already"):
        save_onnx(tmp_path / "one.onnx", detector)


def test_what_cannot_be_exported_is_told_by_its_own_name(tmp_path, capsys):
    from metaforge.cli import export

    save_detector(tmp_path / "folder", detector_of())
    flags = [f"--run={tmp_path / 'folder'}", f"--out={tmp_path / 'new'}"]
    for more, said in (([], "is a saved detector. Copy the folder"), (["--onnx=x"], "--out, --onnx: give")):
        assert export.main(["export", *flags, *more]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
@pytest.mark.parametrize("blocks", [(), (0, 2), (1,)])
def test_every_part_of_a_vision_tower_is_there(activation, blocks):
    config = VisionConfig(image_size=12, patch_size=4, width=12, layers=3, heads=3, activation=activation)
    shapes = jax.eval_shape(lambda key: init_vision(key, config), jax.random.key(0))
    params, asked = jax.tree.map(jnp.asarray, drawn(shapes)), images(3, 20)
    layers = vision_layers(params, standardised(jnp.asarray(asked), "clip"), config, {0, 1, 2})
    graph = Graph(20)
    seen = transformer.vision(graph, config, params, blocks=blocks)
    expected = [vision_readout(params, layers[-1][:, 0])[1], *(layers[block][:, 1:].mean(axis=1) for block in blocks)]
    made = [seen.features, *(graph.add("ReduceMean", each, axes=[1], keepdims=0) for each in seen.patches)]
    for each, wanted in zip(made, expected, strict=True):
        (found,) = session_of(graph.model({"one": _number(graph, each, 5)}).SerializeToString()).run(
            ["one"], {"images": asked}
        )
        np.testing.assert_allclose(found, wanted[:, 5], rtol=2e-5, atol=2e-5)


def _number(graph, rows, which):
    one = graph.add("Slice", rows, *(graph.constant([n], kind=np.int64) for n in (which, which + 1, 1)))
    return graph.add("Squeeze", one, graph.constant([1], kind=np.int64))


@pytest.fixture(scope="module")
def written():
    return onnx_of(with_prior())


def test_a_logit_beyond_float32_is_calibrated_as_the_detector_does_it():
    detector, asked = detector_of(), images(3, 17)
    head = jax.tree.map(lambda leaf: leaf * np.float32(1e4), detector.params["head"])
    detector = detector._replace(params={**detector.params, "head": head})
    expected = detector.examine(asked)[0]
    assert (np.abs(expected) > 17).any()
    np.testing.assert_allclose(read_onnx(onnx_of(detector), "one").examine(asked)[0], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("ends", "size", "why"),
    [({"logit": 0}, 16, ""), ({"odds": 0}, 16, "its outputs are odds"), ({"logit": 1}, 16, "its outputs are logit"),
     ({"logit": 0}, 8192, "its input is images")],
)  # fmt: skip
@pytest.mark.parametrize("engine", ENGINES)
def test_other_ends_than_a_detectors_are_named(ends, size, why, engine):
    graph = Graph(size)
    kept = graph.add("ReduceMean", graph.add("Cast", "images", to=1), axes=[1, 2, 3], keepdims=1)
    flat = graph.add("Squeeze", kept, graph.constant([1, 2, 3], kind=np.int64))
    model = graph.model({name: [flat, kept][place] for name, place in ends.items()}, width=max(ends.values()))
    # A file that is sound in all else.
    model, about = model.SerializeToString(), {"format": FORMAT, "about": {}, "image_size": size, "crop": "sbi"}
    about["bytes"] = len(model)
    made = sealed(model, about)
    if not why:
        assert read_onnx(made, "one", engine=engine).image_size == size
        return
    with pytest.raises(InputError, match=f"^model: what 'one' says of itself is damaged .{why}"):
        read_onnx(made, "one", engine=engine)


def elsewhere(model):
    """The same with weights that stand in another file."""
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = weights.EXTERNAL
    weights.external_data.add(key="location", value="secret.bin")


def said_twice(model):
    model.metadata_props.add(key="metaforge", value="{}")


def with_a_function(model):
    model.functions.add(name="more", domain="somewhere")


@pytest.mark.parametrize(
    ("engine", "change"),
    [("onnx", elsewhere)]
    + [pytest.param("openvino", how, marks=OPENVINO) for how in (elsewhere, said_twice, with_a_function)],
)
def test_what_no_detector_has_in_it_is_not_opened(change, engine, written, tmp_path, monkeypatch):
    import onnx

    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(range(256)) * 64)
    about = json.loads(session_of(written).get_modelmeta().custom_metadata_map["metaforge"])
    model = onnx.load_model_from_string(written[: about["bytes"]])
    change(model)
    model = model.SerializeToString()
    with pytest.raises(InputError, match=r"^model: 'one'"):
        read_onnx(sealed(model, about | {"bytes": len(model)}), "one", engine=engine)


@OPENVINO
def test_openvino_opens_nothing_of_its_own_kind(written, tmp_path):
    openvino = opening.import_openvino()
    openvino.save_model(openvino.Core().read_model(written), tmp_path / "one.xml")
    with pytest.raises(InputError, match=r"^model: 'one' is no detector in ONNX"):
        read_onnx((tmp_path / "one.xml").read_bytes(), "one", engine="openvino")


def sealed(model, about):
    import onnx

    behind = onnx.ModelProto()
    behind.metadata_props.add(key="metaforge", value=json.dumps(about | {"sha256": digest(model, about)}))
    return model + behind.SerializeToString()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_run_is_said_in_one_line(written, engine):
    read = read_onnx(written, "one", engine=engine)
    for amiss in (images(2, 16), images(2, 17) / np.float32(255), images(2, 17).astype(np.int32)):  # 17 pixels, uint8
        with pytest.raises(InputError, match=r"^model: it cannot be run") as caught:
            read.examine(amiss)
        assert "\n" not in str(caught.value)


def foreign():
    graph = Graph(16)
    cast = graph.add("Cast", "images", to=1)
    flat = graph.add("ReduceMean", cast, axes=[1, 2, 3], keepdims=0)
    return graph.model({"logit": flat}).SerializeToString()


BROKEN = {
    "empty": lambda made: b"",
    "cut off": lambda made: made[: len(made) // 2],
    "the end is missing": lambda made: made[:-3],
    "text": lambda made: b"not a model" * 50,
    "one weight differs": lambda made: made.replace(made[900:908], b"\x00" * 8, 1),
    "another program's": lambda made: foreign(),
    "another crop": lambda made: made.replace(b'"crop": "sbi"', b'"crop": "tsw"'),
    "a number of the calibration differs": lambda made: made.replace(b'"scale": 1.', b'"scale": 3.'),
    "of a later format": lambda made: made.replace(b'"format": 2', b'"format": 3'),
}


def test_a_file_of_the_first_layout_is_of_another_format_and_not_damaged(written):
    """There the SHA-256 was of the model alone, so that it does not fit any more."""
    about = json.loads(session_of(written).get_modelmeta().custom_metadata_map["metaforge"])
    model = written[: about["bytes"]]
    import onnx

    behind = onnx.ModelProto()
    about |= {"format": 1, "sha256": hashlib.sha256(model).hexdigest()}
    behind.metadata_props.add(key="metaforge", value=json.dumps(about))
    with pytest.raises(InputError, match=r"^model: 'old' has format 1, and 2 is known\. Export it again\.$"):
        read_onnx(model + behind.SerializeToString(), "old")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", BROKEN)
def test_a_file_that_is_amiss_is_named_in_one_line(written, how, engine, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(BROKEN[how](written))
    assert BROKEN[how](written) != written
    with pytest.raises(InputError, match=r"^model: .*bad\.onnx'") as caught:
        load_onnx(tmp_path / "bad.onnx", engine=engine)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("engine", ["openvino", "openvino-bfloat16"])
def test_without_openvino_the_extra_is_named(written, engine, monkeypatch):
    monkeypatch.setattr(opening.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^--engine: OpenVINO is not installed\. Install the extra"):
        read_onnx(written, "one", engine=engine)


@OPENVINO
def test_without_what_reads_a_file_its_extra_is_named(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"^onnx: it is not installed\. Install the extra"):
        read_onnx(written, "one", engine="openvino")


@OPENVINO
def test_a_processor_without_products_of_bfloat16_is_named(written, monkeypatch):
    class Plain:
        get_property = staticmethod(lambda device, name: ["FP32"])

    monkeypatch.setattr(opening.import_openvino(), "Core", Plain)
    with pytest.raises(InputError, match=r"^--engine=openvino-bfloat16: this processor has no products of bfloat16"):
        read_onnx(written, "one", engine="openvino-bfloat16")


@OPENVINO
def test_threads_may_ask_openvino_at_once(written):
    read = read_onnx(written, "one", engine="openvino")
    asked = [images(3, 17, seed) for seed in range(24)]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda each: read.examine(each)[0], asked))
    for each, one in zip(asked, found, strict=True):
        np.testing.assert_array_equal(one, read.examine(each)[0])


ALONE = """
import os
import sys

def refuse(event, args):
    if event in ("os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect"):
        print(event, args, flush=True)
        os._exit(7)  # an exception would be caught

sys.addaudithook(refuse)
from metaforge.screening.portable import load_onnx
load_onnx(sys.argv[1], engine="openvino")
"""


@OPENVINO
def test_openvino_tells_nobody_that_it_is_used(written, tmp_path):
    """Left to itself it forks a process that does, and leaves a folder in the user's home."""
    (tmp_path / "one.onnx").write_bytes(written)
    (tmp_path / "home").mkdir()
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    environment.pop("CI", None)
    command = [sys.executable, "-c", ALONE, str(tmp_path / "one.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list((tmp_path / "home").iterdir())
