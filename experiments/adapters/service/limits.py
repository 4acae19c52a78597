"""What the service accepts and for how long, what it counts, and the one shape of all answers other than 200."""

from dataclasses import dataclass, fields

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.exceptions import HTTPException

from ....models.errors import InnerjudgeError
from ....models.shown import shown


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


#: Code -> kind of error, as clients of such services read it.
_TYPES = {401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}


class Refused(Exception):  # noqa: N818 - a refusal is an answer
    """An answer with an error code, a message, and seconds after which another try makes sense."""

    def __init__(self, code: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after = code, message, retry_after

    def response(self) -> JSONResponse:
        """The answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.code == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return _answer(self.code, self.message, headers)


def register_refusals(app: FastAPI) -> None:
    """Give every error of ``app`` the shape ``{"error": {"message", "type", "param", "code"}}``."""

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Refused) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Without the input, which may be huge or, holding NaN or half a surrogate pair, nothing that JSON can say.
        found = [f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in error.errors()[:5]]
        return _answer(400, "; ".join(found).encode("utf-8", "replace").decode())

    @app.exception_handler(HTTPException)
    async def known(_request: Request, error: HTTPException) -> JSONResponse:
        return _answer(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def broken(_request: Request, error: Exception) -> JSONResponse:
        said = str(error) if isinstance(error, InnerjudgeError) else f"{type(error).__name__}, see the service's log"
        return _answer(500, f"the judge failed: {said}")


def _answer(code: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    kind = _TYPES.get(code, "BadRequestError" if code < 500 else "InternalServerError")
    body = {"error": {"message": shown(message, 2000), "type": kind, "param": None, "code": code}}
    return JSONResponse(body, status_code=code, headers=headers)
