"""The report for people."""

from typing import Any

from metaforge.evaluation.interval import Interval


def markdown(report: dict[str, Any]) -> str:
    """Speed by batch size, and agreement and size by form."""
    machine, about = report["machine"], report["provenance"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    title = f"`{report['command']}`, commit {about['commit']}, {about['date']}; {machine['processor']}, "
    title += f"{machine['cores']} cores ({machine['instructions']}); {versions}. {report['model']}."
    head = "| program | ms an image | p95 of a call, ms | times as fast as ONNX Runtime alone |"
    lines = [title]
    for batch, rows in report["speed"].items():
        limit = report.get("matrix_product_gflop_s", {}).get(batch)
        said = "" if limit is None else f", a matrix product in float32 running at {limit:.0f} GFLOP/s"
        shares = any("of_matrix_product" in row for row in rows.values())
        lines += ["", f"**{batch} at a time**{said}", "", head + " of a matrix product's speed |" * shares]
        lines += ["|---|---|---|---|" + "---|" * shares]
        for name, row in sorted(rows.items(), key=lambda item: item[1]["ms_an_image_p50"]):
            ratio = Interval.from_json(row["times_as_fast_as_plain"])
            share = f" {100 * row['of_matrix_product']:.0f} % |" if shares else ""
            lines.append(f"| {name} | {row['ms_an_image_p50']:.1f} | {row['ms_p95']:.1f} | {ratio:.2f} |{share}")
    lines += ["", "| form | MB | largest change of a probability | AUC | AUC gained |", "|---|---|---|---|---|"]
    for name, size in report["sizes_mb"].items():
        row = report["agreement"].get(name)
        rest = "- | - | -"
        if row:
            gained = Interval.from_json(row["auc_gained"])
            rest = f"{row['largest_difference']:.1e} | {row['auc']:.3f} | {gained:+.4f}"
        lines.append(f"| {name} | {size:.1f} | {rest} |")
    lines += [f"| {name} | failed: {why[:80]} | | | |" for name, why in report["failed"].items()]
    return "\n".join(lines)
