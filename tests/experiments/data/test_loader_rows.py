"""A row of each published format, by hand, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.data.answers import normalise
from innerjudge.experiments.data.kinds import item_to_row
from innerjudge.experiments.data.loaders import load
from innerjudge.experiments.data.loaders.pairs import majority_preference
from innerjudge.experiments.data.loaders.traces import final_answer
from innerjudge.models.conversation import Conversation
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Choice, Pair, Trace

#: One row in the published schema of each format, by hand; and what is made of it.
BY_HAND: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "rewardbench": (
        {
            "prompt": "?",
            "chosen": "y",
            "rejected": "n",
            "chosen_model": "m",
            "rejected_model": "o",
            "subset": "s",
            "id": 3,
        },
        [{"pair_id": "f-0", "prompt": "?", "subset": "s", "chosen_model": "m", "rejected_model": "o"}],
    ),
    "rewardbench2": (
        {
            "id": "7",
            "prompt": "?",
            "chosen": ["y"],
            "rejected": ["n", "o"],
            "num_correct": 1,
            "num_incorrect": 2,
            "total_completions": 3,
            "models": ["m"],
            "subset": "Math",
            "additional_metadata": {"category": None},
        },
        [
            {"question_id": "7", "candidate_id": str(k), "response": r, "correct": k == 0, "subset": "Math"}
            for k, r in enumerate("yno")
        ],
    ),
    "judgebench": (
        {
            "pair_id": "u",
            "original_id": "1",
            "source": "s",
            "question": "?",
            "response_model": "m",
            "response_A": "x",
            "response_B": "y",
            "label": "B>A",
        },
        [{"pair_id": "u", "prompt": "?", "response_a": "x", "response_b": "y", "preference": "b", "source": "s"}],
    ),
    "ultrafeedback": (
        {
            "source": "s",
            "instruction": "?",
            "models": ["m", "o"],
            "completions": [
                {"model": "m", "response": "x", "overall_score": 8.5, "annotations": {}},
                {"model": "o", "response": "y", "overall_score": 2, "annotations": {}},
            ],
        },
        [
            {
                "item_id": "f-0/0",
                "response": "x",
                "scores": [8.5],
                "scale": [1, 10],
                "system": "m",
                "question_id": "f-0",
            },
            {"item_id": "f-0/1", "response": "y", "scores": [2.0], "system": "o", "question_id": "f-0"},
        ],
    ),
    "helpsteer2": (
        {
            "prompt": "?",
            "response": "x",
            "helpfulness": 3,
            "correctness": 4,
            "coherence": 4,
            "complexity": 1,
            "verbosity": 2,
        },
        [
            {"item_id": f"f-0/{name}", "scores": [score], "scale": [0, 4], "aspect": name}
            for name, score in (
                ("helpfulness", 3.0),
                ("correctness", 4.0),
                ("coherence", 4.0),
                ("complexity", 1.0),
                ("verbosity", 2.0),
            )
        ],
    ),
    "processbench": (
        {
            "id": "gsm8k-0",
            "generator": "m",
            "problem": "?",
            "steps": ["one", "two"],
            "final_answer_correct": True,
            "label": 1,
        },
        [{"candidate_id": "gsm8k-0", "response": "one\n\ntwo", "correct": False, "first_error": 1, "generator": "m"}],
    ),
    "prm800k": (
        {
            "labeler": "l",
            "question": {"problem": "?", "pre_generated_steps": ["one", "bad", "three"]},
            "label": {
                "steps": [
                    {"completions": [{"text": "one", "rating": 0}], "chosen_completion": 0, "human_completion": None},
                    {
                        "completions": [{"text": "bad", "rating": -1}],
                        "chosen_completion": None,
                        "human_completion": None,
                    },
                ],
                "finish_reason": "found_error",
            },
        },
        [
            {
                "response": "one\nbad\nthree",
                "steps": [(0, 3), (4, 7), (8, 13)],
                "step_labels": [True, False, None],
                "first_error": 1,
                "correct": False,
                "labeler": "l",
            }
        ],
    ),
    "math-shepherd": (
        {
            "input": "How many? Step 1: 1+1=3 \u043a\u0438\nStep 2: So 3. The answer is: 3 \u043a\u0438",
            "label": "How many? Step 1: 1+1=3 -\nStep 2: So 3. The answer is: 3 -",
            "task": "GSM8K",
        },
        [
            {
                "prompt": "How many?",
                "response": "Step 1: 1+1=3\nStep 2: So 3. The answer is: 3",
                "steps": ["Step 1: 1+1=3", "Step 2: So 3. The answer is: 3"],
                "step_labels": [False, False],
                "first_error": 0,
                "correct": False,
                "task": "GSM8K",
            }
        ],
    ),
    "arc": (
        {
            "id": "M_1",
            "question": "?",
            "choices": {"text": ["x", "y", "z"], "label": ["1", "2", "3"]},
            "answerKey": "3",
        },
        [{"question_id": "M_1", "question": "?", "options": ["x", "y", "z"], "answer": 2}],
    ),
    "hellaswag": (
        {
            "ind": 4,
            "activity_label": "Run",
            "ctx_a": "A",
            "ctx_b": "b",
            "ctx": "A b",
            "endings": ["x", "y"],
            "label": "1",
        },
        [{"question_id": "f-0", "question": "A b", "options": ["x", "y"], "answer": 1, "activity_label": "Run"}],
    ),
    "openai-messages": (
        {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}], "correct": True},
        [{"question_id": "q1", "candidate_id": "1", "prompt": "?", "response": "x", "correct": True}],
    ),
    "vllm-outputs": (
        {
            "request_id": "r",
            "prompt": "?",
            "outputs": [{"index": k, "text": t, "token_ids": [1], "finish_reason": "stop"} for k, t in enumerate("xy")],
        },
        [
            {"question_id": "r", "candidate_id": str(k), "response": t, "finish_reason": "stop"}
            for k, t in enumerate("xy")
        ],
    ),
}


def test_majority_of_annotators() -> None:
    assert majority_preference(["tie", "a", "tie"]) == "tie"
    assert majority_preference(["b", "a", "b"]) == "b"
    assert majority_preference(["b", "a", "tie"]) == "tie"


def test_final_answer() -> None:
    assert final_answer("A: 3\nso A: no\nA: $4.00 ") == "4"
    assert final_answer("USA: 5") is None
    assert final_answer("A:") is None
    assert final_answer("A: 1") == normalise("1")


@pytest.mark.parametrize("name", BY_HAND)
def test_rows_by_hand(tmp_path: Path, name: str) -> None:
    row, wanted = BY_HAND[name]
    folder = tmp_path / "many"
    folder.mkdir()
    for path in (tmp_path / "f.json", folder / "f.jsonl"):
        path.write_text(json.dumps([row] if path.suffix == ".json" else row))
    (folder / "README.md").write_text("no rows")
    items = load(f"{name}:{tmp_path / 'f.json'}")
    assert [item.items() >= one.items() for item, one in zip(map(item_to_row, items), wanted, strict=True)] == [
        True
    ] * len(items)
    assert load(f"{name}:{folder}") == items, "a folder is its files"


def test_the_chosen_of_rewardbench_is_preferred(tmp_path: Path) -> None:
    (item,) = by_rows_of(tmp_path, "rewardbench", BY_HAND["rewardbench"][0])
    assert isinstance(item, Pair)
    assert (item.response_a if item.preference == "a" else item.response_b) == "y"


def by_rows_of(folder: Path, name: str, *rows: dict[str, Any]) -> list[Any]:
    (folder / "f.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(f"{name}:{folder / 'f.jsonl'}")


def test_arc_as_first_published_and_without_an_answer(tmp_path: Path) -> None:
    row = {"id": "M", "question": {"stem": "?", "choices": [{"text": "x", "label": "A"}, {"text": "y", "label": "B"}]}}
    items = by_rows_of(tmp_path, "arc", row | {"answerKey": "B"}, row | {"id": "N"})
    assert [one.answer for one in items] == [1, None]
    with pytest.raises(InnerjudgeError, match="field 'answerKey': given 'C', expected one of A, B"):
        by_rows_of(tmp_path, "arc", row | {"answerKey": "C"})
    (test,) = by_rows_of(tmp_path, "hellaswag", {"ctx": "A", "endings": ["x", "y"], "label": ""})
    assert test.answer is None


def test_messages_are_conversations(tmp_path: Path) -> None:
    system, user = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}
    said = {"role": "assistant", "content": "x", "weight": 1}
    (one,) = by_rows_of(tmp_path, "openai-messages", {"messages": [system, user, said, user]})
    assert (one.prompt, one.response) == (Conversation.of([system, user]), "x")
    (one,) = by_rows_of(tmp_path, "vllm-outputs", {"messages": [system, user], "outputs": [{"text": "x"}]})
    assert (one.prompt, one.id) == (Conversation.of([system, user]), "f-0/0")
    sent = _logged(0, [["x"]], [[[json.dumps([system, user | {"type": "text"}])], {}]])
    (one,) = by_rows_of(tmp_path, "lm-eval-samples", sent)
    assert one.prompt == Conversation.of([system, user])
    answers = [[system, user, {"role": "assistant", "content": text}] for text in "xy"]
    (one,) = by_rows_of(tmp_path, "rewardbench", {"prompt": "?", "chosen": answers[0], "rejected": answers[1]})
    assert (one.prompt, {one.response_a, one.response_b}) == (Conversation.of([system, user]), {"x", "y"})
    with pytest.raises(InnerjudgeError, match=r"f\.jsonl line 1: field 'rejected': given messages that end"):
        by_rows_of(tmp_path, "rewardbench", {"prompt": "?", "chosen": "x", "rejected": [user]})


def _logged(doc: int, resps: list[list[Any]], arguments: list[list[Any]], **more: Any) -> dict[str, Any]:
    """A line as lm-eval's tracker writes it: arguments as named fields, texts as they were."""
    named = {f"gen_args_{i}": {f"arg_{j}": one for j, one in enumerate(args)} for i, args in enumerate(arguments)}
    return {
        "doc_id": doc,
        "doc": {"question": "?"},
        "target": "4",
        "arguments": named,
        "resps": resps,
        "filtered_resps": [one[0] for one in resps],
        "filter": "none",
        "metrics": ["exact_match"],
        **more,
    }


def test_samples_of_lm_eval(tmp_path: Path) -> None:
    path = tmp_path / "samples_gsm8k_2026-01-01T00-00-00.0.jsonl"
    written = _logged(0, [["so 4"]], [["2+2?", {"until": []}]], exact_match=0.0, filter="strict")
    rows = [
        written,
        written | {"filter": "flexible", "filtered_resps": ["4"], "exact_match": 1.0},
        _logged(1, [["a", "b"]], [["3?", {}]], exact_match=1.0),
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    name = "gsm8k_2026-01-01T00-00-00"
    assert load(f"lm-eval-samples:{path}") == [
        Trace(question_id=f"{name}/0", candidate_id="0", prompt="2+2?", response="so 4", answer="4", correct=True),
        Trace(question_id=f"{name}/1", candidate_id="0", prompt="3?", response="a", answer="a"),
        Trace(question_id=f"{name}/1", candidate_id="1", prompt="3?", response="b"),
    ]
    scored = _logged(
        0, [[[-1.0, False]], [[-2.0, True]]], [["Which?", " iron"], ["Which?", " pear"]], target="1", acc=1.0
    )
    path.write_text(json.dumps(scored))
    assert load(f"lm-eval-samples:{path}") == [
        Choice(question_id=f"{name}/0", question="Which?", options=("iron", "pear"), answer=1)
    ]


def test_steps_of_prm800k_and_math_shepherd(tmp_path: Path) -> None:
    own = {
        "completions": [{"text": "x", "rating": -1}],
        "chosen_completion": None,
        "human_completion": {"text": "mine"},
    }
    steps = [own, {"completions": [{"text": "a", "rating": None}, {"text": "b", "rating": 1}], "chosen_completion": 1}]
    row = {"question": {"problem": "?"}, "label": {"steps": steps, "finish_reason": "solution"}}
    (one,) = by_rows_of(tmp_path, "prm800k", row)
    assert (one.step_texts, one.step_labels, one.first_error) == (("mine", "b"), (None, True), None)
    assert one.correct is True
    steps[1]["chosen_completion"] = 2
    with pytest.raises(InnerjudgeError, match=r"line 1, in 'label', in 'steps', entry 2: field 'chosen_completion'"):
        by_rows_of(tmp_path, "prm800k", row)
    with pytest.raises(InnerjudgeError, match="field 'label': given no"):
        by_rows_of(tmp_path, "math-shepherd", {"input": "? Step 1: x \u043a\u0438", "label": "? Step 1: x ="})
