"""What the service accepts and for how long, what it counts and what it refuses, before any route sees a request."""

import asyncio
import hmac
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ....models.arguments import Count, NotNegative, Positive, checked_fields
from ....models.errors import InnerjudgeError, shown

#: Code -> kind of error, as clients of such services read it.
_TYPES = {401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}
#: Paths that need no key: they say nothing of what is judged.
OPEN = ("/health", "/metrics", "/docs", "/redoc", "/openapi.json", "/static-offline-docs")


@checked_fields
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
    """

    batch_size: Count = 32
    batch_wait: NotNegative = 0.002
    queue: Count = 4096
    documents: Count = 1000
    body: Count = 8 * 2**20
    seconds: Positive = 60.0

    def __post_init__(self) -> None:
        if self.queue < self.documents:
            raise InnerjudgeError.of("adapters.queue", self.queue, self.documents)


class Meters:
    """Counters of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        here: Any = {"namespace": "innerjudge", "registry": self.registry}
        times = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
        sizes = (1, 2, 4, 8, 16, 32, 64, 128, 256)
        about = "From the first byte of a request to its answer."
        self.requests = Counter("requests", "Requests answered.", ["path", "code"], **here)
        self.seconds = Histogram("request_seconds", about, ["path"], **here, buckets=times)
        self.pairs = Counter("pairs", "Pairs judged.", ["judge"], **here)
        self.unscored = Counter("unscored_pairs", "Of them, those left unscored.", ["judge"], **here)
        self.batch = Histogram("batch_pairs", "Pairs a forward pass.", ["judge"], **here, buckets=sizes)
        self.waiting = Gauge("waiting_pairs", "Pairs in the queue.", ["judge"], **here)


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


class Guard:
    """ASGI middleware. A body is taken whole, within its bounds, before anything reads it; no key, no body.

    Answers on ``paths`` are counted by name, those on other paths as ``other``. ``hosts`` are names that a request may
    be addressed to, so that no page of another site can ask through a browser (DNS rebinding). ``None`` as ``key`` or
    ``hosts`` asks for none, or takes any.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, meters: Meters, key: str | None, paths: frozenset[str],
        hosts: frozenset[str] | None = None
    ) -> None:  # fmt: skip
        self.app, self.limits, self.meters, self.paths, self.hosts = app, limits, meters, paths, hosts
        self._expected = None if key is None else key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self.paths else "other"
        started = time.perf_counter()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.meters.requests.labels(path, message["status"]).inc()
                self.meters.seconds.labels(path).observe(time.perf_counter() - started)
            await send(message)

        try:
            self._check(scope)
            body = await self._body(scope, receive)
        except Refused as refused:
            await refused.response()(scope, receive, counting)
            return
        if body is not None:
            await self.app(scope, _replayed(body, receive), counting)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        if self.hosts is not None and name not in self.hosts:
            given = shown(name, 80)
            raise Refused(421, f"given the host {given!r}, expected one that this service has: see --allow-host")
        if self._expected is None or scope["path"].startswith(OPEN):
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode("latin-1"), self._expected)
        if scheme.lower() != "bearer" or not known:
            raise Refused(401, "given no key or a wrong one, expected the header 'Authorization: Bearer KEY'")

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; ``None`` where the client went away."""
        size = Headers(scope=scope).get("content-length", "")
        if size.isdigit() and int(size) > self.limits.body:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self.limits.body:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise Refused(408, f"the request did not arrive within {self.limits.seconds:g} s") from None

    def _too_large(self) -> Refused:
        return Refused(413, f"given more than {self.limits.body} bytes, expected at most that: send fewer documents")


def _replayed(body: bytes, receive: Receive) -> Receive:
    whole: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return whole.popleft() if whole else await receive()

    return again
