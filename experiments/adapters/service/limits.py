"""What the service accepts and for how long, and what it counts."""

from dataclasses import dataclass, fields

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from ....models.errors import InnerjudgeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the service; every one of them is met by an answer that says so, never by a hang or a crash.

    Args:
        batch_size: Most pairs a forward pass.
        batch_wait: Seconds that a pass which is not full waits for more pairs.
        queue: Most pairs that wait; requests beyond are answered 429.
        documents: Most pairs of one request; larger ones are answered 400.
        body: Most bytes of a request; larger ones are answered 413.
        seconds: Longest time to send a request (else 408), and to answer it (else 504).

    Example:
        >>> Limits(queue=10)
        Traceback (most recent call last):
        ...
        innerjudge.models.errors.InnerjudgeError: given a queue of 10 pairs and requests of up to 1000, expected room for one request: raise the queue or lower the documents
    """  # noqa: E501

    batch_size: int = 32
    batch_wait: float = 0.002
    queue: int = 4096
    documents: int = 1000
    body: int = 8 * 2**20
    seconds: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0 and not (field.name == "batch_wait" and value == 0):
                raise InnerjudgeError(f"given {field.name}={value}, expected more than 0")
        if self.queue < self.documents:
            raise InnerjudgeError(
                f"given a queue of {self.queue} pairs and requests of up to {self.documents}, expected room for one "
                "request: raise the queue or lower the documents"
            )


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
