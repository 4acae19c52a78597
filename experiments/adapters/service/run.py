"""The service in a process of its own."""

import math
import socket

from fastapi import FastAPI

from ....models.errors import InnerjudgeError
from .connections import Server, config_of, room_for


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens, before uvicorn has it: a port in use is reported like any other wrong option.

    Clients that connect before the service answers wait.

    Args:
        host: Name or address.
        port: The port; 0 takes a free one.

    Raises:
        InnerjudgeError: If the address cannot be listened on.

    Example:
        >>> with listening("127.0.0.1", 0) as where:
        ...     where.getsockname()[0]
        '127.0.0.1'
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen()
    except OSError as error:
        raise InnerjudgeError(
            f"given --host {host} --port {port}, expected an address to listen on ({error.strerror or error}): choose "
            "another --port, or end what listens there"
        ) from None
    return found


def serve_until_stopped(app: FastAPI, where: socket.socket, *, seconds: float, connections: int = 512) -> None:
    """Serve until SIGTERM or SIGINT; what was accepted by then is answered first.

    Args:
        app: What :func:`.app.create_app` made.
        where: What :func:`listening` returned.
        seconds: Longest time of a request, and so of the end.
        connections: Most connections; fewer where the system allows fewer open files.
    """
    Server(config_of(app, most=room_for(connections), grace=math.ceil(seconds) + 1)).run(sockets=[where])
