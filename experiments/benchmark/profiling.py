"""Where a step's time goes: XLA's own events, by the part of the model that each instruction came from."""

import collections
import gzip
import json
import re
import tempfile
from pathlib import Path

import jax

from experiments.benchmark.meta_step import Program

STEPS = 5


def profile(program: Program) -> dict[str, float]:
    """Milliseconds of a step by part, largest first: instructions' own times, added up over threads.

    A fusion counts for the part that its root came from, so that what is fused across parts is counted in one of them.
    """
    part_of = {name: _part(path) for name, path in _instructions(program.text())}
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(STEPS):
                program.step()
        (trace,) = Path(folder).rglob("*.trace.json.gz")
        events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    found: collections.Counter[str] = collections.Counter()
    for event in events:
        if event.get("ph") == "X" and event.get("name") in part_of:
            found[part_of[event["name"]]] += event.get("dur", 0) / 1e3 / STEPS
    return dict(found.most_common())


def _instructions(text: str) -> list[tuple[str, str]]:
    """The names of a compiled program's instructions, and what they came from; not its loops, which hold others."""
    lines = re.findall(r"^\s*(?:ROOT )?%?([\w.\-]+) = (.*)$", text, flags=re.MULTILINE)
    found = []
    for name, rest in lines:
        path = re.search(r'op_name="([^"]*)"', rest)
        if path and not re.search(r" (while|call|conditional)\(", rest):
            found.append((name, path[1]))
    return found


def _part(path: str) -> str:
    if of := re.search(r"Conv_(\d)", path):
        kind = (
            "products"
            if re.search(r"dot_general$|conv_general_dilated$|Conv_0/transpose$", path)
            else "tiles and copies"
        )
        return f"convolution {int(of[1]) + 1}: {kind}"
    if of := re.search(r"Normalise_(\d)", path):
        return f"normalisation {int(of[1]) + 1}"
    return "ReLU and pooling" if re.search(r"Conv4", path) else "loss, optimizer, copies"
