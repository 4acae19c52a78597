"""A pair of reasoning markers of one's own goes through Python, the command line, a study, the service and TRL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from innerjudge import CLUE, InnerjudgeError, Judge, LanguageModel, Passes, read, read_items
from innerjudge.experiments.adapters.service.app import create_app

pytestmark = pytest.mark.usefixtures("no_pixels")

MARKS = ("<why>", "</why>")


def rows() -> list[dict[str, Any]]:
    return [
        {"question_id": f"q{q}", "candidate_id": str(c), "prompt": f"Start with {q}. Add {c}.", "correct": c % 2 == 0}
        | {"response": f"<why>{q}+{c}={q + c + c % 2}</why>{q + c + c % 2}"}
        for q in range(8)
        for c in range(2)
    ]


def test_markers_of_ones_own_by_every_door(reference: LanguageModel, tmp_path: Path, cli: Callable[..., Any]) -> None:
    data, stored, folder = tmp_path / "d.jsonl", tmp_path / "f", tmp_path / "j"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    items = read_items(data)
    judge, passes = CLUE(rank_by="margin"), Passes(markers=MARKS)
    features = read(reference, items, passes, judges=[judge])
    assert not features.missing
    judge.fit(features, [bool(one.correct) for one in items])  # type: ignore[union-attr]
    mine = judge.decision_function(features)

    marks = ("--markers", *MARKS)
    assert cli("extract", "--data", data, "--out", stored, *marks).code == 0
    assert cli("fit", "--features", stored, "--judge", "clue-margin", "--out", folder).code == 0
    loaded = Judge.load(folder, lm=reference)
    assert loaded.passes.markers == MARKS
    pairs = [(one.prompt, one.response) for one in items]  # type: ignore[union-attr]
    assert loaded.scores(pairs) == pytest.approx(mine)
    rewards = loaded.as_reward()(prompts=[p for p, _ in pairs], completions=[r for _, r in pairs])
    assert rewards == pytest.approx(mine.tolist())
    said = cli("score", "--judge", folder, "--data", data, "--out", tmp_path / "v.jsonl")
    assert said.code == 0, said.err
    assert [json.loads(line)["score"] for line in (tmp_path / "v.jsonl").read_text().splitlines()] == pytest.approx(
        mine
    )
    with TestClient(create_app({"judge": loaded})) as client:
        found = client.post("/v1/score", json={"text_1": [p for p, _ in pairs], "text_2": [r for _, r in pairs]})
        assert [one["score"] for one in found.json()["data"]] == pytest.approx(mine.tolist())
    assert "[reasoning_end]" in cli("look", data, *marks, "--items", 1).out

    few = ("--judges", "clue", "--reasoning-tokens", 0)
    assert cli("compare", "--data", data, "--out", tmp_path / "c", *few, *marks).code == 0
    study = {"data": [{"source": str(data)}], "judges": ["clue"], "markers": [*MARKS], "reasoning_tokens": 0}
    study |= {"splits": {"fit": 0.5, "calibrate": 0.1}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(study))
    said = cli("study", tmp_path / "s.yaml", "--out", tmp_path / "s")
    assert said.code == 0, said.err
    for name in ("c", "s"):
        told = [json.loads(line) for line in (tmp_path / name / "verdicts.jsonl").read_text().splitlines()]
        scores = [row["score"] for row in told if row["judge"] == "clue"]
        assert scores
        assert None not in scores


@pytest.mark.parametrize("odd", [("<a>", "<a>"), ("", "</a>"), (" ", "</a>")])
def test_markers_that_mark_nothing_are_refused(odd: tuple[str, str]) -> None:
    with pytest.raises(InnerjudgeError, match="expected two different ones"):
        Passes(markers=odd)
