"""What the service accepts, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, fields

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
