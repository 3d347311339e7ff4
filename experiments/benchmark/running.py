"""From cells to a report: every way of running an outer step, timed in rounds."""

import dataclasses
import itertools
import json
import os
import platform
import time
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import torch_step
from experiments.benchmark.config import QUICK, Grid, Options
from experiments.benchmark.meta_step import INNER_LR, SPREAD, Cell, compiled, episodes, initial
from experiments.benchmark.profiling import profile
from experiments.benchmark.table import markdown, summary
from metaforge import processor
from metaforge.bounds import Bounds, check_bounds
from metaforge.core.execution import Strategy
from metaforge.core.inner import Order
from metaforge.core.tuning import SIDE, Form, interleave, matrix_product
from metaforge.errors import InputError
from metaforge.evaluation.interval import Interval
from metaforge.provenance import provenance
from metaforge.types import Convolution
from metaforge.whole import refuse_used, write_text


def cells(grid: Grid) -> list[Cell]:
    """Every combination that the grid names.

    Raises:
        InputError: for what is no number or not known.
    """
    numbers: dict[str, list[int]] = {}
    for name in ("sizes", "steps", "tasks"):
        try:
            numbers[name] = [int(word) for word in getattr(grid, name).split(",")]
        except ValueError:
            numbers[name] = [0]
        bounds = Bounds(16, 4096) if name == "sizes" else Bounds(1, 10_000)
        if not all(map(bounds.holds, numbers[name])):
            raise InputError(f"--{name}={getattr(grid, name)}: give whole numbers, {bounds}.")
    for tasks in numbers["tasks"]:
        _forms(grid, tasks)
    orders = _known(grid.orders, "orders", get_args(Order))
    rest = {"width": grid.width, "shots": grid.shots, "queries": grid.queries}
    return [
        Cell(size, order, steps, tasks, **rest)
        for size, steps, tasks in itertools.product(numbers["sizes"], numbers["steps"], numbers["tasks"])
        for order in orders
    ]


def _forms(grid: Grid, tasks: int) -> list[Form]:
    strategies = _known(grid.strategies, "strategies", (*get_args(Strategy), SPREAD))
    convolutions = _known(grid.convolutions, "convolutions", get_args(Convolution))
    can = {"unroll": tasks <= _UNROLLED, SPREAD: any(tasks % n == 0 for n in range(2, jax.device_count() + 1))}
    found = [Form(s, c) for s in strategies for c in convolutions if can.get(s, True)]  # type: ignore[arg-type]
    if not found:
        raise InputError(
            f"--strategies={grid.strategies}: {tasks} tasks cannot run so on {jax.device_count()} devices. "
            "Name another beside."
        )
    return found


_UNROLLED = 8
"""The most tasks that are unrolled."""


def measure(cell: Cell, grid: Grid, options: Options) -> dict[str, Any]:
    """One cell: every form and PyTorch's, interleaved; a row for each."""
    data = episodes(cell)
    programs, rows, ours = {}, {}, {}
    for form in _forms(grid, cell.tasks):
        one = ours[", ".join(form)] = compiled(cell, form, data, precision=grid.precision, remat=grid.remat)
        programs[", ".join(form)] = one.step
        rows[", ".join(form)] = {
            "loss": one.loss, "compile_s": one.compile_seconds, "memory_mb": one.temporary_bytes / 1e6,
            "accessed_gb": one.accessed_bytes / 1e9,
        }  # fmt: skip
    expected = next(iter(rows.values()))["loss"]
    torch_forms = torch_step.FORMS if options.torch and torch_step.available() and cell.order != "mixed" else ()
    for name in torch_forms:
        try:
            programs[name], rows[name] = _torch_program(name, cell, data)
        except Exception as error:  # noqa: BLE001 - a compiler that is not there, a shape that it refuses
            rows[name] = {"failed": " ".join(str(error).split())[:200]}
    for name, row in rows.items():
        tolerance = 1e-4 if grid.precision == "float32" else 5e-2
        if "loss" in row and not abs(row["loss"] - expected) <= tolerance * max(abs(expected), 1e-8):
            raise RuntimeError(f"{name} starts at a loss of {row['loss']}, the others at {expected}.")
    times = _timed(programs | _limits(), options)
    limit = 2 * SIDE**3 / (np.min(times["matrix product"]) * 1e6)
    bandwidth = 3 * 4 * _LONG / (np.min(times["long sum"]) * 1e6)
    for name, ms in times.items():
        if name in rows:
            rows[name] |= _statistics(ms, times, torch_forms) | {
                "gflop_s": cell.flop / np.median(ms) / 1e6,
                "share_of_matrix_product": cell.flop / np.median(ms) / 1e6 / limit,
            }
            if "accessed_gb" in rows[name]:
                rows[name]["share_of_bandwidth"] = rows[name]["accessed_gb"] / np.median(ms) * 1e3 / bandwidth
    best = min(ours, key=lambda name: rows[name]["ms_p50"])
    parts = {"profiled": best, "profile_ms": profile(ours[best])} if options.profile else {}
    return {"cell": cell._asdict(), "gflop": cell.flop / 1e9, "matrix_product_gflop_s": limit,
            "bandwidth_gb_s": bandwidth, "rows": rows, **parts}  # fmt: skip


def _torch_program(name: str, cell: Cell, data):
    began = time.perf_counter()
    rules = {"order": cell.order, "inner_steps": cell.steps, "inner_lr": INNER_LR}
    # The first call has the loss of the common start, and compiles where there is something to compile.
    loss = torch_step.meta_step(name, initial(cell, data), data, outer_lr=0.0, **rules)
    value = loss()
    return loss, {"loss": value, "compile_s": time.perf_counter() - began}


_LONG = 1 << 25


def _limits():
    """What this machine can do: a large matrix product, and the sum of two arrays that no cache holds."""
    long, other, total = jnp.ones(_LONG), jnp.ones(_LONG), jax.jit(lambda one, two: one + 2 * two)
    return {
        "matrix product": matrix_product(),
        "long sum": lambda: jax.block_until_ready(total(long, other)),
    }


def _timed(programs, options: Options) -> dict[str, np.ndarray]:
    """Rounds of those that are not hopeless; one time for those that are."""
    once = interleave(programs, rounds=1)
    limits = ("matrix product", "long sum")
    best = min(float(ms[0]) for name, ms in once.items() if name not in limits)
    worth = {n: p for n, p in programs.items() if n in limits or once[n][0] <= options.slow * best}
    return once | interleave(worth, rounds=options.rounds)


def _statistics(ms: np.ndarray, times, torch_forms) -> dict[str, Any]:
    row = {"ms_p50": float(np.median(ms)), "ms_p95": float(np.percentile(ms, 95)), "rounds": len(ms)}
    for name in torch_forms:
        other = times.get(name)
        if other is not None and len(other) == len(ms):
            ratios = other / ms
            row[f"times_faster_than {name}"] = Interval(*map(float, np.percentile(ratios, [50, 5, 95]))).as_json()
    return row


def run(options: Options, grid: Grid) -> dict[str, Any]:
    """Measures cell after cell; writes after each, so that an interrupted run leaves what it has."""
    check_bounds(options)
    check_bounds(grid)
    if Path(options.out).suffix != ".json":
        raise InputError(f"--out={options.out}: give a .json file.")
    for place in (Path(options.out), Path(options.out).with_suffix(".md")):
        refuse_used(place)
    wanted = cells(grid)
    unusual = [f"--{f.name}={getattr(grid, f.name)}" for f in dataclasses.fields(grid)
               if getattr(grid, f.name) != getattr(QUICK, f.name)]  # fmt: skip
    report = {
        "command": " ".join(["python -m experiments.benchmark", *unusual]),
        "machine": machine(),
        "provenance": provenance(),
        "cells": [],
    }
    for cell in wanted:
        found = measure(cell, grid, options)
        report["cells"].append(found | summary(found))
        write_text(options.out, json.dumps(report, indent=2) + "\n")
        write_text(Path(options.out).with_suffix(".md"), markdown(report))
        print(markdown(report | {"cells": report["cells"][-1:]}).split("\n\n", 1)[1], flush=True)
    return report


def machine() -> dict[str, Any]:
    """What measured."""
    versions = {"jax": jax.__version__, "python": platform.python_version()}
    if torch_step.available():
        from importlib.metadata import version

        versions["torch"] = version("torch")
    return {
        "processor": jax.devices()[0].device_kind if jax.default_backend() != "cpu" else _processor(),
        "cores": os.cpu_count(), "backend": jax.default_backend(), "devices": jax.device_count(),
        "malloc": os.environ.get("GLIBC_TUNABLES", ""), "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "versions": versions,
    }  # fmt: skip


def _processor() -> str:
    return processor.name() + (" with AVX-512" if "avx512f" in processor.flags() else "")


def _known(text: str, name: str, choices) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in choices:
            raise InputError(f"--{name}: unknown '{word}'; known: {', '.join(choices)}.")
    return words
