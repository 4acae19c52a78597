"""Whole studies, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from innerjudge.experiments.compare import evaluation as evaluation_module


def test_a_study_runs_and_goes_on(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small.yaml"
    lines = (
        "data: [{source: builtin:rate, limit: 24}]",
        "judges: [lager, e-score, text]",
        "reasoning_tokens: 0",
        "audits: {items: 6, samples: 2, dummies: true}",
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    said = cli("study", path)
    assert said.code == 0, said.err
    out = tmp_path / "small"
    assert {p.name for p in out.iterdir()} == {
        "kept",
        "plots",
        "report.html",
        "report.md",
        "results.json",
        "study.json",
        "study.yaml",
        "timings.json",
        "verdicts.jsonl",
        "verdicts.jsonl.sha256",
    }
    first = json.loads((out / "results.json").read_text("utf-8"))
    verdicts = (out / "verdicts.jsonl").read_bytes()
    assert not (out / "kept" / "features").exists()

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("a kept step was made again")

    monkeypatch.setattr(evaluation_module.Judging, "outcomes", refuse)
    monkeypatch.setattr("innerjudge.experiments.study.asking.ask.extract", refuse)
    monkeypatch.setattr("innerjudge.experiments.study.asking.ask.generate", refuse)
    (out / "results.json").unlink()
    assert cli("study", path).code == 0
    again = json.loads((out / "results.json").read_text("utf-8"))
    assert again["figures"] == first["figures"]
    assert (out / "verdicts.jsonl").read_bytes() == verdicts
    assert {"length", "question-only"} <= {f["judge"] for f in first["figures"]}

    # people's rows on the same items, and rows of nobody's
    lines = [json.loads(line) for line in verdicts.decode().splitlines()]
    mine = [
        {"question": r["question"], "candidate": r["candidate"], "judge": "ann", "score": r["score"]}
        for r in lines
        if r["judge"] == "e-score" and r["template"] == "default"
    ]
    (tmp_path / "ann.jsonl").write_text("\n".join(map(json.dumps, mine)), encoding="utf-8")
    more = tmp_path / "more.yaml"
    more.write_text("\n".join([*lines_of(path), "rows: [ann.jsonl]"]), encoding="utf-8")
    assert cli("study", more, "--out", out).code == 0
    figures = json.loads((out / "results.json").read_text("utf-8"))["figures"]
    main = [f for f in figures if f["metric"] == "Spearman" and f["part"] == "accuracy" and not f["against"]]
    held = {f["judge"]: f["value"] for f in main}
    assert held["ann"] == held["e-score"]
    (tmp_path / "ann.jsonl").write_text(json.dumps(mine[0] | {"question": "elsewhere"}), encoding="utf-8")
    refused = cli("study", more, "--out", out)
    assert refused.code == 2
    assert "ann.jsonl: given 1 rows of which none is of an item" in refused.err
    found = cli("diff", out, out)
    assert found.code == 0
    assert "0 of" in found.out


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("study", "no.yaml"), "given 'no.yaml', expected a study file"),
        (("diff", "no", "nothing"), "expected the folder of a finished study"),
    ],
)
def test_bad_commands_end_with_one_line(args, says: str, cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli(*args)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert says in said.err
