"""`innerjudge serve` in a process of its own, with a real judge."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from pathlib import Path

import httpx
import pytest
import typer
from fastapi import FastAPI
from fastapi.testclient import TestClient
from innerjudge import LAGER, Judge, LanguageModel, TokenLogProb
from innerjudge.experiments.adapters.service import connections
from innerjudge.experiments.bench.service import load

PROMPT = "Start with 7. Add 5. Times 3."
SAID = ["<think>7+5=13;13*3=39</think>39", "<think>7+5=12;12*3=36</think>36", "12 " * 2000, "36"]


@pytest.fixture(scope="module")
def judges(reference: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Judge]:
    folder = tmp_path_factory.mktemp("judges")
    found = {folder / "verdict": LAGER(values=(0, 1)), folder / "likely": TokenLogProb()}
    whole = {path: Judge(judge, reference) for path, judge in found.items()}
    for path, judge in whole.items():
        judge.save(path)
    return whole


@pytest.fixture
def service(judges: dict[Path, Judge]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    verdict, likely = judges
    program = [sys.executable, "-m", "innerjudge.experiments.cli.main", "serve", "--judge", str(verdict), "--port", "0"]
    process = subprocess.Popen(
        [*program, "--judge", f"log={likely}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("Serving verdict, log on http://127.0.0.1:")
        yield process, re.findall(r"http://\S+", said)[0]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_two_judges_until_they_are_stopped(service, judges: dict[Path, Judge]) -> None:
    process, address = service
    with httpx.Client(base_url=address, timeout=60) as client, ThreadPoolExecutor(12) as threads:
        for name, judge in zip(("verdict", "log"), judges.values(), strict=True):
            ask = {"model": name, "query": PROMPT, "documents": SAID}
            found = client.post("/v1/rerank", json=ask).json()["results"]
            expected = judge.rank(PROMPT, SAID)
            assert [one["index"] for one in found] == [one["corpus_id"] for one in expected]
            for one, other in zip(found, expected, strict=True):
                assert one["relevance_score"] == (
                    None if other["score"] is None else pytest.approx(other["score"], abs=1e-5)
                )
                assert one.get("unscored") == other.get("unscored")
            assert found[-1]["index"] == 2
        # What was accepted before SIGTERM is answered after it.
        body = {"model": "verdict", "query": PROMPT, "documents": [SAID[1]] * 30}
        waiting = [threads.submit(client.post, "/v1/rerank", json=body) for _ in range(10)]
        while "/v1/rerank" not in client.get("/metrics").text or not _waits(client):
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        assert [len(one.result().json()["results"]) for one in waiting] == [30] * 10
    _, said = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in said


def _waits(client: httpx.Client) -> bool:
    """Whether all ten requests have come in: nine of them wait behind the one whose pass runs."""
    lines = client.get("/metrics").text.splitlines()
    return any(line.startswith("innerjudge_waiting_pairs") and float(line.split()[-1]) > 200 for line in lines)


def test_wrong_options(cli, judges: dict[Path, Judge]) -> None:
    folder = str(next(iter(judges)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = cli("serve", "--judge", folder, "--port", taken.getsockname()[1])
    assert (said.code, said.out) == (2, "")
    assert "expected an address to listen on" in said.err
    for options, words in (
        (("--judge", "no/such/judge/here"), "no/such/judge/here"),
        (("--judge", folder, "--judge", folder), "a folder with a name of its own"),
        (("--judge", "name="), "a folder with a name of its own"),
        (("--judge", folder, "--queue", 10), "room for one request"),
        (("--judge", folder, "--key", ""), "key"),
        (("--judge", folder, "--host", "no.such.host.invalid"), "expected an address to listen on"),
        ((), "--judge"),
    ):
        said = cli("serve", *options)
        assert said.code == 2, options
        assert words in said.err
        assert len(said.refusal) == 1


def test_a_service_that_is_open_to_others_without_a_key_is_warned_of(
    cli, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, judges: dict[Path, Judge]
) -> None:
    folder, apps = str(next(iter(judges))), list[FastAPI]()
    monkeypatch.setattr(connections, "serve_until_stopped", lambda app, *_, **__: apps.append(app))
    warning = "0.0.0.0 is open to others and asks for no key: set --key or INNERJUDGE_KEY"
    for options, warned in (
        (("--host", "0.0.0.0"), True),
        (("--host", "0.0.0.0", "--allow-host", "judge.lan"), True),
        (("--host", "0.0.0.0", "--key", "k"), False),
        (("--host", "127.0.0.1"), False),
    ):
        caplog.clear()
        said = cli("serve", "--judge", folder, "--port", 0, *options)
        assert (said.code, warning in caplog.text) == (0, warned), options
    codes = [
        [TestClient(app).get("/v1/models", headers={"Host": host}).status_code for host in ("localhost", "judge.lan")]
        for app in apps
    ]
    assert codes == [[200, 200], [200, 200], [401, 401], [200, 421]]
    only = TestClient(apps[1]).get("/v1/models", headers={"Host": "evil.example"})
    assert only.status_code == 421, "hosts that are named are the only ones"


def test_help_tells_how_many_connections_there_are(cli) -> None:
    said = " ".join(cli("serve", "--help").out.replace("│", " ").split())
    assert "Maximum connections; idle ones are closed after 8 s, or sooner to make room. [default: 512]" in said
    assert signature(connections.serve_until_stopped).parameters["connections"].default == 512
    assert f"closed after {connections.IDLE_SECONDS:g} s" in said


@pytest.mark.slow
def test_load_is_measured_and_checked(monkeypatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(load, "CROWDS", ((3, 0), (2, 20)))
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{load.BEGIN}\nold\n{load.END}\nafter\n", "utf-8")
    with pytest.raises(typer.Exit) as ended:
        load.main(judge=None, seconds=1, documents=2, seed=1, out=tmp_path / "load.md", readme=readme)
    assert ended.value.exit_code == 0
    table = (tmp_path / "load.md").read_text("utf-8")
    assert re.search(r"^\| 3 \| 0 \(0\) \| \d+ \| 0 \|", table, flags=re.MULTILINE)
    assert re.search(r"^\| 2 \| 20 \(\d+\) \| \d+ \| 0 \|", table, flags=re.MULTILINE)
    assert "before\n" in readme.read_text("utf-8")
    assert "| 3 |" in readme.read_text("utf-8")
    assert "old" not in readme.read_text("utf-8")
