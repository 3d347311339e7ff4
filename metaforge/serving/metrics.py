"""What the service counts, for Prometheus. All of it in the front process: workers send their times with answers."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 5, 10, 30, 60)


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
        self.refusals = named(Counter, "refusals", "What was not accepted, by reason.", ("reason",))
        self.deaths = named(Counter, "worker_deaths", "Workers that died or hung.", ("lane",))
        self.waiting = named(Gauge, "waiting_files", "Files that wait.", ("lane",))
        self.up = named(Gauge, "ready", "1 if every worker can score.")

    def refused(self, reason: str) -> None:
        """A request was not accepted."""
        self.refusals.labels(reason).inc()

    def died(self, lane: str) -> None:
        """A worker was replaced."""
        self.deaths.labels(lane).inc()

    def batch(self, lane: str, files: int) -> None:
        """A worker answered a batch."""
        self.batches.labels(lane).observe(files)

    def stage(self, name: str, seconds: float) -> None:
        """A file spent so long in a stage."""
        self.stages.labels(name).observe(seconds)

    def verdict(self, decision: str, p_fake: float | None) -> None:
        """A file was judged."""
        self.decisions.labels(decision).inc()
        if p_fake is not None:
            self.scores.observe(p_fake)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self.registry)
