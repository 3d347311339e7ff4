"""Which engine is fastest: PyTorch's network is ours, ratios are of the same rounds, and reports have every form."""

import jax
import numpy as np
import pytest

from experiments.engines import __main__ as command
from experiments.engines import photographs, running, table
from metaforge.backbones import choice
from metaforge.backbones.efficientnet._network import EfficientNet
from metaforge.backbones.efficientnet._plan import Plan, Stage
from metaforge.backbones.spec import BackboneSpec
from metaforge.runs import read_json
from metaforge.screening import Detector
from metaforge.screening.portable import save_onnx

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


def test_ratios_are_of_the_same_rounds():
    # The machine is half as fast in the second round; what is twice as fast stays so.
    times = {running.PLAIN: np.array([10.0, 20.0]), "other": np.array([5.0, 10.0])}
    rows = running._statistics(times, 5)
    assert rows["other"]["times_as_fast_as_plain"] == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert rows["other"]["ms_an_image_p50"] == 1.5


def test_a_small_network_is_measured_and_reported(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    flags = ["--size=32", "--batches=1", "--rounds=1", "--faces=8", "--known=4", "--torch=false"]
    assert command.main(["engines", f"--out={tmp_path / 'engines.json'}", *flags]) == 0
    report = read_json(tmp_path / "engines.json")
    assert table.markdown(report) in capsys.readouterr().out
    assert {running.OURS, running.PLAIN, "JAX", "int8, QDQ", "int8, QOperator", "int8, dynamic"} == set(
        report["speed"]["1"]
    )
    sizes = report["sizes_mb"]
    # A quarter of the bits, and what is not quantised.
    assert all(0.25 < sizes[name] / sizes[running.OURS] < 0.4 for name in sizes if name != running.OURS)
    assert command.main(["engines", f"--out={tmp_path / 'new.json'}", "--batches=0"]) == 2
    assert command.main(["engines", f"--out={tmp_path / 'new.json'}", "--backbone=conv4"]) == 2
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
