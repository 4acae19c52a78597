"""Scores go back into the samples that lm-evaluation-harness logged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from innerjudge import Judge, LanguageModel, TokenLogProb


def _row(doc: int, texts: list[str], name: str) -> dict[str, Any]:
    asked = {"gen_args_0": {"arg_0": f"Start with {doc}. Add 1.", "arg_1": {"until": []}}}
    row = {"doc_id": doc, "doc": {"q": doc}, "target": str(doc + 1), "arguments": asked, "resps": [texts]}
    return row | {"filtered_resps": texts[:1], "filter": name, "metrics": ["exact_match"], "exact_match": 1.0}


def test_scores_go_back_into_the_samples(reference: LanguageModel, tmp_path: Path, cli: Callable[..., Any]) -> None:
    log, out = tmp_path / "log", tmp_path / "scored"
    log.mkdir()
    judge = Judge(TokenLogProb(), reference)
    judge.save(tmp_path / "j")
    rows = [_row(1, ["2"], "strict"), _row(1, ["2"], "flexible"), _row(2, ["3", "", "4"], "strict")]
    (log / "samples_sums_2026-01-01T00-00-00.5.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (log / "samples_more_2026.jsonl").write_text(json.dumps(_row(5, ["6"], "none")) + "\n")
    typed = ("score", "--judge", tmp_path / "j", "--data", f"lm-eval-samples:{log}", "--out", tmp_path / "v.jsonl")
    said = cli(*typed, "--lm-eval", out)
    assert said.code == 0, said.err
    assert f"in {out}" in said.out
    found = [json.loads(line) for line in (out / "samples_sums_2026-01-01T00-00-00.5.jsonl").read_text().splitlines()]

    def score(doc: int, text: str) -> float:
        return pytest.approx(judge.scores([(f"Start with {doc}. Add 1.", text)])[0])  # type: ignore[no-any-return]

    for row, was, scores in zip(
        found, rows, ([score(1, "2")], [score(1, "2")], [score(2, "3"), None, score(2, "4")]), strict=True
    ):
        added = {"metrics": ["exact_match", "innerjudge"], "innerjudge": scores[0], "innerjudge_scores": scores}
        assert row == was | added
    [more] = [json.loads(line) for line in (out / "samples_more_2026.jsonl").read_text().splitlines()]
    assert more["innerjudge"] == score(5, "6")
    assert cli(*typed, "--lm-eval", out).code == 0, "typed again: the same"

    for wrong, word in (
        (("--data", f"lm-eval-samples:{log}", "--lm-eval", log), "which has another samples_more_2026.jsonl"),
        (("--data", "builtin:solve", "--limit", 2, "--lm-eval", out), "LOADER:PATH"),
    ):
        (tmp_path / "w.jsonl").unlink(missing_ok=True)
        said = cli("score", "--judge", tmp_path / "j", "--out", tmp_path / "w.jsonl", *wrong)
        assert (said.code, word in said.err) == (2, True), said.err
    assert [json.loads(line) for line in (log / "samples_more_2026.jsonl").read_text().splitlines()] == [
        _row(5, ["6"], "none")
    ]
