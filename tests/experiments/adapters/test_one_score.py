"""An item has one score, wherever it comes in: Python, command line, service, TRL, a cross-encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fastapi.testclient import TestClient
from innerjudge import CLUE, LAGER, Judge, JudgePrompt, LanguageModel, TokenLogProb, Trace, compare, read
from innerjudge.experiments.adapters.service.app import create_app
from innerjudge.experiments.compare.judging import Judging
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.jsonl import read_items, write_jsonl
from innerjudge.experiments.data.kinds import item_to_row

from .conftest import PROMPT, RIGHT, WRONG

pytestmark = pytest.mark.usefixtures("no_pixels")

OWN = {
    "kind": "trace",
    "system": "You check sums.",
    "user": "{{ prompt }}\n\nSaid:\n{{ response }}\n\n{{ ask }}",
    "labels": ["no", "yes"],
}


def conversations(n: int, seed: int | str = 7) -> list[tuple[Any, Any]]:
    """Prompts and responses as texts and messages: system turns, several turns, parts, reasoning apart."""
    rng = Random(seed)
    found: list[tuple[Any, Any]] = [(PROMPT, RIGHT)]
    for k in range(n):
        a, b = rng.randrange(2, 9), rng.randrange(2, 9)
        asked: list[dict[str, Any]] = [{"role": "system", "content": rng.choice(["Be brief.", "What is <think>?"])}]
        asked = asked if rng.random() < 0.5 else []
        for _ in range(rng.randrange(2)):
            asked += [{"role": "user", "content": "Start with 1. Add 1."}, {"role": "assistant", "content": "2"}]
        content: Any = f"Start with {a}. Add {b}."
        content = [{"type": "text", "text": content}] if rng.random() < 0.3 else content
        asked.append({"role": "user", "content": content})
        reasoning, answer = f"{a}+{b}={a + b + k % 2}", f"{a + b + k % 2}"
        said: list[Any] = [
            f"<think>{reasoning}</think>{answer}",
            [{"role": "assistant", "content": answer, "reasoning_content": reasoning}],
            [{"role": "assistant", "content": answer, "reasoning": reasoning}],
        ]
        found.append((asked, rng.choice(said)))
    return found


def judges(lm: LanguageModel) -> dict[str, Judge]:
    traces = [
        Trace(question_id="q", candidate_id=str(right), prompt=PROMPT, response=RIGHT if right else WRONG)
        for right in (True, False)
    ]
    clue = CLUE()
    clue.fit(read(lm, traces, judges=[clue]), [True, False])
    return {
        "clue": Judge(clue, lm),
        "likely": Judge(TokenLogProb(), lm),
        "lager": Judge(LAGER(values=(0, 1)), lm),
        "own": Judge(LAGER(values=(0, 1)), lm, prompt=JudgePrompt.of(OWN)),
    }


@pytest.mark.parametrize("name", ["clue", "likely", "lager", "own"])
def test_an_item_has_one_score(name: str, reference: LanguageModel, tmp_path: Path, cli: Callable[..., Any]) -> None:
    judge, pairs = judges(reference)[name], conversations(14)
    expected = judge.scores(pairs).tolist()
    assert len(set(expected)) > 5
    about = pytest.approx(expected, abs=1e-5)
    assert [judge.scores([pair])[0] for pair in pairs] == about
    ranked = judge.rank_many([prompt for prompt, _ in pairs], [[response] for _, response in pairs])
    assert [one[0]["score"] for one in ranked] == about
    assert judge.as_cross_encoder().predict(pairs).tolist() == about
    assert judge.as_reward()(prompts=[p for p, _ in pairs], completions=[r for _, r in pairs]) == about
    items = [
        Trace(question_id=f"q{k}", candidate_id="0", prompt=prompt, response=response)
        for k, (prompt, response) in enumerate(pairs)
    ]
    write_jsonl(tmp_path / "items.jsonl", map(item_to_row, items))
    assert read_items(tmp_path / "items.jsonl") == items
    judge.save(tmp_path / "judge")
    said = cli(
        "score", "--judge", tmp_path / "judge", "--data", tmp_path / "items.jsonl", "--out", tmp_path / "v.jsonl"
    )
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    assert [row["score"] for row in rows] == about
    with TestClient(create_app({"judge": Judge.load(tmp_path / "judge", lm=reference)})) as client:
        body = {"text_1": [prompt for prompt, _ in pairs], "text_2": [response for _, response in pairs]}
        assert [one["score"] for one in client.post("/v1/score", json=body).json()["data"]] == about
        for (prompt, response), score in zip(pairs, expected, strict=True):
            body = {"query": prompt, "documents": [response]}
            [found] = client.post("/v1/rerank", json=body).json()["results"]
            assert found["relevance_score"] == pytest.approx(score, abs=1e-5)
        single = client.post("/v1/score", json={"text_1": pairs[1][0], "text_2": pairs[1][1]}).json()
        assert single["data"][0]["score"] == pytest.approx(expected[1], abs=1e-5)
        image = [{"role": "user", "content": [{"type": "image_url"}]}]
        refused = client.post("/v1/rerank", json={"query": image, "documents": ["4"]})
        assert refused.status_code == 400
        assert "image_url" in refused.json()["error"]["message"]


def test_a_comparison_asks_the_same(reference: LanguageModel) -> None:
    """The rows of a judge in `compare`, with a prompt of one's own, are its scores."""
    prompt = JudgePrompt.of(OWN)
    items = [
        Trace(question_id=f"q{k}", candidate_id="0", prompt=asked, response=response, correct=k % 2 == 0)
        for k, (asked, response) in enumerate(conversations(15))
    ]
    found = compare(
        reference, items, judges=["verdict-logits", "text"], prompt=prompt, settings=Settings(reasoning_tokens=0)
    )
    judge = Judge(LAGER(values=(0, 1), entries="last"), reference, prompt=prompt)
    rows = {row.question: row.score for row in found.verdicts if row.judge == "verdict-logits"}
    tested = [item for item in items if item.question_id in rows]
    assert len(tested) >= 5
    assert judge.scores(tested).tolist() == pytest.approx([rows[item.question_id] for item in tested], abs=1e-5)


def test_what_a_killed_run_read_with_another_prompt_is_not_taken(
    reference: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [
        Trace(question_id=f"q{k}", candidate_id="0", prompt=asked, response=response, correct=k % 2 == 0)
        for k, (asked, response) in enumerate(conversations(11))
    ]
    outcomes = Judging.outcomes

    def killed(run: Judging) -> None:
        outcomes(run)
        raise KeyboardInterrupt

    def scores(out: Path | None, words: str) -> list[float | None]:
        own = JudgePrompt.of(OWN | {"system": words})
        how = Settings(reasoning_tokens=0)
        found = compare(reference, items, judges=["verdict-logits"], prompt=own, settings=how, out=out)
        return [row.score for row in found.verdicts if row.judge == "verdict-logits"]

    monkeypatch.setattr(Judging, "outcomes", killed)
    with pytest.raises(KeyboardInterrupt):
        scores(tmp_path, "You check sums.")
    assert list((tmp_path / "kept" / "features").iterdir())
    monkeypatch.setattr(Judging, "outcomes", outcomes)
    fresh = scores(None, "Say yes to all.")
    assert fresh != scores(None, "You check sums.")
    assert scores(tmp_path, "Say yes to all.") == fresh


def test_features_of_a_prompt_are_told(reference: LanguageModel, tmp_path: Path, cli: Callable[..., Any]) -> None:
    """`extract --prompt`, `fit` and `score` keep the prompt; features of another are refused."""
    items = [
        Trace(question_id=f"q{k}", candidate_id="0", prompt=asked, response=response, correct=k % 2 == 0)
        for k, (asked, response) in enumerate(conversations(7))
    ]
    write_jsonl(tmp_path / "items.jsonl", map(item_to_row, items))
    (tmp_path / "own.yaml").write_text(json.dumps(OWN))
    data = ("--data", tmp_path / "items.jsonl")
    for name, more in (("own", ("--prompt", tmp_path / "own.yaml")), ("ours", ())):
        assert cli("extract", *data, "--out", tmp_path / name, *more).code == 0
    assert cli("fit", "--features", tmp_path / "own", "--judge", "lager", "--out", tmp_path / "judge").code == 0
    judge = Judge.load(tmp_path / "judge", lm=reference)
    assert judge.passes.prompt is not None
    assert judge.passes.prompt.told == JudgePrompt.of(OWN).told
    for name, code in (("own", 0), ("ours", 2)):
        said = cli(
            "score", "--judge", tmp_path / "judge", "--features", tmp_path / name, "--out", tmp_path / f"{name}.jsonl"
        )
        assert said.code == code, said.err
    rows = [json.loads(line)["score"] for line in (tmp_path / "own.jsonl").read_text().splitlines()]
    assert judge.scores(items).tolist() == pytest.approx(rows, abs=1e-5)
    assert cli("compare", *data, "--prompt", "prometheus", "--out", tmp_path / "c").code == 2
