"""Judges inside vLLM's OpenAI-compatible server, asked by eight clients at once."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import socket
from typing import Any

from .... import Judge, Trace
from ....models.foreign import parse_sealed
from ...data.verdict_files import read_rows
from ...judges import saved
from ...judges.sample_and_judge import Sampling
from ...runs.engine_job import engine_job
from ...runs.sample_job import Questions
from .judging import BY_LOG_PROBABILITIES, Own, Row, sampled_rows, settings

_CLIENTS = 8


def served(own: Own) -> Iterator[Row]:
    """Scores that come back with the answers to chat requests."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    how = settings(own, judges=True)
    program = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", own.model]
    program += [
        "--served-model-name",
        "m",
        own.model,
        "--max-logprobs",
        "21",
        "--port",
        address.rpartition(":")[2],
        "--enforce-eager",
        "--dtype",
        "float32",
    ]
    program += ["--max-model-len", "1024", "--gpu-memory-utilization", str(how["gpu_memory_utilization"])]
    program += ["--kv-transfer-config", json.dumps(how["kv_transfer_config"])]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, env=dict(os.environ)) as process:
        try:
            _wait(address, process)
            asked = own.answers[:_CLIENTS]
            with ThreadPoolExecutor(_CLIENTS) as pool:
                found = list(pool.map(lambda k: _ask(address, str(asked[k].prompt)), range(len(asked))))
            by_replies = [_sampled(own, name, f"{address}/v1#{own.model}") for name in BY_LOG_PROBABILITIES]
        finally:
            process.terminate()
            process.wait(timeout=120)
    said = [(c["message"]["content"], c["token_ids"], x["kv_transfer_params"]) for x in found for c in x["choices"]]
    yield from sampled_rows(own, f"{_CLIENTS} at once, server", asked, said)
    yield from by_replies


def _sampled(own: Own, name: str, engine: str) -> Row:
    """Answers that ``sample --engine`` asks for and judges without a model, of the ids that the server wrote."""
    folder, whole = Path(own.folders[name]), own.judges[name]
    out, how = folder / "answers.jsonl", Sampling(1, 0.7, 100)
    asked = Questions([trace.bare() for trace in own.answers[:_CLIENTS]], {})
    said = engine_job(*saved.load(folder), _no_model, asked, out, engine=engine, sampling=how)
    if "0 read again" not in said:
        raise SystemExit(said)
    kept = [parse_sealed(path.read_bytes()) for path in out.with_name(f"{out.name}.replies").iterdir()]
    ids = {one["text"]: one["ids"] if one["cut"] else one["ids"][:-1] for one in kept}
    rows = read_rows(out)
    traces = [
        Trace(
            question_id=row["question_id"],
            candidate_id="0",
            prompt=row["prompt"],
            response=row["response"],
            extra={"response_ids": ids[row["response"]], "sampled_by": whole.lm.fingerprint},
        )
        for row in rows
    ]
    return Row("sample --engine", name, [one.score for one in whole.verdicts(traces)], [row["score"] for row in rows])


def _no_model() -> Judge:
    raise SystemExit("an answer was to be read again")


def _ask(address: str, prompt: str) -> Any:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 200,
        "temperature": 0.7,
        "return_token_ids": True,
    }
    head = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/v1/chat/completions", json.dumps(body).encode(), head)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.loads(answer.read())


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                raise SystemExit("the server did not start") from None
            time.sleep(1)
        else:
            return
    raise SystemExit("the server was not ready after 10 minutes")
