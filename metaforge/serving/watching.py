"""What is not counted but looked at when Prometheus asks: queues, processes, the disk, the database, and drift."""

import concurrent.futures
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from metaforge.serving.drift import Drift
from metaforge.serving.resources import files_allowed, taken

if TYPE_CHECKING:
    from metaforge.serving.service import Service
    from metaforge.serving.storage import Storage

STATES = ("queued", "running", "done", "failed", "cancelled")
"""Of adapters."""

_PATIENCE = 1.0
"""Seconds that a database may take to be counted; one that hangs must not keep the other numbers from being seen."""


class Watch(Collector):
    """Looks at a service; what cannot be known is left out rather than said to be 0."""

    def __init__(self, service: "Service"):
        """Nothing is looked at yet.

        Args:
            service: what is watched.
        """
        self._service, self._rows = service, _Rows(service.storage)

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is depends on what can be known."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All of it, now."""
        service, pool = self._service, self._service.pool
        yield _gauge("ready", "1 if every worker can score.", (), {(): bool(pool.ready)})
        yield InfoMetricFamily("metaforge_build", "What runs.", {
            "version": _version(), "model": service.served.name, "model_sha256": service.served.sha256,
        })  # fmt: skip
        yield _gauge("waiting_files", "Files that wait.", ("lane",), {(lane,): n for lane, n in pool.waiting().items()})
        if hasattr(pool, "waiting_by"):
            by = {(lane, str(breaking).lower()): count for (lane, breaking), count in pool.waiting_by().items()}
            yield _gauge("queued_files", "The same, those that are breaking apart.", ("lane", "breaking"), by)
        waits = {(lane,): pool.wait(lane) for lane in pool.waiting()}
        yield _gauge("expected_wait_seconds", "How long a file would wait now.", ("lane",), waits)
        yield from self._resources({"front": os.getpid(), **getattr(pool, "workers", {})})
        yield from self._rows.collect()
        yield from _drift(service.metrics.drift)
        thresholds = service.about.get("thresholds", {})
        allowed = {(kind,): thresholds[kind] for kind in ("fpr", "fnr") if thresholds.get(kind) is not None}
        text = "Mistakes that the thresholds allow on what they were fitted on, as shares."
        yield _gauge("allowed_errors_share", text, ("kind",), allowed)

    def _resources(self, processes: Mapping[str, int]) -> Iterator[Metric]:
        found = {(name,): each for name, number in processes.items() if (each := taken(number))}
        of = lambda field: {name: getattr(each, field) for name, each in found.items()}
        yield _gauge("resident_memory_bytes", "Memory, of each process that can work.", ("process",), of("memory"))
        spent = CounterMetricFamily("metaforge_processor_seconds", "Processor time, likewise.", labels=("process",))
        for name, each in found.items():
            spent.add_metric(name, each.seconds)
        yield spent
        yield _gauge("open_files", "Open files and connections.", ("process",), of("files"))
        yield _gauge("open_files_allowed", "As many may be open in a process.", (), {(): files_allowed()})
        disk = shutil.disk_usage(self._service.state)
        yield _gauge("state_free_bytes", "Room where the state is.", (), {(): disk.free})
        yield _gauge("state_size_bytes", "All of it, free or not.", (), {(): disk.total})


class _Rows:
    """Counts the rows of a database, in a thread of its own; one that hangs is not asked again meanwhile."""

    def __init__(self, storage: "Storage"):
        self._storage, self._thread = storage, concurrent.futures.ThreadPoolExecutor(1)
        self._asked: concurrent.futures.Future[dict[str, Any]] | None = None

    def collect(self) -> Iterator[Metric]:
        if self._asked is None or self._asked.done():
            self._asked = self._thread.submit(self._storage.counts)
        try:
            found = self._asked.result(_PATIENCE)
        except Exception:  # noqa: BLE001 - whatever is amiss with the database, it cannot be counted
            found = None
        yield _gauge("database_up", "1 if the database answers.", (), {(): found is not None})
        if found is not None:
            states = {(state,): found["adapters"].get(state, 0) for state in STATES}
            yield _gauge("adapters", "Adapters that are kept, by state.", ("state",), states)
            yield _gauge("feedback_rows", "What was said of verdicts.", (), {(): found["feedback"]})


def _drift(drift: Drift) -> Iterator[Metric]:
    yield _gauge("drift_verdicts", "Verdicts that the next numbers are of.", (), {(): drift.verdicts})
    if shares := drift.decisions():
        text = "The share of each decision among them."
        yield _gauge("decision_share", text, ("decision",), {(each,): share for each, share in shares.items()})
    bounded = lambda values, *names: {(name,): value for name, value in zip(names, values, strict=True)}
    if share := drift.unfamiliar():
        text = "Pictures less familiar than nine tenths of the source's; 0.1 on the source."
        yield _gauge("unfamiliar_share", text, ("bound",), bounded(share, "value", "low", "high"))
    if distance := drift.distance():
        text = "How far familiarities are from the source's; 0 for alike, 1 at most."
        yield _gauge("familiarity_distance", text, ("bound",), bounded(distance, "value", "low"))
    if shift := drift.shift():
        text = "How far scores have moved since the start, and how far chance moves them."
        yield _gauge("p_fake_shift", text, ("bound",), bounded(shift, "value", "chance"))


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]) -> Metric:
    found = GaugeMetricFamily(f"metaforge_{name}", text, labels=labels)
    for names, value in values.items():
        found.add_metric(names, float(value))
    return found


def _version() -> str:
    import metaforge

    return metaforge.__version__
