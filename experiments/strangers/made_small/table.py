"""The report for people."""

from typing import Any

from experiments.strangers.cells import head, line, show


def markdown(report: dict[str, Any]) -> str:
    """What each system is worth, what each step is worth, and what each network costs."""
    about = report["provenance"]
    folds = ", ".join(f"{one['collection']}:{one['half']} ({one['images']} images)" for one in report["folds"])
    places = [f"{one['collection']}:{one['half']}" for one in report["folds"]]
    lines = [
        f"`{report['command']}`, commit {about['commit']}, {about['date']}.", "",
        f"Left out: {folds}. Half 0 of the methods is poisson_swap, resample, smooth, swap; half 1 the others.", "",
        *head(["system", "accuracy", "AUC", *(f"AUC, {place}" for place in places), "AUC of seeds"]),
    ]  # fmt: skip
    for name, row in report["rows"].items():
        each = [f"{row['folds'][place]['value']:.3f}" if place in row["folds"] else "-" for place in places]
        seeds = ", ".join(f"{value:.3f}" for value in row["auc_of_seeds"]) if len(row["auc_of_seeds"]) > 1 else "-"
        lines.append(line([name, show(row["accuracy"], ".3f"), show(row["auc"], ".3f"), *each, seeds]))
    lines += ["", "Gains on the same people:", "", *head(["system", "against", "folds", "AUC", "accuracy"])]
    for row in report["differences"]:
        gains = (show(row[name], "+.3f") for name in ("auc", "accuracy"))
        lines.append(line([row["system"], row["against"], str(row["folds"]), *gains]))
    timed = all("ms_at_1" in row for row in report["costs"].values())
    names = ["network", "pixels", "size, MB", "parameters, million", "multiply-adds, million"]
    if timed:
        names += ["ms, 1 at a time", "times as fast", "ms, 16 at a time", "times as fast", "peak memory, MB"]
    said = ", by ONNX Runtime; times as fast as the detector in the same rounds" if timed else ""
    lines += ["", f"Costs{said}:", "", *head(names)]
    for name, row in report["costs"].items():
        cells = [name, str(row["size"]), f"{row['mb']:.2f}", f"{row['parameters'] / 1e6:.3f}",
                 f"{row['multiply_adds'] / 1e6:.1f}"]  # fmt: skip
        if timed:
            for batch in (1, 16):
                cells += [f"{row[f'ms_at_{batch}']:.1f}", show(row[f"times_as_fast_at_{batch}"], ".2f")]
            cells.append(f"{row['peak_memory_mb']:.0f}")
        lines.append(line(cells))
    return "\n".join(lines) + "\n"
