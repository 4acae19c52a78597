"""``python -m innerjudge.experiments.bench.service.load``: the service under load, answers checked (extra ``load``).

Fits nothing: the judge is ``--judge``, or a judge of the built-in model. Starts the service on a free port of the
loopback with a key and at most 1,024 open files, asks it from 1, 8, 32 and 64 clients (locust), and from 64 again
beside 400 strangers that never end their request. Every score is held against ``judge.predict`` in this process.
Writes ``load.md`` and the section of a document between its marks (the how-to page).
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..documents.readme import put_section
from .client import KEY, LOCUSTFILE
from .strangers import strangers

BEGIN, END = "<!-- load:begin -->", "<!-- load:end -->"
TABLE = Path(__file__).with_name("load.md")
#: Clients, and strangers beside them.
CROWDS = ((1, 0), (8, 0), (32, 0), (64, 0), (64, 400))
_FILES = 1024
_VERSIONS = ("innerjudge", "torch", "transformers", "fastapi", "uvicorn", "locust")


@dataclass(frozen=True, slots=True)
class Held:
    """What was measured with one number of clients at once."""

    clients: int
    strangers: int
    closed: int
    requests: int
    wrong: int
    a_second: float
    pairs_a_second: float
    p50: float
    p95: float
    p99: float
    pairs_a_pass: float
    memory: tuple[float, float]


def main(
    judge: Annotated[str | None, typer.Option(help="Judge to serve; one of the built-in model if left out.")] = None,
    seconds: Annotated[int, typer.Option(min=1, help="Seconds for each number of clients.")] = 30,
    documents: Annotated[int, typer.Option(min=1, help="Documents of a request.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the problems that are asked about.")] = 0,
    out: Annotated[Path, typer.Option(help="File for the table.")] = TABLE,
    readme: Annotated[Path | None, typer.Option(help="Document whose section is replaced.")] = None,
) -> None:
    """Measure, write the table, and end with 1 if any answer was wrong or lost."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        served = judge or _built_in(folder / "judge")
        floor = _expect(served, folder / "expected.json", documents=documents, seed=seed)
        with _service(served, folder / "log") as address:
            _ask_all(address, folder / "expected.json")  # what is loaded lazily is loaded now
            found = [_held(address, folder, *crowd, seconds=seconds, documents=documents) for crowd in CROWDS]
        log = (folder / "log").stat().st_size
    command = (
        f"python -m innerjudge.experiments.bench.service.load --seconds {seconds} --documents {documents} --seed {seed}"
    )
    text = _section(found, floor, documents, log, command + (f" --judge {judge}" if judge else ""))
    out.write_text(f"# The service under load\n\n{text}\n", encoding="utf-8")
    if readme is not None:
        put_section(readme, text, BEGIN, END)
    typer.echo(text)
    raise typer.Exit(int(any(one.wrong for one in found)))


def _built_in(folder: Path) -> str:
    from ....models.loading import load
    from ....probes import LAGER
    from ...judges.judge import Judge

    Judge(LAGER(values=(0, 1)), load("reference"), name="lager").save(folder)
    return str(folder)


def _expect(served: str, path: Path, *, documents: int, seed: int) -> float:
    """Write requests and their scores to ``path``; pairs a second of this process without a service."""
    from ....models.reference.training.simulated import traces
    from ...judges.judge import Judge

    judge = Judge.load(served)
    many = traces(64 * documents, seed=seed)
    bodies, pairs = [], []
    for start in range(0, len(many), documents):
        part = many[start : start + documents]
        bodies.append({"query": part[0].prompt, "documents": [trace.response for trace in part]})
        pairs += [(part[0].prompt, trace.response) for trace in part]
    judge.scores(pairs[:32])
    started = time.perf_counter()
    scores = judge.scores(pairs, batch_size=32).tolist()
    rate = len(pairs) / (time.perf_counter() - started)
    chunks = [scores[start : start + documents] for start in range(0, len(many), documents)]
    path.write_text(json.dumps({"requests": bodies, "scores": chunks}), encoding="utf-8")
    return rate


@contextmanager
def _service(served: str, log: Path) -> Iterator[str]:
    """Address of a service in a process of its own, which writes what it says to ``log``; SIGTERM ends it."""
    program = [
        "prlimit",
        f"--nofile={_FILES}",
        sys.executable,
        "-m",
        "innerjudge.experiments.cli.main",
        "serve",
        "--judge",
        f"judge={served}",
        "--port",
        "0",
    ]
    with log.open("wb") as errors:
        with_key = os.environ | {"INNERJUDGE_KEY": KEY}
        process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=errors, text=True, env=with_key)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.search(r"http://[\d.]+:\d+", said)
        if address is None:
            raise SystemExit(f"the service did not start: {said}")
        yield address.group()
    finally:
        process.terminate()
        process.wait(timeout=90)


def _ask_all(address: str, expected: Path) -> None:
    for body in json.loads(expected.read_text(encoding="utf-8"))["requests"]:
        head = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        request = urllib.request.Request(f"{address}/v1/rerank", json.dumps(body).encode(), head)
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()


def _held(address: str, folder: Path, clients: int, beside: int, *, seconds: int, documents: int) -> Held:
    before = _meters(address)
    users = folder / "locustfile.py"
    users.write_text(LOCUSTFILE.format(expected=str(folder / "expected.json")), encoding="utf-8")
    program = [sys.executable, "-m", "locust", "--locustfile", str(users)]
    program += ["--headless", "--host", address, "--users", str(clients), "--spawn-rate", str(clients)]
    program += ["--run-time", f"{seconds}s", "--stop-timeout", "60", "--exit-code-on-error", "0"]
    program += ["--only-summary", "--loglevel", "ERROR", "--json-file", str(folder / f"load{clients}")]
    with strangers(address, beside) as seen:
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL, timeout=seconds + 120)
    after = _meters(address)
    [row] = json.loads((folder / f"load{clients}.json").read_text(encoding="utf-8"))
    answered = int(after["requests"] - before["requests"])
    asked, failed = int(row["num_requests"]), int(row["num_failures"])
    rate = asked / (row["last_request_timestamp"] - row["start_time"])
    counts = {float(ms): int(n) for ms, n in row["response_times"].items()}
    p50, p95, p99 = np.percentile(np.repeat(list(counts), list(counts.values())), (50, 95, 99)).tolist()
    return Held(
        clients=clients,
        strangers=seen.open_at_most,
        closed=seen.closed,
        requests=asked,
        wrong=failed + abs(answered - asked),
        a_second=rate,
        pairs_a_second=rate * documents,
        p50=p50,
        p95=p95,
        p99=p99,
        pairs_a_pass=(after["pairs"] - before["pairs"]) / (after["passes"] - before["passes"]),
        memory=(before["memory"] / 2**20, after["memory"] / 2**20),
    )


def _meters(address: str) -> dict[str, float]:
    """What the service says of itself."""
    from prometheus_client.parser import text_string_to_metric_families

    request = urllib.request.Request(f"{address}/metrics", headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples]

    def total(name: str, **labels: str) -> float:
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    return {
        "requests": total("innerjudge_requests_total", path="/v1/rerank"),
        "pairs": total("innerjudge_batch_pairs_sum"),
        "passes": total("innerjudge_batch_pairs_count"),
        "memory": total("process_resident_memory_bytes"),
    }


def _section(found: Sequence[Held], floor: float, documents: int, log: int, command: str) -> str:
    """The table in Markdown, with what it was measured by."""
    columns = (
        "clients",
        "strangers (closed)",
        "requests",
        "wrong or lost",
        "requests/s",
        "pairs/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
    )
    lines = ["| " + " | ".join((*columns, "pairs a pass", "RSS MiB, start to end")) + " |", "| --- " * 11 + "|"]
    for one in found:
        cells: list[Any] = [
            one.clients,
            f"{one.strangers} ({one.closed})",
            one.requests,
            one.wrong,
            f"{one.a_second:.1f}",
            f"{one.pairs_a_second:.0f}",
        ]
        cells += [f"{value:.0f}" for value in (one.p50, one.p95, one.p99)]
        cells += [f"{one.pairs_a_pass:.1f}", f"{one.memory[0]:.0f} to {one.memory[1]:.0f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _VERSIONS)
    return "\n".join(lines) + (
        f"\n\nEach request ranks {documents} documents, and every score is held against `judge.predict`, which by "
        f"itself judged {floor:.0f} pairs a second in the same run. Strangers send half the head of a request and "
        f"wait; those whose connection is closed connect again. With a key and at most {_FILES} open files the service "
        f"wrote {log:,} bytes of log. Clients, service and model share {os.cpu_count()} cores. "
        f"Written by a script: `{command}` ({versions})."
    )


if __name__ == "__main__":
    typer.run(main)
