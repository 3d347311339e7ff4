"""What an overload showed, as a table for people."""

from typing import Any

import numpy as np


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    machine, about, phases = report["machine"], report["provenance"], report["phases"]
    title = (
        f"`{report['command']}`, commit {about['commit']}, {about['date']}; {machine['processor']}, {machine['cores']} "
        f"cores for service and clients. It answers {report['capacity']:.1f} a second when it is asked as fast as it "
        f"answers; when little is asked, in {_of(report['light_ms'])} ms (p50 / p95 / p99)."
    )
    lines = [title, "", f"| | {' | '.join(phases)} |", "|---" * (1 + len(phases)) + "|"]
    for label, text in _ROWS:
        lines.append(f"| {label} | {' | '.join(text(each) for each in phases.values())} |")
    if calm := report.get("calm"):
        text = (
            f"A process that scores was killed while little was asked: of {calm['requests']} requests "
            f"{calm['unanswered']} were not answered, the slowest took {calm['slowest_ms']:.0f} ms, and "
            f"{_recovered(calm)} s later it answered as before."
        )
        lines += ["", text]
    wrong = [line for name in ("capacity_wrong", "light_wrong") for line in report[name]]
    wrong += [line for each in (*phases.values(), *([calm] if calm else [])) for line in each["wrong"]]
    lines += ["", *(f"- {'holds' if holds else 'DOES NOT HOLD'}: {what}" for what, holds in report["held"].items())]
    return "\n".join([*lines, *(f"- WRONG, {count} times: {line}" for line, count in wrong)])


def _of(times: dict[str, float]) -> str:
    return " / ".join(f"{times[key]:.0f}" for key in ("p50", "p95", "p99")) if times else "-"


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in sorted(found.items())) or "none"


def _again(each: dict[str, Any]) -> str:
    found = [seconds for seconds in each["ready_again_s"] if seconds is not None]
    return f"{np.median(found):.1f}, at most {max(found):.1f}" if found else "-"


def _grown(each: dict[str, Any], name: str) -> str:
    if name == "workers" and each["kills"]:
        return "-"  # others each time
    said = each["memory"][name]
    return f"{said['first_mb']:.0f}, {said['most_mb']:.0f}, {said['mb_a_minute']:+.2f}"


def _goodput(each: dict[str, Any]) -> str:
    return f"{each['goodput_a_second']:.1f} ({each['goodput_over_capacity']:.2f} of that rate)"


def _processors(each: dict[str, Any]) -> str:
    return ", ".join(f"{each[name]:.2f}" for name in ("front_processor", "processor", "client_processor"))


def _recovered(each: dict[str, Any]) -> str:
    return "never" if each["recovery_s"] is None else f"{each['recovery_s']:.1f}"


_ROWS = (
    ("asked a second", lambda each: f"{each['offered_a_second']:.1f}"),
    ("answers by status", lambda each: _counts(each["status"])),
    ("of breaking ones", lambda each: _counts(each["breaking"])),
    ("answered with less", lambda each: _counts(each["degraded"])),
    ("wrong", lambda each: str(sum(count for _, count in each["wrong"]))),
    ("answered a second", _goodput),
    ("ms, breaking: p50 / p95 / p99", lambda each: _of(each["ms"]["breaking"])),
    ("ms, others", lambda each: _of(each["ms"]["others"])),
    ("ms until refused", lambda each: _of(each["refused_ms"])),
    ("Retry-After, s: least, median, most", lambda each: ", ".join(f"{s:.0f}" for s in each["retry_after_s"]) or "-"),
    ("ms of /healthz", lambda each: _of(each["health_ms"])),
    ("MB of the front: first, most, a minute", lambda each: _grown(each, "front")),
    ("MB of the workers", lambda each: _grown(each, "workers")),
    ("processors: front, all, clients", _processors),
    ("s until it answers as before", _recovered),
    ("killed, counted", lambda each: f"{each['kills']}, {each['deaths']}"),
    ("s until it is ready again", _again),
)
