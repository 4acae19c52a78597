"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector


class Meters:
    """Counters of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("innerjudge_requests", "Requests answered.", ["path", "code"], registry=self.registry)
        self.seconds = Histogram(
            "innerjudge_request_seconds", "From the first byte of a request to its answer.", ["path"],
            registry=self.registry, buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )  # fmt: skip
        self.pairs = Counter("innerjudge_pairs", "Pairs judged.", ["judge"], registry=self.registry)
        self.unscored = Counter(
            "innerjudge_unscored_pairs", "Of them, those left unscored.", ["judge"], registry=self.registry
        )
        self.batch = Histogram(
            "innerjudge_batch_pairs", "Pairs a forward pass.", ["judge"],
            registry=self.registry, buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        )  # fmt: skip
        self.waiting = Gauge("innerjudge_waiting_pairs", "Pairs in the queue.", ["judge"], registry=self.registry)
