"""Random conversations under the chat templates of ten families: one score by every way in."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from innerjudge import LAGER, Judge, LanguageModel, Trace, load
from innerjudge.experiments.adapters.service.app import create_app
from innerjudge.experiments.compare.report import folder as folder_of_report
from innerjudge.experiments.data.jsonl import write_jsonl
from innerjudge.experiments.data.kinds import item_to_row

from .test_one_score import conversations

#: Templates that TRL ships: with and without a system turn, with reasoning, channels, and none.
FAMILIES = (
    *("llama3", "qwen2_5", "qwen3", "gemma", "phi3", "cohere", "deepseek_r1_distill", "glm4moe", "gptoss", "lfm2"),
    "nemotron_3_nano",
)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_an_item_has_one_score_under_every_template(
    family: str, reference: LanguageModel, tmp_path: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python, command line, study, service and TRL agree, also on what is unscored: the built-in model's weights."""
    monkeypatch.setattr(folder_of_report, "images_of", lambda _: {})  # most of a study's time, and no score
    spec = find_spec("trl")
    if spec is None or spec.origin is None:
        pytest.skip("trl is not installed, whose templates are used")
    template = Path(spec.origin).parent / "chat_templates" / f"{family}.jinja"
    folder = tmp_path / "model"
    reference.model.save_pretrained(folder)
    reference.tokenizer.save_pretrained(folder)
    # The built-in model has no token that begins a text, which some of them write.
    begins = "{%- set bos_token = '' -%}" + template.read_text("utf-8")
    (folder / "chat_template.jinja").write_text(begins, "utf-8")
    lm = load(str(folder))
    assert lm.chat_template_hash != reference.chat_template_hash

    pairs = conversations(15, family)  # other ones for each
    items = [
        Trace(question_id=f"q{k}", candidate_id="0", prompt=prompt, response=response, correct=k % 2 == 0)
        for k, (prompt, response) in enumerate(pairs)
    ]
    judge = Judge(LAGER(values=(0, 1), entries="last"), lm)
    expected = {item.question_id: one.score for item, one in zip(items, judge.verdicts(pairs), strict=True)}
    scored = [value for value in expected.values() if value is not None]
    assert len(set(scored)) > 5, "the conversations are judged"

    def same(found: dict[str, Any]) -> None:
        assert {name for name, value in found.items() if value is None} == {
            name for name in found if expected[name] is None
        }
        known = {name: value for name, value in found.items() if value is not None}
        assert known == pytest.approx({name: expected[name] for name in known}, abs=1e-5)

    named = [item.question_id for item in items]
    rewards = judge.as_reward()(prompts=[prompt for prompt, _ in pairs], completions=[said for _, said in pairs])
    same(dict(zip(named, rewards, strict=True)))
    write_jsonl(tmp_path / "items.jsonl", map(item_to_row, items))
    judge.save(tmp_path / "judge")
    out = tmp_path / "v.jsonl"
    run = cli("score", "--judge", tmp_path / "judge", "--data", tmp_path / "items.jsonl", "--out", out)
    assert run.code == 0, run.err
    same({row["question"]: row["score"] for row in map(json.loads, out.read_text().splitlines())})
    with TestClient(create_app({"judge": Judge.load(tmp_path / "judge", lm=lm)})) as client:
        found = {}
        for name, (prompt, said) in zip(named, pairs, strict=True):
            answer = client.post("/v1/rerank", json={"query": prompt, "documents": [said]})
            results = answer.json().get("results") or [{"relevance_score": None}]
            found[name] = results[0]["relevance_score"]
        same(found)
    study = {
        "model": {"name": str(folder)},
        "data": [{"source": str(tmp_path / "items.jsonl")}],
        "judges": ["verdict-logits"],
        "reasoning_tokens": 0,
    }
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(study), "utf-8")
    run = cli("study", tmp_path / "s.yaml", "--out", tmp_path / "s")
    assert run.code == 0, run.err
    rows = [json.loads(line) for line in (tmp_path / "s" / "verdicts.jsonl").read_text().splitlines()]
    mine = {row["question"]: row["score"] for row in rows if row["judge"] == "verdict-logits"}
    assert len(mine) >= 6
    same(mine)
