"""The report on face finders for people: on one, or on several, of which the first is compared with the others."""

from typing import Any

from metaforge.evaluation.interval import Interval


def markdown(report: dict[str, Any]) -> str:
    """Recall, points and time of each finder, variant by variant."""
    names, config = list(report["thresholds"]), report["config"]
    chosen = ", ".join(f"{name} {report['thresholds'][name]:.2f}" for name in names)
    beside = ", ".join(f"{name} {_show(part, '.3f')}" for name, part in report["false_boxes"].items())
    about, machine = report["provenance"], report["machine"]
    lines = [
        (
            f"`{report['command']}`, commit {about['commit']}, {about['date']}; {machine['processor']}, "
            f"{machine['cores']} cores."
        ),
        "",
        (
            f"Thresholds, chosen on {report['pictures'][0]} pictures of other people so that a picture has at most "
            f"{config['false_boxes']} false boxes: {chosen}. False boxes a picture on the {report['pictures'][1]} "
            f"judged ones: {beside}."
        ),
        "",
        "| pictures | faces | " + " | ".join([
            *(f"recall, {name}" for name in names),
            *(f"{names[0]} ahead of {name}" for name in names[1:]),
            *(f"points, {name}" for name in names),
            *(f"false, {name}" for name in names),
        ]) + " |",
        "|---" * (1 + 4 * len(names)) + "|",
    ]  # fmt: skip
    for row in report["rows"]:
        parts = [row["finders"][name] for name in names]
        cells = [row["variant"], str(row["faces"])]
        cells += [_show(part.get("recall"), ".2f") for part in parts]
        cells += [_show(part.get("below_first"), "+.2f") for part in parts[1:]]
        cells += [_show(part.get("point_error"), ".3f") for part in parts]
        cells += [f"{part['false']['value']:.3f}" for part in parts]
        lines.append("| " + " | ".join(cells) + " |")
    for place, level in enumerate(report.get("levels", ())):
        if not place:
            lines += ["", "| threshold | recall, all pictures of faces | false boxes a picture |", "|---|---|---|"]
        cells = f"{level['threshold']:.1f}", _show(level["recall"], ".3f"), _show(level["false"], ".4f")
        lines.append("| " + " | ".join(cells) + " |")
    beside = len(names) > 1
    compared = " times the first one's | CPU times |" if beside else ""
    lines += ["", f"| time | finder | ms | CPU ms |{compared}", "|---" * (6 if beside else 4) + "|"]
    times = [(row["variant"], name, part["wall_ms"], part) for row in report["times"]
             for name, part in row["finders"].items()]  # fmt: skip
    for name, part in report["rates"].items():
        rate = part["frames_a_second"]
        times.append((f"both cores, {rate:.0f} frames a second", name, 1e3 / rate, part))
    for what, name, wall, part in times:
        cells = [what, name, f"{wall:.1f}", f"{part['cpu_ms']:.1f}"]
        cells += [_show(part[f"{time}_to_first"], ".1f") for time in ("wall", "cpu")] if beside else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _show(part: dict[str, float] | None, spec: str) -> str:
    return "-" if part is None else format(Interval.from_json(part), spec)
