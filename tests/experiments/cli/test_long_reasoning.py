"""Judges by name that need what short texts lack: reasoning of more than 500 tokens."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.data.verdict_files import read_rows

pytestmark = pytest.mark.usefixtures("no_pixels")

#: One reads nothing of a trace of one segment; the built-in model takes 1,024 tokens.
NAMES = ("trace-net", "trace-aligned", "trace-cumulative")


def test_paths_of_long_reasoning_are_compared_by_name(cli: Any, tmp_path: Path) -> None:
    items = []
    for q, k in itertools.product(range(6), range(3)):
        lines = "\n".join(f"{q}+{n % 9}={q + n % 9 + k % 2}" for n in range(100 - 70 * (k == 2)))
        row = {"question_id": f"q{q}", "candidate_id": str(k), "prompt": f"{q}+1?", "correct": k != 1}
        items.append(row | {"response": f"<think>{lines}</think>{q + 1}"})
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    names = ",".join(NAMES)
    done = cli("compare", "--data", tmp_path / "items.jsonl", "--judges", names, "--out", tmp_path / "run")
    assert not done.code, done.err
    rows = read_rows(tmp_path / "run" / "verdicts.jsonl")
    for name in NAMES:
        own = {row["candidate"]: row["unscored"] for row in rows if row["judge"] == name}
        assert (own["0"], own["1"]) == (None, None), name
        assert "one segment of 500 tokens" in own["2"], name
