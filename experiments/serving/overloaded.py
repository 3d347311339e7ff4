"""What an overload showed: numbers, and what of it must hold."""

import collections
from typing import Any

import numpy as np

from experiments.serving.overloading import Row

RECOVERED = 5.0
"""Seconds after which the service must answer as before."""

_RUN = 8
"""So many light answers in a row must be as before: those of two seconds."""


def before(close: dict[str, Any], light: dict[str, Any]) -> dict[str, Any]:
    """Answers a second when it is asked as fast as it answers, and how long one takes when little is asked."""
    rows, calm = _rows(close["rows"]), _rows(light["light"])
    good = [row for row in rows if row.status == 200 and not row.wrong]
    return {
        "capacity": len(good) / close["seconds"],
        "capacity_wrong": _wrong(rows),
        "light_ms": _times([row for row in calm if row.status == 200]),
        "light_wrong": _wrong(calm),
    }


def phase(found: dict[str, Any], report: dict[str, Any], *, counted: int) -> dict[str, Any]:
    """What happened while too much was asked.

    Args:
        found: what the clients and the watch saw.
        report: with `capacity` and `light_ms`.

    Other Arguments:
        counted: deaths that were counted before.
    """
    rows, light, end = _rows(found["rows"]), _rows(found["light"]), found["seconds"]
    good = [row for row in rows if row.status == 200 and not row.wrong]
    refused = [row for row in rows if row.status == 429]
    retries = [row.retry for row in refused if row.retry is not None]
    goodput = sum(row.done <= end for row in good) / end
    waits = {name: _times([row for row in good if row.breaking == (name == "breaking")])
             for name in ("breaking", "others")}  # fmt: skip
    return {
        "offered_a_second": len(rows) / end,
        "requests": len(rows),
        "status": dict(collections.Counter(str(row.status) for row in rows)),
        "breaking": dict(collections.Counter(str(row.status) for row in rows if row.breaking)),
        "degraded": dict(collections.Counter(", ".join(row.degraded) for row in good if row.degraded)),
        "wrong": _wrong(rows) + _wrong(light),
        "goodput_a_second": goodput,
        "goodput_over_capacity": goodput / max(report["capacity"], 1e-9),
        "ms": waits,
        "refused_ms": _times(refused),
        "retry_after_s": [float(each) for each in np.percentile(retries, [0, 50, 100])] if retries else [],
        "health_ms": _percentiles([1e3 * each for each in found["health"]]),
        "front_processor": found["front"],
        "processor": found["processor"],
        "client_processor": found["client_seconds"] / max(end, 1e-9),
        "memory": {name: _memory(found["memory"], place, end) for place, name in ((1, "front"), (2, "workers"))},
        "recovery_s": recovery(light, found["ready"], end, report["light_ms"].get("p95", 0.0)),
        "kills": len(found["killed"]),
        "kills_missed": found["missed"],
        "deaths": found["deaths"] - counted,
        "ready_again_s": ready_again(found["killed"], found["ready"]),
    }


def recovery(light: list[Row], ready: list[list[Any]], end: float, usual: float) -> float | None:
    """Seconds after too much was asked until answers are as before, and it is ready; `None` if that did not come.

    As before is an answer of which nothing was left out, and that took twice the usual p95, or 100 ms more, at most.
    """
    most = max(2 * usual, usual + 100)
    light = sorted(light, key=lambda row: row.due)
    fine = [row.status == 200 and not row.wrong and not row.degraded and 1e3 * (row.done - row.due) <= most
            for row in light]  # fmt: skip
    first = next((place for place in range(len(fine) - _RUN + 1) if all(fine[place : place + _RUN])), None)
    if first is None:
        return None
    unready = max((at for at, is_ready in ready if not is_ready), default=end)
    again = min((at for at, is_ready in ready if is_ready and at >= max(unready, end)), default=None)
    return None if again is None else max(light[first].due, again if unready > end else end) - end


def calm(light: list[list[Any]], ready: list[list[Any]], killed: list[float], report: dict[str, Any]) -> dict[str, Any]:
    """What a kill was to those who asked little.

    Args:
        light: their requests.
        ready: when it was asked whether it is ready, and what it said.
        killed: when a process was killed.
        report: with `light_ms`.
    """
    rows, usual = _rows(light), report["light_ms"].get("p95", 0.0)
    after = [row for row in rows if killed and row.due >= killed[0]]
    # Eight in a row may have begun before the kill: what was asked a moment before it waits as well.
    met = [row for row in rows if killed and row.due <= killed[0] <= row.done]
    return {
        "kills": len(killed),
        "requests": len(rows),
        "unanswered": sum(row.status != 200 for row in rows),
        "wrong": _wrong(rows),
        "slowest_ms": max((1e3 * (row.done - row.due) for row in [*met, *after]), default=0.0),
        "recovery_s": recovery(after, ready, killed[0], usual) if killed else None,
    }


def ready_again(killed: list[float], ready: list[list[Any]]) -> list[float | None]:
    """Of each kill the seconds until it was ready again; `None` if it was not before the next one."""
    found: list[float | None] = []
    for at, until in zip(killed, [*killed, np.inf][1:], strict=True):
        within = [(when, is_ready) for when, is_ready in ready if at < when < until]
        # A look just after the kill may come before the death is known.
        fell = next((when for when, is_ready in within if not is_ready), at)
        found.append(next((when - at for when, is_ready in within if is_ready and when >= fell), None))
    return found


def held(report: dict[str, Any]) -> dict[str, bool]:
    """What must hold, and whether it does."""
    found = {"before it every answer was right": not report["capacity_wrong"] and not report["light_wrong"]}
    for name, each in report["phases"].items():
        waits = each["ms"]
        enough = waits["breaking"] and waits["others"]
        found |= {
            f"{name}: all answers are right, or 429 with Retry-After; no breaking one is refused": not each["wrong"],
            f"{name}: some were refused": each["status"].get("429", 0) > 0,
            f"{name}: breaking ones wait less than half as long (p95)":
                bool(enough) and waits["breaking"]["p95"] < 0.5 * waits["others"]["p95"],
            f"{name}: memory of the front is flat": each["memory"]["front"]["flat"],
            f"{name}: it answers as before {RECOVERED:g} s after":
                each["recovery_s"] is not None and each["recovery_s"] <= RECOVERED,
            f"{name}: as many deaths were counted as there were": each["deaths"] == each["kills"],
        }  # fmt: skip
        if name == "overload":
            found[f"{name}: memory of the workers is flat"] = each["memory"]["workers"]["flat"]
            found[f"{name}: 9 tenths of the rate are answered"] = each["goodput_over_capacity"] >= 0.9
        else:
            found[f"{name}: workers were killed"] = each["kills"] > 0
            found[f"{name}: it was ready again after each kill"] = None not in each["ready_again_s"]
    if calm := report.get("calm"):
        found |= {
            "calm: one was killed, and each request is answered, with the right verdict":
                calm["kills"] == 1 and not calm["unanswered"] and not calm["wrong"],
            f"calm: it answers as before {RECOVERED:g} s after the kill":
                calm["recovery_s"] is not None and calm["recovery_s"] <= RECOVERED,
        }  # fmt: skip
    return found


def _rows(found: list[list[Any]]) -> list[Row]:
    return [Row(*each) for each in found]


def _wrong(rows: list[Row]) -> list[list[Any]]:
    """What was wrong, and how often; at most 20 of them."""
    return [list(each) for each in collections.Counter(row.wrong for row in rows if row.wrong).most_common(20)]


def _times(rows: list[Row]) -> dict[str, float]:
    return _percentiles([1e3 * (row.done - row.due) for row in rows])


def _percentiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    return dict(zip(("p50", "p95", "p99", "most"), np.percentile(values, [50, 95, 99, 100]).tolist(), strict=True))


def _memory(samples: list[list[float]], place: int, end: float) -> dict[str, Any]:
    """MB: at first, at most, and the slope after the first minute, or the first third of what is shorter.

    It is flat if the last third is not above the second by more than a tenth and 16 MB.
    """
    times = np.array([each[0] for each in samples])
    values = np.array([each[place] for each in samples])
    late = (times >= min(60.0, end / 3)) & (times <= end)
    slope = float(np.polyfit(times[late] / 60, values[late], 1)[0]) if late.sum() > 2 else 0.0
    thirds = [values[(times >= end * part / 3) & (times <= end * (part + 1) / 3)] for part in (1, 2)]
    middle, last = (float(np.median(each)) if len(each) else float(values[-1]) for each in thirds)
    return {"first_mb": float(values[0]), "most_mb": float(values.max()), "mb_a_minute": slope,
            "second_third_mb": middle, "last_third_mb": last, "flat": last <= 1.1 * middle + 16}  # fmt: skip
