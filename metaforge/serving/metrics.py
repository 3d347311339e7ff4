"""What the service counts, for Prometheus. All of it in the front process: workers send their times with answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from metaforge.serving.drift import Drift
from metaforge.serving.errors import CODES
from metaforge.serving.guarding.access import Log

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 5, 10, 30, 60)
_METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")


class Metrics:
    """The counters of one service; each service has its own."""

    def __init__(self) -> None:
        """All at nothing."""
        self.registry = registry = CollectorRegistry()
        named = lambda kind, name, text, labels=(), **more: kind(
            f"metaforge_{name}", text, labels, registry=registry, **more
        )
        self.requests = named(Counter, "requests", "Answers, by route and status.", ("route", "method", "status"))
        self.seconds = named(
            Histogram, "request_seconds", "From a request's head to its answer.", ("route",), buckets=SECONDS
        )
        self.errors = named(Counter, "errors", "Requests and connections answered with an error, by code.", ("code",))
        self.stages = named(
            Histogram, "stage_seconds", "Stages of a file: receive, queue, read, score.", ("stage",), buckets=SECONDS
        )
        self.batches = named(
            Histogram, "batch_files", "Files that a worker took at a time.", ("lane",), buckets=(1, 2, 4, 8, 12, 16)
        )
        self.scores = named(
            Histogram, "p_fake", "Scores given to files.", buckets=tuple(tenth / 10 for tenth in range(1, 11))
        )
        self.decisions = named(Counter, "decisions", "Verdicts on files.", ("decision",))
        self.refusals = named(Counter, "refusals", "Files that were not accepted, by reason.", ("reason",))
        self.left_out = named(Counter, "degraded", "Verdicts with less for want of time, by what of it.", ("left_out",))
        self.starts = named(Counter, "worker_starts", "Starts of workers, by how they ended.", ("lane", "outcome"))
        self.deaths = named(Counter, "worker_deaths", "Workers that died or hung.", ("lane",))
        self.database = named(Counter, "database_errors", "What went wrong between service and database.")
        self.drift = Drift()
        for reason in ("load", "full"):  # what can happen is there from the start: a first one is a rise from 0
            self.refusals.labels(reason)
        for left in ("evidence", "map", "model"):
            self.left_out.labels(left)
        for decision in ("real", "cannot tell", "fake"):
            self.decisions.labels(decision)
        for code in CODES:
            self.errors.labels(code)
        for lane in ("fast", "slow"):
            self.deaths.labels(lane)

    def refused(self, reason: str) -> None:
        """A file was not accepted."""
        self.refusals.labels(reason).inc()

    def failed(self, code: str) -> None:
        """A request or a connection was answered with an error."""
        self.errors.labels(code).inc()

    def started(self, lane: str, *, ready: bool) -> None:
        """A worker was started, and came to be ready or did not."""
        self.starts.labels(lane, "ready" if ready else "failed").inc()

    def died(self, lane: str) -> None:
        """A worker was replaced."""
        self.deaths.labels(lane).inc()

    def batch(self, lane: str, files: int) -> None:
        """A worker answered a batch."""
        self.batches.labels(lane).observe(files)

    def stage(self, name: str, seconds: float) -> None:
        """A file spent so long in a stage."""
        self.stages.labels(name).observe(seconds)

    def verdict(self, record: Mapping[str, Any], *, degraded: Iterable[str] = (), own: bool = True) -> None:
        """A file was judged.

        Args:
            record: `FileVerdict.as_json()`.

        Other Arguments:
            degraded: what was left out.
            own: whether the service's own detector judged it, and no adapter or spare: only its verdicts tell drift.
        """
        self.decisions.labels(record["decision"]).inc()
        if record["p_fake"] is not None:
            self.scores.observe(record["p_fake"])
        for left in degraded:
            self.left_out.labels(left).inc()
        if own:
            self.drift.saw(record)

    def answered(self, route: str, method: str, status: int | None, seconds: float) -> None:
        """A request was answered, or its client has gone before it was."""
        method = method if method in _METHODS else "other"  # a word that a stranger chose is no label
        self.requests.labels(route, method, "gone" if status is None else str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def counted(self, log: Log) -> Log:
        """A log that also counts the requests of which it is told, those that guards refuse among them.

        Args:
            log: where records go.
        """

        def write(record: dict[str, Any]) -> None:
            if "status" in record:
                self.answered(record["route"], record["method"], record["status"], record["ms"] / 1000)
                if record.get("code"):
                    self.failed(record["code"])
            log(record)

        return write

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self.registry)
