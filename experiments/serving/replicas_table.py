"""Replicas of Ray Serve, as a table for people."""

from typing import Any

from metaforge.evaluation.interval import Interval

PARTS = ("proxy", "front", "replicas", "rest of Ray", "clients")


def markdown(report: dict[str, Any]) -> str:
    """Answers a second by replicas, what each step brought, and which part took how much of the processor."""
    machine, config, about = report["machine"], report["config"], report["provenance"]
    cores = machine["cores"]
    crops = "face crops" if not config["photographs"] else f"{config['photographs']:.0%} photographs, else face crops"
    title = (
        f"`{report['command']}`, commit {about['commit']}, {about['date']}; {machine['processor']}, {cores} cores for "
        f"all of it, Ray {machine['ray']}; {crops}, {config['flight']} requests under way; the median of "
        f"{config['rounds']} rounds, and the least and the most."
    )
    head = "| | answers a second | of as many times one replica | against the step before | ms p50 | processors: "
    lines = [title, "", f"{head}{' | '.join(PARTS)} | all |", "|---" * (6 + len(PARTS)) + "|"]
    rates = {int(count): each["answers_a_second"]["value"] for count, each in report["replicas"].items()}
    first, before = next(iter(rates.items())), None
    for count, rate in rates.items():
        each = report["replicas"][str(count)]
        whole = rate / count / (first[1] / first[0])
        step = f"{rate / before[1]:.2f} times by {count / before[0]:g} times as many" if before else "-"
        lines.append(_line(f"{count} replica{'s' * (count > 1)}", each, f"{whole:.2f}", step))
        before = (count, rate)
    lines.append(_line("`metaforge serve --workers=1`", report["alone"], "-", "-"))
    return "\n".join(lines)


def _line(name: str, each: dict[str, Any], whole: str, step: str) -> str:
    parts = each["processors"]
    cells = [f"{parts[part]:.2f}" if part in parts else "-" for part in PARTS]
    rate, ms = (Interval.from_json(each[key]) for key in ("answers_a_second", "ms_p50"))
    total = each["server_processors"] + parts["clients"]
    return f"| {name} | {rate:.1f} | {whole} | {step} | {ms:.0f} | {' | '.join(cells)} | {total:.2f} |"
