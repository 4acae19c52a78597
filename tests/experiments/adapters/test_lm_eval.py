"""A task of lm-evaluation-harness, run from its YAML on the built-in model, with a saved judge among its filters."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from innerjudge import Judge
from innerjudge.experiments.adapters.lm_eval import BestOfMajority, BestOfN, WeightedVote
from innerjudge.experiments.data.answers import normalise
from innerjudge.experiments.selection.rules import Rule, pick
from innerjudge.experiments.selection.votes import best_of_majority, best_of_n, majority
from innerjudge.models import reference as built_in
from innerjudge.models.reference.solve import final_answer

from .conftest import PROMPT, RIGHT, WRONG

FILTERS = {"best-of-n": "BestOfN", "weighted-vote": "WeightedVote", "best-of-majority": "BestOfMajority"}
WEIGHTS = Path(built_in.__file__).parent / "weights"
PATTERN = r"</think>\s*(?:ok|slip)?\s*(\d+)\s*$"
REPEATS = 4
TOO_LONG = "12 " * 2000


def weighted_vote(answers: Any, scores: Any, *, temperature: float = 1.0) -> int:
    return pick(Rule("weighted", temperature=temperature), answers, scores).index


def task_of(folder: Path, judge: Path, out: Path) -> str:
    """A task YAML whose pipelines rule first and look for the answer after it."""
    ours = {"judge": str(judge), "prompt": "{{question}}", "regex_pattern": PATTERN}
    after = [{"function": "regex", "regex_pattern": PATTERN}, {"function": "take_first"}]
    more: dict[str, dict[str, Any]] = {"BestOfMajority": {"min_count": 2}, "WeightedVote": {"temperature": 1}}
    pipelines = [
        {
            "name": name,
            "filter": [
                ours | {"function": f"FN {kind}", "scores": str(out / f"{name}.jsonl")} | more.get(kind, {}),
                *after,
            ],
        }
        for name, kind in FILTERS.items()
    ]
    plain = [{"function": "regex", "regex_pattern": PATTERN}, {"function": "majority_vote"}, {"function": "take_first"}]
    task = {
        "task": "solve",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": str(folder / "problems.jsonl"), "cache_dir": str(folder / "cache")},
        "test_split": "train",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "repeats": REPEATS,
        "generation_kwargs": {"do_sample": True, "temperature": 1.0, "max_gen_toks": 96, "until": []},
        "filter_list": [*pipelines, {"name": "majority", "filter": plain}],
        "metric_list": [{"metric": "exact_match"}],
    }
    text = yaml.safe_dump(task, sort_keys=False).replace("FN ", "!function innerjudge.experiments.adapters.lm_eval.")
    (folder / "solve.yaml").write_text(text, "utf-8")
    return text


def test_a_task_from_its_yaml(judge: Judge, folder: Path, solve_problems, tmp_path: Path) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    rows = [{"question": p.prompt, "answer": p.answer} for p in solve_problems]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    text = task_of(tmp_path, folder, tmp_path)
    assert "!function innerjudge" in text
    found = simple_evaluate(
        model=HFLM(pretrained=str(WEIGHTS), device="cpu", batch_size=8, dtype="float32"),
        tasks=["solve"],
        task_manager=TaskManager(include_path=str(tmp_path), include_defaults=False),
        apply_chat_template=True,
        log_samples=True,
        bootstrap_iters=0,
        torch_random_seed=5,
    )
    assert found is not None
    samples = defaultdict(dict)
    for sample in found["samples"]["solve"]:
        samples[sample["filter"]][sample["doc_id"]] = sample
    assert set(samples) == {*FILTERS, "majority"}
    rules: dict[str, Any] = {
        "best-of-n": lambda _answers, scores: best_of_n(scores),
        "weighted-vote": weighted_vote,
        "best-of-majority": lambda answers, scores: best_of_majority(answers, scores, min_count=2).picks[0],
        "majority": lambda answers, _scores: majority(answers),
    }
    for name, rule in rules.items():
        figures = found["results"]["solve"]
        right = []
        for number, sample in samples[name].items():
            said = sample["resps"][0]
            assert len(said) == REPEATS
            answers = [normalise(final_answer(one)) for one in said]
            scores = [v.score for v in judge.verdicts([(rows[number]["question"], one) for one in said])]
            picked = answers[rule(answers, scores)]
            assert sample["filtered_resps"] == [picked if picked is not None else "[invalid]"], name
            right.append(picked == rows[number]["answer"])
        assert figures[f"exact_match,{name}"] == pytest.approx(sum(right) / len(rows))
    kept = [json.loads(line) for line in (tmp_path / "best-of-n.jsonl").read_text("utf-8").splitlines()]
    assert [(row["doc"], row["repeat"]) for row in kept] == [(d, k) for d in range(len(rows)) for k in range(REPEATS)]
    assert sum(row["picked"] is not None for row in kept) == len(rows)
    assert all(row["picked"].startswith("best score, ") for row in kept if row["picked"] is not None)


def test_whole_responses_in_input_order(folder: Path) -> None:
    ask = BestOfN(judge=str(folder), prompt="{{ question }}")
    resps, docs = [[WRONG, RIGHT], [RIGHT], [TOO_LONG, WRONG]], [{"question": PROMPT}] * 3
    assert ask.apply(iter(resps), docs) == [[RIGHT], [RIGHT], [WRONG]]
    # Two wrong ones of one answer outvote the right one, where every vote weighs the same.
    many = [[RIGHT, WRONG, WRONG]]
    flat = WeightedVote(judge=str(folder), prompt="{{question}}", temperature=1e9)
    sharp = WeightedVote(judge=str(folder), prompt="{{question}}", temperature=0)
    assert flat.apply(many, docs[:1]) == [[WRONG]]
    assert sharp.apply(many, docs[:1]) == [[RIGHT]]
    # The right answer was given once only: it does not pass a gate of two, and passes one of a third.
    frequent = BestOfMajority(judge=str(folder), prompt="{{question}}", min_count=2)
    third = BestOfMajority(judge=str(folder), prompt="{{question}}", alpha=1 / 3)
    assert frequent.apply(many, docs[:1]) == [[WRONG]]
    assert third.apply(many, docs[:1]) == [[RIGHT]]


def test_answers(folder: Path) -> None:
    after_reasoning = BestOfN(judge=str(folder), prompt="")
    assert after_reasoning._answers([RIGHT, "</think>", "7.0"]) == ["36", None, "7"]
    by_pattern = BestOfN(judge=str(folder), prompt="", regex_pattern=r"(\d+)=", group_select=-1)
    assert by_pattern._answers(["a 1= b 2=", "none"]) == ["2", None]


def test_unscored_responses_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    ask = BestOfN(judge=str(folder), prompt="{{question}}")
    with caplog.at_level(logging.WARNING):
        assert ask.apply([[TOO_LONG, TOO_LONG]], [{"question": PROMPT}]) == [[TOO_LONG]]
    assert "2 of 2 responses unscored (first: " in caplog.text
    assert "longer than the model's context" in caplog.text


def test_one_pass_serves_the_pipelines_of_a_task(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    verdicts = Judge.verdicts
    monkeypatch.setattr(
        Judge, "verdicts", lambda self, pairs, **o: asked.append(len(pairs)) or verdicts(self, pairs, **o)
    )
    for kind in (BestOfN, WeightedVote, BestOfN):
        kind(judge=str(folder), prompt="{{question}}").apply([[RIGHT, WRONG + " "]], [{"question": PROMPT}])
    assert asked == [2]


def test_names() -> None:
    from lm_eval.api.registry import get_filter

    assert get_filter("innerjudge_best_of_n") is BestOfN
    assert get_filter("innerjudge_weighted_vote") is WeightedVote
    assert get_filter("innerjudge_best_of_majority") is BestOfMajority
