"""The benchmark for people: the fastest form of every cell, and the report as Markdown."""

from typing import Any

import numpy as np

from experiments.benchmark import torch_step
from metaforge.core.tuning import forms
from metaforge.evaluation.interval import Interval


def summary(cell: dict[str, Any]) -> dict[str, Any]:
    """The fastest form of a cell, what the rule and measuring would have taken, and how far those are from it."""
    ours = {n: row["ms_p50"] for n, row in cell["rows"].items() if n not in torch_step.FORMS and "ms_p50" in row}
    known = [", ".join(form) for form in forms(tasks=cell["cell"]["tasks"])]
    known = [name for name in known if name in ours] or list(ours)
    best, measured = min(ours, key=lambda n: ours[n]), min(known, key=lambda n: ours[n])
    return {"best": best, "measured": measured, "measured_to_best": ours[measured] / ours[best], "rule": known[0],
            "rule_to_best": ours[known[0]] / ours[best]}  # fmt: skip


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    machine = report["machine"]
    lines = [f"`{report['command']}`, commit {report['provenance']['commit']}, {report['provenance']['date']}; "
             f"{machine['processor']}, {machine['cores']} cores, {machine['backend']}; " +
             ", ".join(f"{name} {version}" for name, version in machine["versions"].items()) +
             f"; GLIBC_TUNABLES={machine['malloc'] or 'unset'}" +
             (f"; XLA_FLAGS={flags}" if (flags := machine.get("xla_flags")) else "") + "."]  # fmt: skip
    for cell in report["cells"]:
        about = cell["cell"]
        title = ("**{size} px, {order} order, {steps} steps, {tasks} tasks**: {gflop:.0f} GFLOP a step; matrix "
                 + "product {matrix_product_gflop_s:.0f} GFLOP/s, long sum {bandwidth_gb_s:.0f} GB/s")  # fmt: skip
        lines += [
            "",
            title.format(**about, **cell),
            "",
            "| program | ms p50 | p95 | compile s | memory MB | GFLOP/s | of matrix product | of bandwidth | " +
            " | ".join(f"faster than {name}" for name in torch_step.FORMS) + " |",
            "|---|" + "---|" * (7 + len(torch_step.FORMS)),
        ]  # fmt: skip
        rows = sorted(cell["rows"].items(), key=lambda item: item[1].get("ms_p50", np.inf))
        lines += [_line(name, row) for name, row in rows]
        if "profiled" in cell:
            total = sum(cell["profile_ms"].values())
            title = f"Where the time of {cell['profiled']} goes (both cores added up):"
            lines += ["", title, "", "| part | ms | share |", "|---|---|---|"]
            lines += [f"| {part} | {ms:.1f} | {ms / total:.0%} |" for part, ms in cell["profile_ms"].items()]
    return "\n".join(lines) + "\n"


def _line(name: str, row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"| {name} | failed: {row['failed'][:60]} |" + " |" * (6 + len(torch_step.FORMS))
    ratio = lambda other: row.get(f"times_faster_than {other}")
    ratios = ["-" if not (r := ratio(other)) else f"{Interval.from_json(r)}" for other in torch_step.FORMS]
    memory = f"{row['memory_mb']:.0f}" if "memory_mb" in row else "-"
    bandwidth = f"{row['share_of_bandwidth']:.0%}" if "share_of_bandwidth" in row else "-"
    p95 = f"{row['ms_p95']:.0f}" if row["rounds"] > 1 else "once"
    return (f"| {name} | {row['ms_p50']:.1f} | {p95} | {row['compile_s']:.1f} | {memory} | {row['gflop_s']:.0f} | "
            f"{row['share_of_matrix_product']:.0%} | {bandwidth} | " + " | ".join(ratios) + " |")  # fmt: skip
