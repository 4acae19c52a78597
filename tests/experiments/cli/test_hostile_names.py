"""Names that hold control characters, of files, folders, models, ids, fields and judges: no terminal obeys them.

Each command is given them, right and wrong, and whatever a person reads is searched: standard output and error, logs,
reports in Markdown and HTML, tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
    return home  # fmt: skip


def commands(home: Path) -> Iterator[tuple[tuple[Any, ...], int]]:
    """What is typed, and how it ends."""
    choices, traces, scores = (home / f"{name}{EVIL}.jsonl" for name in ("choices", "traces", "scores"))
    for style in ("plain", "json", "rich"):
        yield ("extract", "--data", choices, "--out", home / f"f{style}{EVIL}", "--log", style), 0
    store = home / f"fplain{EVIL}"
    yield ("extract", "--data", traces, "--out", home / f"t{EVIL}"), 0
    yield ("plan", "--data", traces), 0
    yield ("store", "info", store), 0
    yield ("store", "verify", store), 0
    yield ("store", "export", store, "--out", home / f"e{EVIL}.npz"), 0
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
    yield ("curves", "--scores", scores, "--out", home / f"curves{EVIL}"), 0
    yield ("doctor", "--scores", scores, "--out", home / f"d{EVIL}"), 0
    yield ("compare", "--data", choices, "--reasoning-tokens", 0, "--judges", "qk-score,letter-logits", "--out",
           home / f"compare{EVIL}"), 0  # fmt: skip
    yield ("study", home / f"study{EVIL}.yaml", "--out", home / f"study{EVIL}"), 0
    yield ("diff", home / f"study{EVIL}", home / f"compare{EVIL}", "--all"), 0
    # Wrong in each place that is echoed.
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


@pytest.mark.slow
def test_no_name_is_obeyed(cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    odd, n = [], 0
    for typed, code in commands(folder):
        said = cli(*typed)
        n += 1
        name = " ".join(map(str, typed)).encode("unicode_escape").decode()[:150]
        if said.code != code:
            odd.append(f"{said.code} instead of {code}: {name}: {said.err[-300:]!r}")
        for where, text in (("stdout", said.out), ("stderr", said.err)):
            odd += [
                f"{where} of {name}: {text[max(0, f.start() - 40) : f.end() + 20]!r}"
                for f in [OBEYED.search(text)]
                if f
            ]
        if code == 2 and len(said.err.strip().splitlines()) > 1:
            odd.append(f"more than one line: {name}: {said.err[:300]!r}")
    assert n > 35
    read = [path for path in folder.rglob("*") if path.is_file() and path.suffix in READ]
    assert {path.suffix for path in read} >= {".md", ".html", ".csv"}
    for path in read:
        text = path.read_text("utf-8")
        found = OBEYED.search(text)
        if found:
            odd.append(f"{path.name!r}: {text[max(0, found.start() - 60) : found.end() + 20]!r}")
    assert not odd, "\n".join(odd)
