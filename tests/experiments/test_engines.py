"""Which engine is fastest: PyTorch's network is ours, ratios are of the same rounds, and reports have every form."""

import jax
import numpy as np
import pytest

from experiments.engines import __main__ as command
from experiments.engines import compared, compilers, photographs, running, table
from metaforge.backbones import choice, clip
from metaforge.backbones.clip_model.config import VisionConfig
from metaforge.backbones.efficientnet._network import EfficientNet
from metaforge.backbones.efficientnet._plan import Plan, Stage
from metaforge.backbones.spec import BackboneSpec
from metaforge.runs import read_json
from metaforge.screening import Detector
from metaforge.screening.portable import onnx_of, save_onnx

PLAN = Plan(
    (Stage(1, 3, 1, 1, 4), Stage(2, 5, 2, 3, 6)), 5, 8, 0.25, "swish", (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
)


def test_pytorch_has_the_same_network():
    torch = pytest.importorskip("torch")
    from experiments.engines import torch_network

    images = np.random.default_rng(0).integers(0, 256, (3, 37, 37, 3), np.uint8)
    network = EfficientNet(PLAN)
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(network.init, jax.random.key(0), images)["params"]
    params = jax.tree.map(lambda leaf: rng.uniform(0.05, 0.4, leaf.shape).astype(np.float32), shapes)
    expected = jax.jit(network.apply)({"params": params}, images).logits
    with torch.inference_mode():
        said = torch_network.network(PLAN, params, classes=2)(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(said, expected, rtol=1e-4)


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_pytorch_has_the_same_vision_tower(activation):
    torch = pytest.importorskip("torch")
    from experiments.engines import torch_network

    config = VisionConfig(image_size=8, patch_size=4, width=12, layers=2, heads=3, activation=activation)
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    model = clip(variant=config, num_classes=2)
    params = jax.jit(model.init)(jax.random.key(0), images)
    expected = np.asarray(jax.jit(model.apply)(params, images).logits)
    for half, close in ((False, 1e-5), (True, 0.1)):
        with torch.inference_mode():
            said = torch_network.vision(config, params, classes=2, half=half)(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(said, expected, atol=close * np.abs(expected).max())


def test_ratios_are_of_the_same_rounds():
    # The machine is half as fast in the second round; what is twice as fast stays so.
    times = {running.PLAIN: np.array([10.0, 20.0]), "other": np.array([5.0, 10.0])}
    rows = running._statistics(times, 5)
    assert rows["other"]["times_as_fast_as_plain"] == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert rows["other"]["ms_an_image_p50"] == 1.5


def test_a_small_network_is_measured_and_reported(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    forms = ["int8, QDQ, outputs float32", "weights float16"]
    flags = ["--size=32", "--batches=1", "--rounds=1", "--faces=8", "--known=4", "--torch=false"]
    flags += [f"--forms={';'.join(forms)}"]
    assert command.main(["engines", f"--out={tmp_path / 'engines.json'}", *flags]) == 0
    report = read_json(tmp_path / "engines.json")
    assert table.markdown(report) in capsys.readouterr().out
    assert {running.OURS, running.PLAIN, "JAX", *forms} == set(report["speed"]["1"])
    assert report["failed"] == {}
    sizes = report["sizes_mb"]
    # A quarter of the bits, or a half, and what is not quantised.
    shares = {name: sizes[name] / sizes[running.OURS] for name in forms}
    assert 0.5 < shares.pop("weights float16") < 0.52
    assert all(0.25 < share < 0.4 for share in shares.values())
    assert command.main(["engines", f"--out={tmp_path / 'new.json'}", "--batches=0"]) == 2
    assert command.main(["engines", f"--out={tmp_path / 'new.json'}", "--forms=int3"]) == 2
    assert command.main(["engines", f"--out={tmp_path / 'new.json'}", "--backbone=conv4"]) == 2
    assert command.main(["engines", f"--out={tmp_path / 'new.json'}", "--backbone=clip", "--size=100"]) == 2
    assert not (tmp_path / "new.json").exists()


def test_photographs_go_from_file_to_score(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("ai_edge_litert")
    spec = BackboneSpec(image_size=16, width=4)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(spec))
    save_onnx(tmp_path / "one.onnx", Detector(params, np.zeros((2, 16, 16, 3), np.uint8), spec, {}))
    flags = [f"--model={tmp_path / 'one.onnx'}", "--count=3", "--rounds=2", "--widths=300"]
    assert photographs.main(["photographs", f"--out={tmp_path / 'made.json'}", *flags]) == 0
    report = read_json(tmp_path / "made.json")
    assert photographs.markdown(report) in capsys.readouterr().out
    row = report["widths"]["300"]
    assert (row["faces"], row["photographs"]) == (3, 6)
    assert set(row["processor_ms"]) == set(photographs.STAGES)
    assert photographs.main(["photographs", f"--out={tmp_path / 'new.json'}", "--widths=big"]) == 2
    assert not (tmp_path / "new.json").exists()


def test_operations_inside_of_a_fusion_are_none_of_the_entry():
    text = """HloModule jit_f

%fused (p: f32[4]) -> f32[4] {
  %p = f32[4]{0} parameter(0)
  ROOT %m = f32[4]{0} multiply(%p, %p)
}

ENTRY %main.3 (a: f32[4]) -> f32[4] {
  %a = f32[4]{0} parameter(0)
  %c = s8[2,4]{1,0} convert(%a)
  ROOT %f = f32[4]{0} fusion(%a), kind=kLoop, calls=%fused
}

%after (p: f32[4]) -> f32[4] {
  ROOT %n = f32[4]{0} negate(%p)
}
"""
    assert compilers.entry(text) == ({"convert": 1, "fusion": 1}, 8 + 16)


def test_convolutions_and_their_activations_are_one_node(tmp_path):
    pytest.importorskip("onnxruntime")
    # Four convolutions, each with the activation behind it; and what the compiled program says of itself.
    spec = BackboneSpec(image_size=16, width=4)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.uniform(0.1, 1, leaf.shape).astype(leaf.dtype), choice.shapes(spec))
    detector = Detector(params, np.zeros((2, 16, 16, 3), np.uint8), spec, {})
    seen = compilers.onnx_runtime(onnx_of(detector), 2)
    assert (seen["before"]["Conv"], seen["before"]["Relu"]) == (4, 4)
    assert seen["after"].get("Relu", 0) == 0
    assert sum(count for name, count in seen["after"].items() if "Conv" in name) == 4
    theirs = compilers.xla(detector, 2)
    assert theirs["operations_after"] < theirs["operations_before"]
    assert theirs["temporary_mb"] <= theirs["without_reuse_mb"]


def test_detectors_are_compared_with_the_first(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    spec = BackboneSpec(image_size=16, width=4)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(spec))
    detector = Detector(params, np.zeros((2, 16, 16, 3), np.uint8), spec, {})
    names = [str(tmp_path / f"{number}.onnx") for number in (1, 2)]
    for name in names:
        save_onnx(name, detector)
    flags = [f"--models={','.join(names)}", "--faces=8", "--rounds=1"]
    assert compared.main(["compared", f"--out={tmp_path / 'made.json'}", *flags]) == 0
    report = read_json(tmp_path / "made.json")
    assert compared.markdown(report) in capsys.readouterr().out
    row = report["models"][names[1]]
    assert row["auc_gained"] == {"value": 0, "low": 0, "high": 0}
    # Of each convolution 9 weights for each pair of channels, at every pixel; the head sees one pixel of 4 channels.
    assert row["multiply_adds"] == 9 * (256 * 3 * 4 + (64 + 16 + 4) * 4 * 4) + 4 * 2
    assert compared.main(["compared", f"--out={tmp_path / 'new.json'}", "--models=a.onnx,a.onnx"]) == 2
    assert compared.main(["compared", f"--out={tmp_path / 'new.json'}", f"--models={tmp_path / 'none.onnx'}"]) == 2
    assert not (tmp_path / "new.json").exists()
