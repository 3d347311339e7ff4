"""What the compilers make of a network: which operators are fused, and how much memory is used again.

    python -m experiments.engines.compilers --models=docs/strong/detector,efficientnet_b0 --out=compilers.json

XLA's figures are its own: operations before and after optimisation, the fusions among them, the floating-point
operations and bytes that it expects, and the temporary memory that it plans. "Without reuse" is the sum of everything
that one operation hands to the next. ONNX Runtime's are the nodes of its graph before and after optimisation, and what
memory its process grows by in the first call, where it may reuse memory and where it may not, each in a process of its
own (on Linux). It takes the extra `onnx`.
"""

import collections
import dataclasses
import math
import re
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


@dataclasses.dataclass(frozen=True)
class Options:
    """What is compiled."""

    models: str = setting("docs/strong/detector,efficientnet_b0",
                          "Saved detectors, or efficientnets with random weights, with commas.")  # fmt: skip
    batch: int = setting(16, "Images at a time.", least=1, most=1024)
    out: str = setting("compilers.json", "JSON file to write.", place="file")


def run(options: Options) -> dict[str, Any]:
    """Compiles and writes the report."""
    from experiments.engines.running import machine, named
    from metaforge.provenance import provenance
    from metaforge.runs import write_json
    from metaforge.screening.portable import onnx_of

    names = [name for name in options.models.split(",") if name]
    if not names:
        raise InputError("--models: give at least one saved detector or efficientnet.")
    detectors = {name: named(name) for name in names}
    found = {name: {"xla": xla(detector, options.batch), "onnxruntime": onnx_runtime(onnx_of(detector), options.batch)}
             for name, detector in detectors.items()}  # fmt: skip
    command = f"python -m experiments.engines.compilers --models={options.models} --batch={options.batch}"
    report = {
        "command": command, "batch": options.batch, "machine": machine(), "models": found, "provenance": provenance()
    }  # fmt: skip
    write_json(options.out, report)
    return report


_MADE = re.compile(r"^\s+(?:ROOT )?%?\S+ = (\w+)\[([\d,]*)\]\S* ([\w-]+)\(")
"""A line of HLO: what kind of numbers, of which shape, made by which operation."""
_BYTES = {"f64": 8, "f32": 4, "bf16": 2, "f16": 2, "s64": 8, "s32": 4, "u32": 4, "u8": 1, "s8": 1, "pred": 1}
_FREE = ("parameter", "constant", "bitcast", "tuple", "get-tuple-element", "broadcast", "reshape")
"""Operations that make nothing new."""


def entry(text: str) -> tuple[collections.Counter[str], int]:
    r"""Of a program in HLO the operations of its entry by kind, and the bytes of all that they make.

    What stands inside of fusions is no operation of its own: that is what a fusion is.

    Example:
        >>> entry("ENTRY %main {\n  %a = f32[2,3]{1,0} parameter(0)\n  ROOT %b = f32[2,3]{1,0} add(%a, %a)\n}")
        (Counter({'add': 1}), 24)
    """
    counts, size, inside = collections.Counter(), 0, False
    for line in text.splitlines():
        inside = (inside or line.startswith("ENTRY")) and line != "}"
        made = _MADE.match(line) if inside else None
        if made and made[3] not in _FREE:
            counts[made[3]] += 1
            size += _BYTES.get(made[1], 4) * math.prod(int(side) for side in made[2].split(",") if side)
    return counts, size


def xla(detector: Any, batch: int) -> dict[str, Any]:
    """What XLA says of the program that makes logits of images."""
    import jax

    from metaforge.backbones import choice

    spec = detector.spec
    model, size = choice.choose(spec), spec.image_size
    context = None if spec.normalisation in ("frozen", "none", "group") else detector.context
    given = jax.ShapeDtypeStruct((batch, size, size, 3), np.uint8)
    program = jax.jit(lambda params, images: model.apply(params, images, context=context).logits)
    lowered = program.lower(detector.params, given)
    compiled = lowered.compile()
    before, whole = entry(lowered.as_text("hlo"))
    after, handed = entry(compiled.as_text() or "")
    memory, costs = compiled.memory_analysis(), compiled.cost_analysis() or {}
    return {
        "operations_before": sum(before.values()), "operations_after": sum(after.values()),
        "before": dict(before.most_common()), "after": dict(after.most_common()), "fusions": after["fusion"],
        "gflop": float(costs.get("flops", 0)) / 1e9, "gbytes": float(costs.get("bytes accessed", 0)) / 1e9,
        "temporary_mb": getattr(memory, "temp_size_in_bytes", 0) / 1e6, "without_fusion_mb": whole / 1e6,
        "without_reuse_mb": handed / 1e6,
    }  # fmt: skip


def onnx_runtime(model: bytes, batch: int) -> dict[str, Any]:
    """What ONNX Runtime makes of a graph."""
    import onnx
    import onnxruntime

    kinds = lambda graph: collections.Counter(node.op_type for node in graph.node)
    with tempfile.TemporaryDirectory() as folder:
        file, optimised = Path(folder, "model.onnx"), str(Path(folder, "optimised.onnx"))
        file.write_bytes(model)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.optimized_model_filepath = optimised
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        before, after = kinds(onnx.load_from_string(model).graph), kinds(onnx.load(optimised).graph)
        called = lambda reuse: subprocess.run(
            [sys.executable, "-c", _GROWN, str(file), str(batch), reuse],
            encoding="utf-8",
            capture_output=True,
            check=True,
        )
        grown = {"first_call_mb": float(called("1").stdout), "first_call_without_reuse_mb": float(called("0").stdout)}
    return {
        "nodes_before": sum(before.values()), "nodes_after": sum(after.values()),
        "before": dict(before.most_common()), "after": dict(after.most_common()), **grown,
    }  # fmt: skip


_GROWN = """
import sys
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
options.enable_mem_reuse = options.enable_mem_pattern = bool(int(sys.argv[3]))
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
# Of this program alone: what getrusage says begins with the parent's.
held = lambda name: next(float(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
images = numpy.ones((int(sys.argv[2]), *session.get_inputs()[0].shape[1:]), numpy.uint8)
before = held("VmRSS")
session.run(None, {"images": images})
print((held("VmHWM") - before) / 1024)
"""


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    about, machine = report["provenance"], report["machine"]
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in ("jax", "onnxruntime"))
    listed = lambda counts: ", ".join(f"{count} {kind}" for kind, count in list(counts.items())[:6])
    lines = [f"`{report['command']}`, commit {about['commit']}, {about['date']}; {machine['processor']}; {versions}."]
    for name, row in report["models"].items():
        theirs, ours = row["xla"], row["onnxruntime"]
        lines += [
            "", f"**{name}**", "", "| | XLA | ONNX Runtime |", "|---|---|---|",
            f"| operations before | {theirs['operations_before']} | {ours['nodes_before']} |",
            f"| after | {theirs['operations_after']} | {ours['nodes_after']} |",
            f"| most of them | {listed(theirs['after'])} | {listed(ours['after'])} |",
            f"| temporary memory, MB | {theirs['temporary_mb']:.0f} | {ours['first_call_mb']:.0f} |",
            f"| without reuse | {theirs['without_reuse_mb']:.0f} | {ours['first_call_without_reuse_mb']:.0f} |",
            f"| and without fusion | {theirs['without_fusion_mb']:.0f} | |",
            f"| GFLOP, GB moved | {theirs['gflop']:.2f}, {theirs['gbytes']:.2f} | |",
        ]  # fmt: skip
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
