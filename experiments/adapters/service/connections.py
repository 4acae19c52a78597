"""The service in a process of its own: idle and slow connections and their number are bounded, no client blocks it."""

import asyncio
import logging
import math
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ....models.errors import InnerjudgeError, one_line, shown

#: Seconds within which a connection has to send the whole head of a request.
IDLE_SECONDS = 8.0
#: Connections accepted at a time, before those that are too many are closed.
_AT_ONCE = 8
#: Files that are kept free beside those that are open when the service starts.
_SPARE_FILES = 96
_ANSWER = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n"
_log = logging.getLogger("innerjudge")


def room_for(connections: int) -> int:
    """This many connections, or fewer where the system allows this process fewer files."""
    try:
        import resource
    except ImportError:  # Windows
        return connections
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return connections
    held = Path("/proc/self/fd")
    open_now = len(os.listdir(held)) if held.is_dir() else 64
    return max(8, min(connections, most - open_now - _SPARE_FILES))


def protocol_of(most: int) -> Callable[..., H11Protocol]:
    """What makes connections of which at most ``most`` are open; a new one takes the place of the longest idle one."""

    class Bounded(H11Protocol):
        """HTTP that closes what is idle."""

        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Make room for the connection, or refuse it where all others are being answered."""
            super().connection_made(transport)
            self._wait()
            if len(self.connections) <= most:
                return
            idle = [one for one in self.connections if isinstance(one, Bounded) and one._timer and one is not self]
            if idle:
                min(idle, key=lambda one: one._timer.when() if one._timer else 0.0)._close()
            else:
                transport.write(_ANSWER)
                self._close()

        def data_received(self, data: bytes) -> None:
            """Go on; the clock stops once a request is being answered."""
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle is None or self.cycle.response_complete:
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._stop()
            if not self.transport.is_closing():
                self._timer = self.loop.call_later(IDLE_SECONDS, self._close)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _close(self) -> None:
            self._stop()
            self.connections.discard(self)
            self.transport.close()

    return Bounded


class Server(uvicorn.Server):
    """The server; where the system has no files left, accepting waits and says so once."""

    _told = False

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Begin to listen; clients that connect while others are accepted wait in the system's queue."""
        asyncio.get_running_loop().set_exception_handler(self._failed)
        await super().startup(list(sockets or ()))
        for one in sockets or ():
            one.listen(1024)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "out of system resource" not in str(context.get("message")):
            loop.default_exception_handler(context)
        elif not self._told:
            self._told = True
            _log.warning("no files are left to accept connections: raise `ulimit -n`, or lower --connections")


def config_of(app: Any, *, most: int, grace: int) -> uvicorn.Config:
    """How the server runs."""
    quiet: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
    own: Any = protocol_of(most)  # a class is what it takes, and what this is
    return uvicorn.Config(app, http=own, backlog=_AT_ONCE, timeout_graceful_shutdown=grace, **quiet)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens, before uvicorn has it: a port in use is reported like any other wrong option.

    Port 0 takes a free one. Clients that connect before the service answers wait.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen()
    except (OSError, UnicodeError) as error:  # the latter of a name that no machine can have
        raise InnerjudgeError.of("adapters.address", shown(host), port, one_line(error)) from None
    return found


def serve_until_stopped(app: FastAPI, where: socket.socket, *, seconds: float, connections: int = 512) -> None:
    """Serve on a socket until SIGTERM or SIGINT; what was accepted by then is answered first, within ``seconds``.

    There are at most this many connections, and fewer where the system allows fewer open files.
    """
    Server(config_of(app, most=room_for(connections), grace=math.ceil(seconds) + 1)).run(sockets=[where])
