"""Strangers who hold connections without asking: closed, bounded in number, and nobody else waits for them."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from innerjudge.experiments.adapters.service import connections
from innerjudge.experiments.adapters.service.app import create_app
from innerjudge.experiments.adapters.service.connections import Server, config_of, listening
from innerjudge.experiments.cli.serve import _hosts

from .conftest import Lengths

MOST = 16


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A service of one application without a model, which closes idle connections after a second."""
    monkeypatch.setattr(connections, "IDLE_SECONDS", 1.0)

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

    with listening("127.0.0.1", 0) as where:
        server = Server(config_of(app, most=MOST, grace=1))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [where]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield where.getsockname()[1]
        server.should_exit = True
        thread.join(10)


def ask(port: int) -> int:
    one = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(one):
        one.request("GET", "/")
        return one.getresponse().status


def closed(one: socket.socket) -> bool:
    one.settimeout(10)
    try:
        return one.recv(1) == b""
    except OSError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["nothing", "half a head"])
def test_more_strangers_than_places(port: int, said: bytes) -> None:
    strangers = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(3 * MOST)]
    for one in strangers:
        with contextlib.suppress(OSError):
            one.sendall(said)
    assert [ask(port) for _ in range(3)] == [200] * 3
    assert all(map(closed, strangers))
    assert ask(port) == 200


def test_a_head_that_dribbles_is_cut_off(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        with contextlib.suppress(OSError):
            for _ in range(40):  # each piece comes in time: the whole head does not
                slow.sendall(b"G")
                time.sleep(0.05)
        assert closed(slow)


def test_the_longest_that_a_stranger_may_wait() -> None:
    assert connections.IDLE_SECONDS <= 10


def test_a_second_request_on_one_connection(port: int) -> None:
    one = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(one):
        for _ in range(3):
            one.request("GET", "/")
            assert one.getresponse().read() == b"ok"


def test_hosts_of_a_service_without_a_key() -> None:
    assert _hosts("0.0.0.0", [], "key") is None
    assert "judge.lan" in (_hosts("0.0.0.0", ["judge.lan"], None) or ())
    client = TestClient(create_app({"j": Lengths()}, hosts=_hosts("127.0.0.1", ["judge.lan"], None)))  # type: ignore[dict-item]
    known = {"localhost": 200, "127.0.0.1:8000": 200, "[::1]:8000": 200, "JUDGE.LAN": 200}
    for host, code in {**known, "evil.example": 421, "x" * 5000: 421, "localhost.evil.example": 421}.items():
        said = client.get("/v1/models", headers={"Host": host})
        assert said.status_code == code, host
        assert len(said.text) < 500


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_of_a_key_in_any_case(scheme: str) -> None:
    client = TestClient(create_app({"j": Lengths()}, key="k"))  # type: ignore[dict-item]
    assert client.get("/v1/models", headers={"Authorization": f"{scheme} k"}).status_code == 200
    assert client.get("/v1/models", headers={"Authorization": f"{scheme} K"}).status_code == 401
