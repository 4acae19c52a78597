from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.data.answers import normalise
from innerjudge.experiments.data.jsonl import read_items, write_jsonl
from innerjudge.experiments.data.kinds import item_to_row
from innerjudge.experiments.data.loaders import LOADERS, load
from innerjudge.experiments.data.loaders.pairs import majority_preference
from innerjudge.experiments.data.loaders.traces import final_answer
from innerjudge.models.conversation import Conversation
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Choice, Pair, Rating, Trace

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
        {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}]},
        [{"question_id": "f-0", "candidate_id": "0", "prompt": "?", "response": "x"}],
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
REAL = {
    "gsm8k-solutions": "gsm8k/example_model_solutions.jsonl",
    "mmlu": "mmlu/val",
    "llmbar": "llmbar/LLMBar_Natural.json",
    "pandalm": "pandalm/testset-v1.json",
    "summeval": "summeval/SummEval.json",
    "topical-chat": "topical_chat/topical_chat.json",
    "prometheus": "prometheus_vicuna/vicuna_eval.json",
}


def real(shared: Path, name: str):  # type: ignore[no-untyped-def]
    return load(f"{name}:{shared / 'data' / REAL[name]}")


def test_gsm8k_solutions(shared: Path) -> None:
    items = real(shared, "gsm8k-solutions")
    assert len(items) == 5276
    assert all(isinstance(t, Trace) for t in items)
    assert len({t.group for t in items}) == 1319
    assert sum(t.correct for t in items) == 2001
    assert Counter(t.candidate_id for t in items)["175b_verification"] == 1319
    first = items[0]
    assert (first.id, first.answer, first.correct) == ("gsm8k-0/6b_finetuning", "26", False)
    assert first.prompt.startswith("Janet")
    assert first.response.endswith("\nA: 26")
    # right is what has the answer of the worked truth, in one spelling
    assert all((t.answer == final_answer(t.extra["ground_truth"])) == t.correct for t in items)
    assert sum(t.answer is None for t in items) == 11


def test_mmlu(shared: Path) -> None:
    items = real(shared, "mmlu")
    assert len(items) == 1543
    assert all(isinstance(c, Choice) and len(c.options) == 4 for c in items)
    assert len({c.extra["subject"] for c in items}) == 57
    one = load(f"mmlu:{shared / 'data/mmlu/val/abstract_algebra_val.csv'}")
    assert one[0] == Choice(
        question_id="abstract_algebra/0",
        question="The cyclic subgroup of Z_24 generated by 18 has order",
        options=("4", "8", "12", "6"),
        answer=0,
        extra={"subject": "abstract_algebra"},
    )
    assert one[0] in items
    assert len(load(f"mmlu:{shared / 'data/mmlu/dev'}")) == 285
    with pytest.raises(InnerjudgeError, match="pass one of its folders: dev, val"):
        load(f"mmlu:{shared / 'data/mmlu'}")


def test_llmbar(shared: Path) -> None:
    items = real(shared, "llmbar")
    assert Counter(p.preference for p in items) == {"a": 42, "b": 58}
    assert items[0].id == "LLMBar_Natural-0"
    assert items[0].preference == "a"
    files = sorted((shared / "data/llmbar").glob("*.json"))
    assert sum(len(load(f"llmbar:{file}")) for file in files) == 619


def test_pandalm(shared: Path) -> None:
    items = real(shared, "pandalm")
    assert len(items) == 999
    assert all(isinstance(p, Pair) for p in items)
    assert items[0].extra["annotators"] == ["b", "b", "b"]
    assert items[0].preference == "b"
    assert items[0].prompt.startswith("The sentence you are given")
    assert items[0].prompt.endswith("please let me know.")
    assert {p.id: p.response_a for p in items}["pandalm-157"] == "True"  # the file has a JSON true there
    # 85 + (2,0,0) 7 + (1,0,0) 5 + (0,2,0) 4 + (0,0,2) 2 + (0,0,1) 2 = 105 ties, no triple is all different
    assert Counter(p.preference for p in items)["tie"] == 105


def test_summeval(shared: Path) -> None:
    items = real(shared, "summeval")
    assert len(items) == 100 * 16 * 4
    assert all(isinstance(r, Rating) for r in items)
    assert Counter(r.extra["aspect"] for r in items) == dict.fromkeys(
        ("coherence", "consistency", "fluency", "relevance"), 1600
    )
    assert len({r.group for r in items}) == 100
    first = items[0]
    assert first.scores == (pytest.approx(4 / 3),)
    assert first.criterion.startswith("Coherence: ")
    assert first.response.startswith("Paul merson was brought on")
    assert first.reference is None
    assert first.extra["reference_summary"].startswith("Andros Townsend")


def test_topical_chat(shared: Path) -> None:
    items = real(shared, "topical-chat")
    assert len(items) == 360 * 6
    assert len({r.group for r in items}) == 60
    assert set(Counter(r.group for r in items).values()) == {36}
    first = {r.extra["aspect"]: r for r in items[:6]}
    assert first["overall"].scores == (pytest.approx(14 / 3),)
    assert first["overall"].extra["scale"] == [1, 5]
    assert first["groundedness"].scores == (pytest.approx(2 / 3),)
    assert "studio ghibli" in first["overall"].prompt
    assert first["overall"].response.startswith("i recently met a girl")


def test_prometheus(shared: Path) -> None:
    items = real(shared, "prometheus")
    assert len(items) == 320
    assert len({r.group for r in items}) == 80
    first = items[0]
    assert first.id == "prometheus-1/vicuna"
    assert first.prompt == "How can I improve my time management skills?"
    assert first.response.startswith("Improving your time management skills can help you")
    assert first.response.endswith("become more productive and efficient.")
    assert first.reference.startswith("To improve your time management skills, start by")
    assert first.criterion.startswith("[Does the response provide detailed")
    assert first.criterion.endswith("grounded on real-world scenarios.")
    assert first.scores == (5.0, 5.0, 5.0)
    assert not any("###" in part for r in items for part in (r.prompt, r.reference, r.criterion))


@pytest.mark.parametrize("name", REAL)
def test_real_items_survive_jsonl(shared: Path, tmp_path: Path, name: str) -> None:
    items = real(shared, name)[:200]
    write_jsonl(tmp_path / "d.jsonl", map(item_to_row, items))
    assert read_items(tmp_path / "d.jsonl") == items
    assert all(i.extra.get("question_id", i.group) == i.group for i in items)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("other", ["llmbar", "summeval", "gsm8k-solutions"])
def test_the_wrong_loader_names_the_file(shared: Path, name: str, other: str) -> None:
    path = shared / "data" / REAL[other]
    if name != other:
        with pytest.raises(InnerjudgeError) as caught:
            load(f"{name}:{path}")
        assert str(caught.value).startswith(path.name)
        assert "\n" not in str(caught.value)


GSM = {"question": "?", "ground_truth": "A: 1", "m": {"solution": "A: 1", "is_correct": True}}
BAR = {"input": "?", "output_1": "x", "output_2": "y", "label": 1}
PANDA = {"idx": 0, "instruction": "?", "input": "", "response1": "x", "response2": "y"} | {
    f"annotator{k}": 1 for k in (1, 2, 3)
}
SUMM = {
    "src": "s",
    "sys_summs": {
        "M1": {"sys_summ": "x", "scores": dict.fromkeys(("coherence", "consistency", "fluency", "relevance"), 3.0)}
    },
}
CHAT = {
    "source": "s",
    "context": "c",
    "system_id": "m",
    "system_output": "x",
    "scores": dict.fromkeys(
        ("understandability", "naturalness", "coherence", "engagingness", "groundedness", "overall"), 1
    ),
}
PROMPT = (
    "###The instruction to evaluate:\nDo it.\n\n###Response to evaluate:\nDone.\n\n"
    "###Reference Answer (Score 5):\nGood.\n\n###Score Rubrics:\n[Is it?]\nScore 1: no\n\n###Feedback: "
)
PROM = {"idx": 1, "response_source": "m", "category": None, "instruction": PROMPT, "gpt4_score": [5]}

BAD = {
    "gsm flag": (
        "gsm8k-solutions",
        [GSM, GSM | {"m": {"solution": "", "is_correct": 1}}],
        "f line 2, in 'm': field 'is_correct': given a number, expected true or false",
    ),
    "gsm no model": (
        "gsm8k-solutions",
        [{"question": "", "ground_truth": ""}],
        "f line 1: field 'MODEL': given nothing",
    ),
    "gsm model": ("gsm8k-solutions", [GSM | {"m": 3}], "f line 1: field 'm': given a number, expected an object"),
    "bar label": ("llmbar", [BAR, BAR | {"label": 3}], "f row 2: field 'label': given 3, expected one of 1, 2"),
    "bar missing": (
        "llmbar",
        [{k: v for k, v in BAR.items() if k != "output_2"}],
        "f row 1: field 'output_2': given nothing",
    ),
    "bar object": ("llmbar", {"a": 1}, "f line 1: field 'input': given nothing"),
    "bar item": ("llmbar", [BAR, 3], "f row 2: given a number, expected an object"),
    "empty": ("llmbar", [], "f: given an empty file"),
    "panda annotator": (
        "pandalm",
        [PANDA | {"annotator3": 3}],
        "field 'annotator3': given 3, expected a whole number from 0 to 2",
    ),
    "panda idx": ("pandalm", [PANDA | {"idx": None}], "field 'idx': given None, expected a number"),
    "panda twice": ("pandalm", [PANDA, PANDA], "f, item 2: field 'pair_id': given the id 'pandalm-0'"),
    "summ list": ("summeval", [SUMM], "f: given a list, expected an object of records"),
    "summ score": (
        "summeval",
        {"d": SUMM | {"sys_summs": {"M1": {"sys_summ": "", "scores": {"coherence": 6}}}}},
        "f record 'd', in 'sys_summs', in 'M1', in 'scores': field 'coherence': given 6, expected a number from 1",
    ),
    "chat scale": (
        "topical-chat",
        [CHAT | {"scores": CHAT["scores"] | {"groundedness": 2}}],
        "field 'groundedness': given 2, expected a number from 0 to 1",
    ),
    "prom section": (
        "prometheus",
        [PROM | {"instruction": "###Response to evaluate:\nx"}],
        "f row 1: field 'instruction': given no section '###The instruction to evaluate:'",
    ),
    "prom rubric": (
        "prometheus",
        [PROM | {"instruction": PROMPT.split("###Score")[0]}],
        "no section '###Score Rubrics:'",
    ),
    "prom response": ("prometheus", [PROM | {"instruction": PROMPT.split("###Resp")[0]}], "no section '###Response to"),
    "prom score": ("prometheus", [PROM | {"gpt4_score": 5}], "field 'gpt4_score': given a number, expected a list"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_records_name_file_record_and_field(tmp_path: Path, case: str) -> None:
    name, value, message = BAD[case]
    lines = [json.dumps(v) for v in value] if name.startswith("gsm") else [json.dumps(value)]
    (tmp_path / "f").write_text("\n".join(lines))
    with pytest.raises(InnerjudgeError) as caught:
        load(f"{name}:{tmp_path / 'f'}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("q,1,2,3,A", "x_val.csv record 2: given 5 cells, expected 6"),
        ("q,1,2,3,4,E", "x_val.csv record 2: field 'answer': given 'E', expected A, B, C or D"),
        ("q,1,2,3,4,AB", "field 'answer': given 'AB'"),
        ("q,1,,3,4,A", "x_val.csv record 2: field 'B': given an empty cell"),
        ('q,"1"x,2,3,4,A', "x_val.csv record 2: given broken CSV"),
    ],
)
def test_bad_mmlu_rows(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "x_val.csv").write_text(f"q,1,2,3,4,A\n{row}\n")
    with pytest.raises(InnerjudgeError) as caught:
        load(f"mmlu:{tmp_path}")
    assert message in str(caught.value)


def test_a_quoted_cell_may_hold_lines_and_commas(tmp_path: Path) -> None:
    (tmp_path / "x_test.csv").write_text('"one,\n two ""three""",1,2,3,4,D\n')
    (item,) = load(f"mmlu:{tmp_path / 'x_test.csv'}")
    assert (item.question, item.answer, item.id) == ('one,\n two "three"', 3, "x/0")


def test_a_response_may_quote_a_heading(tmp_path: Path) -> None:
    quoted = PROMPT.replace("Done.", "Done.\n###Score Rubrics:\nnot this one")
    (tmp_path / "f").write_text(json.dumps([PROM | {"instruction": quoted}]))
    (item,) = load(f"prometheus:{tmp_path / 'f'}")
    assert item.response == "Done.\n###Score Rubrics:\nnot this one"
    assert (item.reference, item.criterion) == ("Good.", "[Is it?]\nScore 1: no")


def test_a_prompt_without_reference(tmp_path: Path) -> None:
    bare = PROMPT.replace("###Reference Answer (Score 5):\nGood.\n\n", "")
    (tmp_path / "f").write_text(json.dumps([PROM | {"instruction": bare}]))
    (item,) = load(f"prometheus:{tmp_path / 'f'}")
    assert (item.response, item.reference) == ("Done.", None)


def test_bad_specs(tmp_path: Path) -> None:
    for spec, message in {
        "mmlu": "expected LOADER:PATH",
        "imdb:x": "expected LOADER:PATH with a loader of gsm8k-solutions, mmlu",
        "mmlu:": "given ''",
        f"mmlu:{tmp_path / 'no'}": "expected a folder or file",
        f"mmlu:{tmp_path}": "a folder without CSV files",
        f"llmbar:{tmp_path}": "without records, expected at least one",
    }.items():
        with pytest.raises(InnerjudgeError) as caught:
            load(spec)
        assert message in str(caught.value)
    assert set(LOADERS) == {*REAL, *BY_HAND, "inspect-log", "mt-bench-human", "lm-eval-samples"}


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff\xfe")
    with pytest.raises(InnerjudgeError, match="f: given bytes that are not UTF-8"):
        load(f"llmbar:{tmp_path / 'f'}")


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


def test_votes_on_two_systems_are_one_pair_whichever_stood_first(tmp_path: Path) -> None:
    """Three judges saw m first, one saw o first and preferred it: b, a, tie, and "model_a" of the turned row is b."""

    def row(first: str, second: str, winner: str, turn: int = 1) -> dict[str, Any]:
        talk = {"m": "x", "o": "y"}
        sides = {
            f"conversation_{side}": [
                {"role": role, "content": text}
                for role, text in (("user", "?"), ("assistant", talk[name]), ("user", "And?"), ("assistant", "z"))
            ]
            for side, name in (("a", first), ("b", second))
        }
        return {"question_id": 81, "model_a": first, "model_b": second, "turn": turn, "winner": winner, **sides}

    rows = [row("m", "o", "model_b"), row("m", "o", "model_a"), row("m", "o", "tie"), row("o", "m", "model_a")]
    rows += [row("o", "m", "model_b"), row("o", "m", "tie"), row("o", "m", "model_a"), row("o", "m", "model_a", turn=2)]
    path = tmp_path / "h.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    first, second = load(f"mt-bench-human:{path}")
    assert isinstance(first, Pair)
    assert (first.id, first.response_a, first.response_b) == ("81/m/o/1", "x", "y")
    assert first.extra["annotators"] == ["b", "a", "tie", "b", "a", "tie", "b"]
    assert first.preference == "tie"  # b has 3 of 7
    assert isinstance(second, Pair)
    assert (second.id, second.preference) == ("81/o/m/2", "a")


def test_judgments_of_mt_bench_are_one_pair_a_turn(tmp_path: Path) -> None:
    talk = [
        {"role": r, "content": c} for r, c in (("user", "?"), ("assistant", "x"), ("user", "And?"), ("assistant", "z"))
    ]
    row = {
        "question_id": 81,
        "model_a": "m",
        "model_b": "o",
        "judge": "author_2",
        "conversation_a": talk,
        "conversation_b": [talk[0], {"role": "assistant", "content": "y"}, *talk[2:]],
        "turn": 1,
    }
    votes = ["model_b", "model_a", "model_b", "tie (inconsistent)"]  # b has 2 of 4: no majority
    path = tmp_path / "h.jsonl"
    path.write_text("".join(json.dumps(row | {"winner": vote}) + "\n" for vote in votes))
    assert load(f"mt-bench-human:{path}") == [
        Pair(
            pair_id="81/m/o/1",
            prompt="?",
            response_a="x",
            response_b="y",
            preference="tie",
            extra={
                "annotators": ["b", "a", "b", "tie"],
                "question_id": "81",
                "turn": 1,
                "system_a": "m",
                "system_b": "o",
            },
        )
    ]
    path.write_text("".join(json.dumps(row | {"winner": vote}) + "\n" for vote in votes[:3]))
    assert load(f"mt-bench-human:{path}")[0].preference == "b"  # type: ignore[union-attr]


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


def test_folders_and_other_forms_of_what_was_read_by_file(shared: Path, tmp_path: Path) -> None:
    whole = load(f"llmbar:{shared / 'data' / 'llmbar'}")
    assert len(whole) == 619  # 419 + 200
    rows = json.loads((shared / "data" / REAL["llmbar"]).read_text())
    (tmp_path / "LLMBar_Natural.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load(f"llmbar:{tmp_path / 'LLMBar_Natural.jsonl'}") == real(shared, "llmbar")
