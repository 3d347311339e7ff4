"""The report for people."""

from typing import Any

from experiments.serving.running import BATCHES, BUSY, CROPS, PHASES, PHOTOGRAPHS, SINGLES
from metaforge.evaluation.interval import Interval

SAID = {"metaforge": "metaforge serve", "plain": "plain FastAPI", "litserve": "LitServe"}


def markdown(report: dict[str, Any]) -> str:
    """Of each model: waiting, passing, processor and memory; ratios to the first server; and stages."""
    machine, about, config = report["machine"], report["provenance"], report["config"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    title = f"`{report['command']}`, commit {about['commit']}, {about['date']}; {machine['processor']}, "
    lines = [f"{title}{machine['cores']} cores for servers and client; {versions}. {config['rounds']} rounds."]
    for model, servers in report["models"].items():
        lines += ["", f"## {model}", "", *_waiting(servers, config), "", *_passing(servers, config)]
        lines += ["", *_ratios(servers), "", *_stages(servers)]
    return "\n".join(lines)


def _waiting(servers: dict[str, Any], config: dict[str, Any]) -> list[str]:
    lines = [
        "| server | asked for | requests a second | ms p50 | p95 | p99 | most | p95 of a round | failed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for phase, rate in ((CROPS, "rate"), (PHOTOGRAPHS, "rate"), (BUSY, "busy")):
        for name, server in servers.items():
            row = server["phases"][phase]
            times = " | ".join(f"{row[key]:.1f}" for key in ("ms_p50", "ms_p95", "ms_p99", "ms_most"))
            spread = f"{Interval.from_json(row['p95_of_rounds']):.1f}"
            lines.append(f"| {SAID[name]} | {phase.split(',')[0]} | {config[rate]:g} | {times} | {spread} | "
                         f"{row['failed']} of {row['requests']} |")  # fmt: skip
    return lines


def _passing(servers: dict[str, Any], config: dict[str, Any]) -> list[str]:
    head = f"| server | crops a second in batches of {config['batch']} | one by one, {config['flight']} at once | "
    head += (
        f"processor at {config['busy']:g} crops/s | processor ms a crop, {config['rate']:g} a second | in batches | "
    )
    lines = [head + "s to start | MB when ready | MB at the end |", "|---" * 9 + "|"]
    for name, server in servers.items():
        phases = server["phases"]
        rates = [_cell(phases, phase, "images_a_second", ".1f") for phase in (BATCHES, SINGLES)]
        cells = [*rates, _cell(phases, BUSY, "processor", ".2f")]
        cells += [
            f"{phases[phase]['processor_ms_an_image']:.1f}" if phase in phases else "-" for phase in (CROPS, BATCHES)
        ]
        cells += [f"{server['seconds_to_start']:.1f}", f"{server['fresh_mb']:.0f}", f"{server['resident_mb']:.0f}"]
        lines.append(f"| {SAID[name]} | {' | '.join(cells)} |")
    return lines


def _cell(phases: dict[str, Any], phase: str, key: str, form: str) -> str:
    return f"{Interval.from_json(phases[phase][key]):{form}}" if phase in phases else "-"


def _ratios(servers: dict[str, Any]) -> list[str]:
    first, *others = servers
    lines = [f"| against {SAID[first]}, by rounds | times its waiting (p50) | times its rate |", "|---|---|---|"]
    for name in others:
        for phase, row in servers[name]["phases"].items():
            if "p50_over_first" in row:
                waits, rate = (f"{Interval.from_json(row[key]):.2f}" for key in ("p50_over_first", "rate_over_first"))
                open_loop = phase in (CROPS, PHOTOGRAPHS, BUSY)
                lines.append(f"| {SAID[name]}, {phase} | {waits} | {'as asked' if open_loop else rate} |")
    return lines if others else []


def _stages(servers: dict[str, Any]) -> list[str]:
    head = "| of a request, mean ms and share | receive | wait in the queue | read | score | answer | outside |"
    lines = [head, "|---" * 7 + "|"]
    for name, server in servers.items():
        for phase in PHASES:
            row = server["phases"].get(phase)
            if row and row["stages_ms"]:
                said, whole = row["stages_ms"], row["mean_ms"]
                ms = [said[stage] for stage in ("receive", "queue", "read", "score")]
                # What is left of the time that the server knows of, and what it does not know of.
                ms += [said["total"] - sum(ms), whole - said["total"]]
                cells = " | ".join(f"{each:.1f} ({each / whole:.0%})" for each in ms)
                lines.append(f"| {SAID[name]}, {phase} | {cells} |")
    return lines if len(lines) > 2 else []
