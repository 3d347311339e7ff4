"""Detectors beside each other: what they are worth, how large they are, how long they take and how much memory.

    python -m experiments.engines.compared --models=docs/strong/detector,small.onnx --out=compared.json

Each is a saved detector or a file that `metaforge export --onnx` wrote; all run on ONNX Runtime. AUC and accuracy (at
even odds) are of forged faces of London; gains are over the first, on the same faces, by people. Times are of rounds
that run each once, so that ratios hold while the machine's speed drifts. The peak of memory is that of a process which
loads the detector and scores 16 images. Numbers and multiply-adds are counted in the graph. It takes the extra `onnx`.
"""

import dataclasses
import functools
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting
from metaforge.whole import refuse_used

BATCHES = 1, 16


@dataclasses.dataclass(frozen=True)
class Options:
    """What is compared."""

    models: str = setting(..., "Saved detectors or files in ONNX, with commas; gains are over the first.")
    faces: int = setting(204, "Faces on which AUC is taken.", least=8, most=5000)
    rounds: int = setting(30, "Rounds; each runs every detector once.", least=1, most=100_000)
    out: str = setting("compared.json", "JSON file to write.", place="file")


def run(options: Options) -> dict[str, Any]:
    """Measures and writes the report."""
    from experiments.engines.config import Config
    from experiments.engines.running import faces_of, machine
    from metaforge.core.tuning import interleave
    from metaforge.evaluation import auc, paired_difference
    from metaforge.provenance import provenance
    from metaforge.runs import write_json
    from metaforge.screening.portable import read_onnx

    names = [name for name in options.models.split(",") if name]
    if not names or len(set(names)) < len(names):
        raise InputError(f"--models={options.models}: give detectors with commas, each once.")
    graphs = {name: _graph(name) for name in names}
    readers = {name: read_onnx(graph, name) for name, graph in graphs.items()}
    sizes = {reader.image_size for reader in readers.values()}
    records = {size: faces_of(Config(faces=options.faces, known=4), size)[1] for size in sizes}
    rows, first = {}, np.zeros(0)
    for name, reader in readers.items():
        seen = records[reader.image_size]
        logits = np.asarray(reader.examine(seen.image)[0], np.float64)
        first = first if len(first) else logits
        gained = paired_difference(seen.label, logits.reshape(1, 1, -1), first.reshape(1, 1, -1), seen.identity)
        rows[name] = {
            "auc": float(auc(seen.label, logits)), "auc_gained": gained.as_json(),
            "accuracy": float(np.mean((logits > 0) == seen.label)), "images": len(logits),
            "mb": len(graphs[name]) / 1e6, **counted(graphs[name]), "peak_mb": _peak(graphs[name]), "speed": {},
        }  # fmt: skip
    for batch in BATCHES:
        images = {name: np.resize(records[reader.image_size].image, (batch, *[reader.image_size] * 2, 3))
                  for name, reader in readers.items()}  # fmt: skip
        calls = {name: functools.partial(readers[name].examine, images[name], batch=batch) for name in names}
        times = interleave(calls, rounds=options.rounds)
        for name, ms in times.items():
            middle, low, high = np.percentile(times[names[0]] / ms, [50, 5, 95]).tolist()
            ratio = {"value": middle, "low": low, "high": high}
            rows[name]["speed"][str(batch)] = {
                "ms_an_image": float(np.median(ms)) / batch, "ms_p95": float(np.percentile(ms, 95)),
                "times_as_fast": ratio,
            }  # fmt: skip
    command = f"python -m experiments.engines.compared --models={options.models} --faces={options.faces} "
    command += f"--rounds={options.rounds}"
    report = {"command": command, "machine": machine(), "models": rows, "provenance": provenance()}
    write_json(options.out, report)
    return report


def _graph(name: str) -> bytes:
    if Path(name).is_file():
        return Path(name).read_bytes()
    from metaforge.screening.portable import onnx_of
    from metaforge.screening.predicting import detector_in

    return onnx_of(detector_in(name))


WEIGHTS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "Gemm": 1, "MatMul": 1}
"""Nodes that multiply, and which of their inputs the weights are."""


def counted(model: bytes) -> dict[str, int]:
    """The numbers that a graph holds, and its multiply-adds for one image: of convolutions and products."""
    import onnx

    read = onnx.load_from_string(model)
    for end in (*read.graph.input, *read.graph.output):
        end.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(read).graph
    ends = (*graph.input, *graph.output, *graph.value_info)
    shapes = {end.name: tuple(side.dim_value for side in end.type.tensor_type.shape.dim) for end in ends}
    shapes |= {constant.name: tuple(constant.dims) for constant in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type in WEIGHTS:
            weights, made = shapes[node.input[WEIGHTS[node.op_type]]], shapes[node.output[0]]
            # Each number that comes out is a sum over all of a filter, or over a column.
            total += math.prod(made) * (math.prod(weights[1:]) if "Conv" in node.op_type else weights[0])
    whole = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    numbers = sum(math.prod(constant.dims) for constant in graph.initializer if constant.data_type not in whole)
    return {"numbers": numbers, "multiply_adds": total}


_PEAK = """
import sys
import numpy
from metaforge.screening.portable import load_onnx
read = load_onnx(sys.argv[1])
read.examine(numpy.zeros((16, read.image_size, read.image_size, 3), numpy.uint8))
print(next(float(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def _peak(model: bytes) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "one.onnx")
        file.write_bytes(model)
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, str(file)], capture_output=True, encoding="utf-8", check=True
        )
    return float(done.stdout)


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    from metaforge.evaluation.interval import Interval

    about, machine = report["provenance"], report["machine"]
    head = "| detector | AUC | gained | accuracy | MB | million numbers | million multiply-adds | ms at 1 | ms at 16 "
    head += "| times as fast at 1 | at 16 | peak MB |"
    title = f"`{report['command']}`, commit {about['commit']}, {about['date']}; {machine['processor']}, "
    lines = [title + f"{machine['cores']} cores.", "", head, "|" + "---|" * 12]
    for name, row in report["models"].items():
        one, many = (row["speed"][str(batch)] for batch in BATCHES)
        ratios = " | ".join(f"{Interval.from_json(each['times_as_fast']):.2f}" for each in (one, many))
        lines.append(
            f"| {name} | {row['auc']:.3f} | {Interval.from_json(row['auc_gained']):+.4f} | {row['accuracy']:.3f} | "
            f"{row['mb']:.1f} | {row['numbers'] / 1e6:.2f} | {row['multiply_adds'] / 1e6:.0f} | "
            f"{one['ms_an_image']:.1f} | {many['ms_an_image']:.1f} | {ratios} | {row['peak_mb']:.0f} |"
        )
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        refuse_used(options.out)
        print(markdown(run(options)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
