"""A service whose process may hold few open files: strangers take none of those that others need."""

from __future__ import annotations

import contextlib
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from innerjudge.experiments.bench.service.strangers import strangers

pytest.importorskip("resource", reason="bounds of open files are told otherwise here")
SERVING = Path(__file__).with_name("serving.py")
ASK = {"query": "q", "documents": ["abc", "abcde"]}


@contextmanager
def served(forks: Any, folder: Path, *options: object) -> Iterator[tuple[Any, int, Path]]:
    """A service in a process of its own, its port, and the file that it says what is wrong to."""
    typed = f"import runpy, sys\nsys.argv[1:] = {[*map(str, options)]!r}\n"
    with forks.begin(f"{typed}runpy.run_path({str(SERVING)!r}, run_name='__main__')", folder) as process:
        try:
            yield process, int(process.readline()), process.err
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)


def stopped(process: Any) -> tuple[int, float]:
    """How often the system refused a connection, and in how many seconds, once the service was told to stop."""
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    refused, seconds = out.splitlines()[-1].split()
    return int(refused), float(seconds)


def asked(address: str) -> float:
    """Seconds to a right answer, on a connection of its own."""
    begun = time.monotonic()
    answer = httpx.post(f"{address}/rerank", json=ASK, timeout=60)
    assert [one["relevance_score"] for one in answer.json()["results"]] == [4.0, 2.0]
    return time.monotonic() - begun


@pytest.mark.slow
def test_others_are_answered_beside_400_strangers(forks: Any, tmp_path: Path) -> None:
    """With 256 open files; half of the requests within a second, or on a busy machine within 4 times the quiet one."""
    with served(forks, tmp_path, 256) as (process, port, errors):
        address = f"http://127.0.0.1:{port}"
        asked(address)  # what is loaded lazily is loaded now
        quiet = statistics.median(asked(address) for _ in range(9))
        with strangers(address, 400) as seen:
            while seen.open_at_most < 400 and not seen.closed:
                time.sleep(0.05)
            took = [asked(address) for _ in range(15)]
        assert statistics.median(took) < max(1, 4 * quiet), (quiet, took)
        assert stopped(process)[0] == 0, "connections are bounded before the system refuses any"
        assert errors.read_text() == ""


@pytest.mark.slow
def test_where_the_system_has_no_files_left_accepting_waits_and_goes_on(forks: Any, tmp_path: Path) -> None:
    with served(forks, tmp_path, 64, "unbounded") as (process, port, errors), ExitStack() as held:
        for _ in range(80):
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        until = time.monotonic() + 60
        while "no files are left" not in errors.read_text() and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(2)  # it would be refused thousands of times now, if accepting did not wait
        held.close()
        assert httpx.get(f"http://127.0.0.1:{port}/health", timeout=60).is_success
        refused, seconds = stopped(process)
        # asyncio waits a second after a refusal, and tries 8 connections at a time
        assert 0 < refused <= 8 * (seconds + 2)
        (line,) = errors.read_text().splitlines()
        assert "raise `ulimit -n`, or lower --connections" in line


def test_a_stranger_is_closed(forks: Any, tmp_path: Path) -> None:
    with served(forks, tmp_path, 256) as (_, port, _errors):
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as stranger:
            with contextlib.suppress(OSError):
                stranger.sendall(b"GET /health HTTP/1.1\r\nX: ")
            assert stranger.recv(1) == b""
        assert 1 < time.monotonic() - begun < 20  # 8 s, on a machine that may be busy; nobody is cut off at once
