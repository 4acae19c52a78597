"""The service in a process of its own."""

from __future__ import annotations

import math
import socket

import uvicorn
from fastapi import FastAPI

from ...models.errors import InnerjudgeError


def run(app: FastAPI, *, host: str, port: int, seconds: float) -> None:
    """Serve until SIGTERM or SIGINT; what was accepted is then answered, for as long as one request may take.

    Args:
        app: What :func:`.app.create_app` made.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one, which the log names.
        seconds: Longest time of a request.

    Raises:
        InnerjudgeError: If the address cannot be listened on.
    """
    config = uvicorn.Config(
        app, host=host, port=port, log_level="info", access_log=False, server_header=False,
        timeout_graceful_shutdown=math.ceil(seconds) + 1,
    )  # fmt: skip
    bound = _bound(host, port)
    try:
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        bound.close()


def _bound(host: str, port: int) -> socket.socket:
    """The socket, bound here, so that a port in use is told as every other wrong option is."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        raise InnerjudgeError(
            f"given --host {host} --port {port}, expected an address to listen on ({error.strerror or error}): choose "
            "another --port, or end what listens there"
        ) from None
    return found
