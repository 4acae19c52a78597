"""A comparison from Python: the same with and without a folder, and clear words where it cannot be made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import innerjudge as ij
import numpy as np
import pytest
from innerjudge.experiments.compare.compare import compare
from innerjudge.experiments.compare.run import ComparisonRun
from innerjudge.experiments.compare.settings import Settings, Source
from innerjudge.experiments.data.datasets import Dataset, load_data
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Choice, Rating, Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.reference.choose import choices
from innerjudge.probes.embedding import _Vectors

pytestmark = pytest.mark.usefixtures("no_pixels")


def test_items_in_a_table_verdicts_and_a_report_out(reference: LanguageModel, tmp_path: Path) -> None:
    items, settings = choices(16, seed=5), Settings(reasoning_tokens=0, batch_size=4)
    named: dict[str, Any] = {"judges": ["letter-logits", "qk-score", "text"], "settings": settings}
    loose = compare(reference, items, **named)
    kept = compare(reference, items, out=tmp_path / "kept", **named)
    assert loose.verdicts.judges == ("qk-score", "letter-logits", "text", "text-only", "similarity")
    assert list(loose.verdicts) == list(kept.verdicts), "keeping steps changes nothing"
    assert loose.figures == kept.figures
    table = loose.table()
    assert {"data", "judge", "metric", "value", "low", "high", "n", "against", "verdict", "p_corrected"} <= set(table)
    assert set(table[table["against"] == "text"]["judge"]) == {"letter-logits", "qk-score", "text-only", "similarity"}
    page = loose.report(tmp_path / "report")
    assert page == tmp_path / "report" / "report.html"
    files = [json.loads((tmp_path / name / "results.json").read_text("utf-8")) for name in ("report", "kept")]
    assert files[0] == files[1]


def test_an_embedder_makes_an_opponent(
    reference: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(reasoning_tokens=0, batch_size=4, embedder="words")
    with pytest.raises(InnerjudgeError, match="given the embedder 'words', which sentence-transformers cannot load"):
        compare(reference, choices(16, seed=5), settings=settings, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(_Vectors, "__init__", lambda self, name: None)
    monkeypatch.setattr(_Vectors, "encode", lambda self, texts: np.array([[len(t), t.count("a"), 1.0] for t in texts]))
    found = compare(reference, choices(16, seed=5), judges=["qk-score"], settings=settings)
    assert found.verdicts.judges == ("qk-score", "text-only", "embedding-only", "similarity")


def test_what_cannot_be_compared_is_refused_before_any_pass(reference: LanguageModel, tmp_path: Path) -> None:
    choice = Choice(question_id="c", question="?", options=("x", "y"), answer=0)
    mixed = [choice, Rating(item_id="r", prompt="?", response="!")]
    for items, says in (
        ([], "given no items"),
        (mixed, "given Choice, Rating"),
        (choice, "Choice, expected a list"),
        ([choice, choice], "expected unique ids"),
        ([choice], "expected at least 2"),
        ("no-such-file.jsonl", "expected a file or pattern"),
    ):
        with pytest.raises(InnerjudgeError, match=says):
            compare(reference, items, out=tmp_path / "run")  # type: ignore[arg-type]
        assert not (tmp_path / "run").exists()
    with pytest.raises(InnerjudgeError, match="given the judge 'clue', which judges none of these data"):
        compare(reference, choices(4, seed=0), judges=["clue"], out=tmp_path / "run")
    with pytest.raises(InnerjudgeError, match="expected a list of"):
        compare(reference, choices(4, seed=0), judges="clue")
    with pytest.raises(InnerjudgeError, match=r"given .*expected"):
        compare("reference", choices(4, seed=0))  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_changed_data_and_settings_are_noticed(reference: LanguageModel, tmp_path: Path) -> None:
    first, other = choices(20, seed=5), choices(20, seed=6)
    settings = Settings(reasoning_tokens=0, batch_size=4)
    found = [
        compare(reference, items, judges=["letter-logits"], settings=how, out=tmp_path / "run").verdicts.items
        for items, how in ((first, settings), (other, settings), (first, Settings(reasoning_tokens=0, fit=0.4)))
    ]
    assert found[0] != found[1]
    assert [len(items) for items in found] == [10, 10, 12]


def test_a_named_judge_that_is_left_out_is_said_once(reference: LanguageModel) -> None:
    seen: list[str] = []
    settings = Settings(judges=("letter-logits", "text-reasoned"), reasoning_tokens=0)
    sources = [Source(data=Dataset(name=n, kind="choice", items=tuple(choices(12, seed=0)))) for n in ("one", "two")]
    run = ComparisonRun(lm=reference, settings=settings, say=seen.append)
    assert all("text-reasoned" not in one.seats for one in run.evaluations(sources))
    assert seen == ["Named, but left out: text-reasoned (it needs reasoning_tokens above 0)."]
    seen.clear()
    steps = cast(list[Trace], load_data("builtin:steps", limit=40).items)
    traces = tuple(replace(one, steps=None, step_labels=None, first_error=None) for one in steps)
    source = Source(data=Dataset(name="plain", kind="trace", items=traces))
    settings = Settings(judges=("clue", "step-probe", "step-words"), reasoning_tokens=0)
    ComparisonRun(lm=reference, settings=settings, say=seen.append).evaluations([source])
    why = "no item of plain has labels of steps"
    assert seen == [f"Named, but left out: step-probe ({why}); step-words ({why})."]
    seen.clear()
    ComparisonRun(lm=reference, settings=Settings(judges=("letter-logits",)), say=seen.append).evaluations(sources)
    assert seen == []


def test_pairs_of_which_no_judge_is_asked() -> None:
    """Judges of single responses alone: the prompt of a pair is not read for anybody."""
    rows = [
        {"pair_id": f"p{k}", "prompt": f"Say {k}.", "response_a": f"{k}", "response_b": f"{k + 1}",
         "preference": "ab"[k % 2]}
        for k in range(8)
    ]  # fmt: skip
    found = ij.compare(ij.load("reference"), rows, judges=["perplexity"])
    assert {"perplexity", "length"} <= set(found.table()["judge"])
