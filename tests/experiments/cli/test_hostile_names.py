"""Names that hold control characters, of files, folders, models, ids, fields and judges: no terminal obeys them.

Each command is given them, right and wrong, and whatever a person reads is searched: standard output and error, logs,
reports in Markdown and HTML, tables.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import innerjudge
import numpy as np
import pytest
from innerjudge import Trace, load
from innerjudge.experiments.cli.main import app
from innerjudge.experiments.cli.store import store_app
from innerjudge.experiments.data.datasets import load_data
from innerjudge.extraction.extract import extract
from innerjudge.extraction.readouts import States
from innerjudge.models.positions import encode_trace

#: Moves the cursor, sets the title, forges a line, turns the direction of writing, hides letters.
EVIL = "n\x1b[2J\x1b]0;t\x07\x9b31m\r\u202e\u2028\u200bm"
#: What must not reach a person: control characters but line ends and tabs, and those that turn, hide or break.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
#: Files for people; JSON lines and stores are for programs and hold what was given.
READ = (".md", ".html", ".csv", ".log", ".txt")


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data whose file, ids, fields and texts all have such names."""
    home = tmp_path_factory.mktemp("hostile") / EVIL
    home.mkdir()
    lines(
        home / f"choices{EVIL}.jsonl",
        [
            {
                "question_id": f"{EVIL}{k}",
                "question": f"What? {EVIL}",
                "options": ["x", f"y{EVIL}", f"z{k}"],
                "answer": k % 3,
                f"field{EVIL}": EVIL,
                "topic": EVIL,
            }
            for k in range(16)
        ],
    )
    lines(
        home / f"traces{EVIL}.jsonl",
        [
            {
                "question_id": f"{EVIL}{k // 2}",
                "candidate_id": f"{EVIL}{k}",
                "prompt": f"2+2? {EVIL}",
                "response": f"<think>{EVIL}</think>4",
                "answer": EVIL,
                "correct": k % 2 == 0,
                f"field{EVIL}": EVIL,
            }
            for k in range(24)
        ],
    )
    lines(
        home / f"scores{EVIL}.jsonl",
        [
            {
                "question_id": f"{EVIL}{k // 2}",
                "candidate_id": f"{EVIL}{k}",
                "question": f"{EVIL}{k // 2}",
                "score": k / 24,
                "candidate": f"{EVIL}{k}",
                "label": k % 2 == 0,
                "answer": f"{EVIL}{k % 2}",
                "correct": k % 2 == 0,
                "judge": EVIL,
                "source": EVIL,
                "text": EVIL,
                "prompt": EVIL,
                "split": EVIL,
                f"field{EVIL}": EVIL,
                "tokens": 5,
            }
            for k in range(24)
        ],
    )
    (home / f"study{EVIL}.yaml").write_text(
        json.dumps(
            {
                "name": EVIL,
                "data": [{"source": f"choices{EVIL}.jsonl"}],
                "judges": ["qk-score", "letter-logits"],
                "reasoning_tokens": 0,
                "groups": ["topic"],
            }
        ),
        "utf-8",
    )
    lm, [trace, *_] = load("reference"), load_data(str(home / f"traces{EVIL}.jsonl")).items
    assert isinstance(trace, Trace)
    encoded = encode_trace(lm.tokenizer, trace, sampled_by=lm.fingerprint)
    states = extract(lm, [encoded], [States("text", "none")]).ragged["hidden/text.none"].values[:, :-1]
    (home / f"states{EVIL}").mkdir()
    np.save(home / f"states{EVIL}" / f"{trace.id.replace('/', '_')}.npy", states)
    weights = Path(innerjudge.__file__).parent / "models" / "reference" / "weights"
    shutil.copytree(weights, home / f"model{EVIL}")
    return home


def commands(home: Path) -> Iterator[tuple[tuple[Any, ...], int]]:
    """What is typed, and how it ends."""
    choices, traces, scores = (home / f"{name}{EVIL}.jsonl" for name in ("choices", "traces", "scores"))
    for style in ("plain", "json", "rich"):
        yield ("extract", "--data", choices, "--out", home / f"f{style}{EVIL}", "--log", style), 0
    store = home / f"fplain{EVIL}"
    yield ("extract", "--data", traces, "--out", home / f"t{EVIL}"), 0
    yield ("plan", "--data", traces), 0
    given = ("--states", f"arrays:{home / f'states{EVIL}'}")
    yield ("verify", *given, "--data", traces, "--limit", 24), 0
    yield ("verify", *given, "--data", choices), 2
    yield ("verify", "--states", f"{EVIL}:{EVIL}", "--layers", EVIL, "--data", traces), 2
    yield ("extract", "--data", traces, *given, "--out", home / f"g{EVIL}"), 0
    yield ("store", "info", store), 0
    yield ("store", "verify", store), 0
    yield ("store", "export", store, "--out", home / f"e{EVIL}.npz"), 0
    yield ("store", "merge", home / f"t{EVIL}", "--out", home / f"one{EVIL}"), 0
    yield ("store", "merge", store, home / f"fplain{EVIL}", "--out", home / f"m{EVIL}"), 2
    yield ("fit", "--features", store, "--judge", "qk-score", "--out", home / f"j{EVIL}"), 0
    yield ("fit", "--features", home / f"t{EVIL}", "--judge", "clue", "--out", home / f"c{EVIL}"), 0
    yield ("score", "--judge", home / f"j{EVIL}", "--features", store, "--out", home / f"v{EVIL}.jsonl"), 0
    yield ("score", "--judge", home / f"j{EVIL}", "--features", store, "--out", home / f"v{EVIL}.jsonl"), 0
    yield ("rank", "--judge", home / f"c{EVIL}", "--data", traces, "--out", home / f"r{EVIL}.jsonl"), 0
    yield ("sweep", "--features", store, "--splits", 2, "--out", home / f"s{EVIL}"), 0
    yield ("sample", "--data", traces, "--limit", 2, "--judge", home / f"c{EVIL}", "--n", 2, "--max-new-tokens", 4,
           "--out", home / f"a{EVIL}.jsonl"), 0  # fmt: skip
    yield ("select", "--scores", scores, "--out", home / f"p{EVIL}.jsonl"), 0
    mine = [json.loads(row) | {"judge": f"me{EVIL}"} for row in scores.read_text("utf-8").splitlines()]
    people = lines(home / f"people{EVIL}.jsonl", mine)
    yield ("agree", "--labels", scores, "--labels", people, "--judge", EVIL, "--people", f"me{EVIL}", "--by",
           f"field{EVIL}", "--cost", f"{EVIL}=1"), 0  # fmt: skip
    yield ("agree", "--labels", scores, "--judge", EVIL, "--people", f"no{EVIL}"), 2
    yield ("ask", "--data", traces, "--text-judge", f"openai:{EVIL}", "--out", home / f"ask{EVIL}.jsonl"), 2
    yield ("curves", "--scores", scores, "--out", home / f"curves{EVIL}"), 0
    yield ("doctor", "--scores", scores, "--out", home / f"d{EVIL}"), 0
    yield ("compare", "--data", choices, "--reasoning-tokens", 0, "--judges", "qk-score,letter-logits", "--out",
           home / f"compare{EVIL}"), 0  # fmt: skip
    yield ("study", home / f"study{EVIL}.yaml", "--out", home / f"study{EVIL}"), 0
    yield ("diff", home / f"study{EVIL}", home / f"compare{EVIL}", "--all"), 0
    for name in ("look", "models"):
        yield (name, *([choices] if name == "look" else []), "--model", home / f"model{EVIL}"), 0
    yield ("look", traces, "--map", f"answer=field{EVIL}"), 0
    yield ("label", traces, "--rater", EVIL, "--spread", "--out", home / f"l{EVIL}.jsonl"), 0
    yield ("extract", "--data", choices, "--limit", 4, "--model", home / f"model{EVIL}", "--out", home / f"x{EVIL}"), 0
    yield ("store", "info", home / f"x{EVIL}"), 0
    yield ("judges",), 0
    yield ("bench", "--shape", "tiny", "--quick", "--rounds", 1, "--only", "early-stop", "--out", home / f"b{EVIL}"), 0
    # Wrong in each place that is echoed.
    yield ("judges", EVIL), 2
    yield ("look", home / f"no{EVIL}"), 2
    yield ("look", choices, "--map", f"{EVIL}={EVIL}"), 2
    yield ("label", traces, "--out", home / f"label{EVIL}.jsonl", "--rule", EVIL), 2
    yield ("label", choices, "--out", home / f"label{EVIL}.jsonl"), 2
    yield ("fit", "--features", home / f"t{EVIL}", "--judge", "clue", "--labels-from", scores, "--rater", f"no{EVIL}",
           "--out", home / f"o{EVIL}"), 2  # fmt: skip
    yield ("look", choices, "--model", f"{EVIL}/x"), 2
    yield ("look", choices, "--scale", EVIL), 2
    yield ("bench", "--only", EVIL, "--out", home / f"b{EVIL}"), 2
    yield ("bench", "--shape", EVIL, "--out", home / f"b{EVIL}"), 2
    yield ("bench", "--device", EVIL, "--out", home / f"b{EVIL}"), 2
    yield ("serve", "--judge", f"{EVIL}={home / EVIL}"), 2
    yield ("serve", "--judge", f"={EVIL}"), 2
    yield ("serve", "--judge", f"{EVIL}={home / f'c{EVIL}'}", "--host", EVIL), 2
    yield ("plan", "--data", f"{EVIL}:x"), 2
    yield ("sweep", "--features", home / f"no{EVIL}", "--out", home / f"o{EVIL}"), 2
    yield ("rank", "--judge", home / f"no{EVIL}", "--data", traces, "--out", home / f"o{EVIL}"), 2
    yield ("sample", "--data", home / f"no{EVIL}", "--judge", home / f"c{EVIL}", "--out", home / f"o{EVIL}"), 2
    yield ("sample", "--data", traces, "--judge", home / f"c{EVIL}", "--engine", f"http://{EVIL}@x#{EVIL}", "--out",
           home / f"o{EVIL}"), 2  # fmt: skip
    yield ("curves", "--scores", home / f"no{EVIL}", "--out", home / f"o{EVIL}"), 2
    yield ("doctor", "--scores", home / f"no{EVIL}", "--out", home / f"o{EVIL}"), 2
    yield ("diff", home / f"no{EVIL}", home / f"compare{EVIL}"), 2
    yield ("store", "info", home / f"no{EVIL}"), 2
    yield ("store", "export", store, "--out", home / f"e{EVIL}.{EVIL}"), 2
    yield ("extract", "--data", home / f"no{EVIL}", "--out", home / f"o{EVIL}"), 2
    yield ("extract", "--data", f"{EVIL}:x", "--out", home / f"o{EVIL}"), 2
    yield ("extract", "--data", "builtin:choose", "--between", EVIL, "--out", home / f"o{EVIL}"), 2
    yield ("models", "--model", f"{EVIL}/x"), 2
    yield ("fit", "--features", store, "--judge", EVIL, "--out", home / f"o{EVIL}"), 2
    yield ("fit", "--features", home, "--judge", EVIL, "--out", home / f"o{EVIL}"), 2
    yield ("score", "--judge", home / f"no{EVIL}", "--features", store, "--out", home / f"o{EVIL}"), 2
    yield ("select", "--scores", scores, "--judge", f"no{EVIL}", "--out", home / f"o{EVIL}"), 2
    yield ("select", "--scores", scores, "--score", f"no{EVIL}", "--out", home / f"o{EVIL}"), 2
    yield ("select", "--scores", scores, "--rule", EVIL, "--out", home / f"o{EVIL}"), 2
    yield ("compare", "--data", choices, "--judges", EVIL, "--out", home / f"o{EVIL}"), 2
    yield (EVIL,), 2
    yield ("extract", f"--{EVIL}"), 2
    yield ("study", lines(home / f"bad{EVIL}.yaml", [{"name": "x", f"field{EVIL}": EVIL}])), 2
    for row in (
        {"question_id": EVIL, f"field{EVIL}": EVIL},
        {"question_id": EVIL, "candidate_id": EVIL, "prompt": 5, "response": EVIL},
    ):
        yield ("extract", "--data", lines(home / f"bad{EVIL}{len(row)}.jsonl", [row]), "--out", home / f"o{EVIL}"), 2
    twice = json.loads(traces.read_text("utf-8").splitlines()[0])
    yield ("extract", "--data", lines(home / f"twice{EVIL}.jsonl", [twice, twice]), "--out", home / f"o{EVIL}"), 2
    path = next((store / "shards").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    yield ("store", "verify", store), 2


def odd_places(texts: dict[str, str]) -> list[str]:
    """Where a character stands that would be obeyed, one place of each text."""
    found = [(name, text, OBEYED.search(text)) for name, text in texts.items()]
    return [f"{name}: {text[max(0, at.start() - 60) : at.end() + 20]!r}" for name, text, at in found if at]


def names_of_commands() -> set[str]:
    """Those of `innerjudge --help`, and of `innerjudge store --help`."""
    found = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
    return found | {
        f"store {one.name or one.callback.__name__}" for one in store_app.registered_commands if one.callback
    }


@pytest.mark.slow
def test_no_name_is_obeyed(cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("sys.stdin", io.StringIO("r\nw\n"))  # of `label`
    odd: list[str] = []
    seen: dict[int, set[str]] = {0: {"serve", "ask"}, 2: set()}  # serve is asked below; ask needs a server
    for typed, code in commands(folder):
        said = cli(*typed)
        seen[code].add(f"store {typed[1]}" if typed[0] == "store" else str(typed[0]))
        name = " ".join(map(str, typed)).encode("unicode_escape").decode()[:150]
        if said.code != code:
            odd.append(f"{said.code} instead of {code}: {name}: {said.err[-300:]!r}")
        odd += odd_places({f"stdout of {name}": said.out, f"stderr of {name}": said.err})
        if code == 2 and len(said.refusal) > 1:
            odd.append(f"more than one line: {name}: {said.err[:300]!r}")
    assert names_of_commands() - seen[0] == set(), "each command is typed right"
    assert names_of_commands() - seen[2] == set(), "and wrong"
    read = [path for path in folder.rglob("*") if path.is_file() and path.suffix in READ]
    assert {path.suffix for path in read} >= {".md", ".html", ".csv"}
    odd += odd_places({repr(path.name): path.read_text("utf-8") for path in read})
    assert not odd, "\n".join(odd)
    _ask_the_service(folder)


def _ask_the_service(folder: Path) -> None:
    """A judge of such a name is served, and asked with such names in every place of a request."""
    program = [sys.executable, "-m", "innerjudge.experiments.cli.main", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*program, "--judge", f"{EVIL}={folder / f'c{EVIL}'}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, process.communicate()[1]
        address = re.findall(r"http://\S+", first)[0]
        said = {}
        with httpx.Client(base_url=address, timeout=60) as client:
            right = {"model": EVIL, "query": EVIL, "documents": [EVIL, "<think>a</think>b"]}
            assert client.post("/v1/rerank", json=right).status_code == 200
            for number, asked in enumerate(
                (
                    client.build_request("POST", "/v1/rerank", json=right | {"model": f"no {EVIL}"}),
                    client.build_request("POST", "/v1/rerank", json=right | {"documents": [{EVIL: EVIL}]}),
                    client.build_request("POST", "/v1/score", json={EVIL: EVIL}),
                    client.build_request("POST", "/v1/score", content=EVIL.encode()),
                    client.build_request("GET", "/%1b%5b2J%0dlog line"),
                    client.build_request("GET", "/v1/models", headers={"host": "n\x9b31m".encode("latin-1")}),
                )
            ):
                answer = client.send(asked)
                assert 400 <= answer.status_code < 500, (number, answer.text)
                said[f"answer {number}"] = str(answer.json())
                said[f"message {number}"] = answer.json()["error"]["message"]
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=60)
        said |= {"stdout": first + rest, "stderr": errors}
        assert odd_places(said) == []
    finally:
        process.kill()
        process.communicate()
