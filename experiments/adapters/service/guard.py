"""What stands before the routes: the key, the size of a request, the time to send it, and the count of answers."""

import asyncio
import hmac
import time
from collections import deque

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ....models.shown import shown
from .limits import Limits, Meters, Refused

#: Paths that need no key: they say nothing of what is judged.
OPEN = ("/health", "/metrics", "/docs", "/redoc", "/openapi.json", "/static-offline-docs")


class Guard:
    """ASGI middleware. A body is taken whole, within its bounds, before anything reads it; no key, no body.

    Answers on ``paths`` are counted by name, on others as ``other``. ``hosts`` are names that a request may be
    addressed to, so that no page of another site can ask through a browser (DNS rebinding). ``None`` as ``key`` or
    ``hosts`` asks for none, or takes any.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        meters: Meters,
        key: str | None,
        paths: frozenset[str],
        hosts: frozenset[str] | None = None,
    ) -> None:
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
            self._check_host(scope)
            self._check_key(scope)
            body = await self._body(scope, receive)
        except Refused as refused:
            await refused.response()(scope, receive, counting)
            return
        if body is not None:
            await self.app(scope, _replayed(body, receive), counting)

    def _check_host(self, scope: Scope) -> None:
        if self.hosts is None:
            return
        given = Headers(scope=scope).get("host", "").lower()
        name = given.partition("]")[0].lstrip("[") if given.startswith("[") else given.partition(":")[0]
        if name not in self.hosts:
            raise Refused(
                421, f"given the host {shown(name, 80)!r}, expected one that this service has: see --allow-host"
            )

    def _check_key(self, scope: Scope) -> None:
        if self._expected is None or scope["path"].startswith(OPEN):
            return
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode("latin-1"), self._expected)
        if scheme.lower() != "bearer" or not known:
            raise Refused(401, "given no key or a wrong one, expected the header 'Authorization: Bearer KEY'")

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; ``None`` where the client went away."""
        size = Headers(scope=scope).get("content-length", "")
        if size.isdigit() and int(size) > self.limits.body:
            raise self._too_large()
        parts, total = deque[bytes](), 0
        try:
            async with asyncio.timeout(self.limits.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    total += len(parts[-1])
                    if total > self.limits.body:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise Refused(408, f"the request did not arrive within {self.limits.seconds:g} s") from None

    def _too_large(self) -> Refused:
        return Refused(413, f"given more than {self.limits.body} bytes, expected at most that: send fewer documents")


def _replayed(body: bytes, receive: Receive) -> Receive:
    whole: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return whole.popleft() if whole else await receive()

    return again
