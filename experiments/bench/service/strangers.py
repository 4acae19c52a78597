"""Strangers that send half a head of a request and wait; whoever is closed comes back, as long as the block runs."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_HALF = b"GET /health HTTP/1.1\r\nX: "


@dataclass(slots=True)
class Seen:
    """How many connections there were at most, and how often the service closed one."""

    open_at_most: int = 0
    closed: int = 0


@contextmanager
def strangers(address: str, how_many: int) -> Iterator[Seen]:
    """Keep this many connections to ``address`` that never end their request."""
    where, over, seen = urlsplit(address), threading.Event(), Seen()
    kept = threading.Thread(target=_keep, args=(where.hostname, where.port, how_many, over, seen), daemon=True)
    kept.start()
    try:
        yield seen
    finally:
        over.set()
        kept.join(timeout=30)


def _keep(host: str, port: int, how_many: int, over: threading.Event, seen: Seen) -> None:
    held: dict[int, socket.socket] = {}
    poll = select.poll()
    while not over.is_set():
        while len(held) < how_many and not over.is_set():
            try:
                one = socket.create_connection((host, port), timeout=2)
                one.sendall(_HALF)
            except OSError:
                break
            held[one.fileno()] = one
            poll.register(one, select.POLLIN)
        seen.open_at_most = max(seen.open_at_most, len(held))
        for number, _ in poll.poll(200):  # an answer, or the end of the connection: either way this one is done
            poll.unregister(number)
            held.pop(number).close()
            seen.closed += 1
    for one in held.values():
        one.close()
