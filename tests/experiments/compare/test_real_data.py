"""Real data through a real small model that knows none of it: nothing breaks, and what is unscored is explained."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

DATA = {
    "gsm8k-solutions": ("gsm8k/example_model_solutions.jsonl", "trace"),
    "mmlu": ("mmlu/val", "choice"),
    "topical-chat": ("topical_chat/topical_chat.json", "rating"),
    "summeval": ("summeval/SummEval.json", "rating"),
    "prometheus": ("prometheus_vicuna/vicuna_eval.json", "rating"),
    "llmbar": ("llmbar/LLMBar_Natural.json", "pair"),
    "pandalm": ("pandalm/testset-v1.json", "pair"),
}


def refuse(word: str) -> float:
    raise AssertionError(f"{word} in a JSON file")


@pytest.mark.parametrize("name", DATA)
def test_nothing_breaks(cli, shared: Path, tmp_path: Path, name: str) -> None:
    place, kind = DATA[name]
    spec = f"{name}:{shared / 'data' / place}"
    model = ("--model", shared / "models" / "tinystories-chat-3M")
    small = ("--limit", 12, "--reasoning-tokens", 4 if kind == "choice" else 0)
    said = cli("compare", *model, "--data", spec, *small, "--between", "response", "--out", tmp_path / "run")
    assert said.code == 0, said.err
    results = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"), parse_constant=refuse)
    verdicts = [
        json.loads(line, parse_constant=refuse)
        for line in (tmp_path / "run" / "verdicts.jsonl").read_text("utf-8").splitlines()
    ]
    verdicts = [row for row in verdicts if row["order"] == "given" and not row["judge"].startswith("human")]
    unscored = Counter(row["judge"] for row in verdicts if row["unscored"])
    assert len(set(Counter(row["judge"] for row in verdicts).values())) == 1
    for row in verdicts:
        assert (row["score"] is None) == bool(row["unscored"])
    # Without a second form of the item a judge's unscored items are those of its verdicts.
    plain = {"trace": "AUROC", "rating": "Spearman", "choice": "accuracy", "pair": "accuracy as shown"}[kind]
    counted = {
        row["judge"]: row["unscored"]
        for row in results["figures"]
        if (row["part"], row["metric"], row["against"]) == ("accuracy", plain, None)
    }
    assert counted == {judge: unscored[judge] for judge in counted}
    assert "text" in counted


def test_why_items_are_unscored_is_told(cli, shared: Path, tmp_path: Path) -> None:
    spec = f"gsm8k-solutions:{shared / 'data' / DATA['gsm8k-solutions'][0]}"
    model = ("--model", shared / "models" / "tinystories-chat-3M")
    out = tmp_path / "run"
    small = ("--limit", 12, "--reasoning-tokens", 0)
    assert cli("compare", *model, "--data", spec, *small, "--out", out).code == 0
    verdicts = [json.loads(line) for line in (out / "verdicts.jsonl").read_text("utf-8").splitlines()]
    reasons = [row["unscored"] for row in verdicts if row["judge"] == "clue"]
    assert reasons
    assert all("<think>" in reason or "context" in reason for reason in reasons)
    assert "unscored" in (out / "report.md").read_text("utf-8")
