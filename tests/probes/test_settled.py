"""A verdict that is settled stays what it is, whatever is written after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.judges.panel import panel
from innerjudge.experiments.reading import read as views, verdict_pass
from innerjudge.experiments.reading.passes import Passes
from innerjudge.extraction.extract import extract
from innerjudge.extraction.writing.generate import generate
from innerjudge.models.items import Choice
from innerjudge.models.loading import LanguageModel
from innerjudge.probes.verdict_text import find_verdict, settled

SCALE = ("1", "2", "3", "4", "5")
LABELS = (SCALE, ("no", "yes"), ("A", "B"), tuple("ABCDEFGHI"), tuple(str(k) for k in range(11)))
PIECES = [
    *("1", "4", "5", "10", "A", "B", "I", "a", "b", "i", "yes", "no", "YES", "x", "pear", "is", "or", "and", "to"),
    *("of", "out of ", ".", ",", ":", ";", "!", "?", " ", "\n", "\t", "%", "/", "*", "**", "_", "`", "(", ")", "]"),
    *('"', "'", "\N{RIGHT SINGLE QUOTATION MARK}", "\N{EN DASH}", "-", "~", "&", "+", "|", ".5", "because", "é"),
]  # fmt: skip
PARTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(LABELS), PARTS, PARTS)
def test_nothing_changes_it(labels: tuple[str, ...], text: str, more: str) -> None:
    if settled(text, labels):
        assert find_verdict(text + more, labels) == find_verdict(text, labels)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(LABELS), st.data())
def test_nothing_changes_one_that_begins_with_a_label(labels: tuple[str, ...], data: Any) -> None:
    text = data.draw(st.sampled_from(labels)) + data.draw(PARTS)
    if settled(text, labels):
        assert find_verdict(text + data.draw(PARTS), labels) == find_verdict(text, labels)


@pytest.mark.parametrize(
    ("text", "labels", "clear"),
    [
        (" 4", SCALE, False),  # 4.5, 40
        (" 4\n", SCALE, False),  # a line of % below
        (" 4\n\nThe", SCALE, True),
        (" **4**\nT", SCALE, True),
        (" 4. ", SCALE, True),
        (" 4.", SCALE, False),  # 4.5
        (" 4 out", SCALE, False),  # 4 out of 10
        (" 4 or", SCALE, False),
        (" 4 stars ", SCALE, True),
        (" 4 sta", SCALE, False),  # the word may go on, as in 4 o|r
        (" yes because ", ("no", "yes"), True),
        (" no idea ", ("no", "yes"), False),  # no verdict at all
        (" A pear ", ("A", "B"), False),
        (" B pear ", ("A", "B"), True),
        (" b pear ", ("A", "B"), False),
        (" A. ", ("A", "B"), True),
        ("I cannot say.\n\nSo", SCALE, False),  # what is no verdict is told in full
    ],
)
def test_by_hand(text: str, labels: tuple[str, ...], clear: bool) -> None:
    assert settled(text, labels) == clear


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        ("It is a pear.\nAnswer: B\n\nQuestion", True),
        ("**Answer:** (B)\nI", True),
        ("Answer: B", False),  # B-level
        ("Answer: B\n", False),
        ("Answer: B. It", False),  # the line goes on and may take it back
        ("Answer: B is tempting\nbut", False),
        ("Answer: A\nNo. Answer: B", False),  # the last one counts, and is not clear yet
        ("<think>Answer: B\nI am not sure", False),  # still reasoning
        ("<think>Answer: A\n</think>Answer: B\nI", True),
        ("B\nI", False),  # without the cue it is no verdict
    ],
)
def test_a_verdict_behind_its_cue_by_hand(text: str, clear: bool) -> None:
    assert settled(text, ("A", "B"), cue="Answer:") == clear


def test_reasoned_texts_end_behind_their_verdict(tinystories: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model would go on for 12 tokens; here any text of three counts as one that has given its verdict."""
    choice = Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear"))
    passes = Passes(reasoning_tokens=12, needs=frozenset({"reasoned"}))
    whole = views.read(tinystories, [choice], passes).texts["reasoned"][0]
    asked: list[str | None] = []

    def third(text: str, labels: Any, *, cue: str | None = None) -> bool:
        asked.append(cue)
        return len(asked) == 3

    monkeypatch.setattr(verdict_pass, "settled", third)
    short = views.read(tinystories, [choice], passes).texts["reasoned"][0]
    assert asked == ["Answer:"] * 3
    assert whole.startswith(short)
    assert len(short) < len(whole)


@pytest.mark.parametrize("spec", ["builtin:rate", "builtin:choose"])
def test_verdicts_of_the_built_in_model_are_those_of_whole_texts(
    reference: LanguageModel, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _same_verdicts(reference, spec, 40, monkeypatch)


@pytest.mark.parametrize(
    "spec", ["topical-chat:topical_chat/topical_chat.json", "llmbar:llmbar/LLMBar_Natural.json", "mmlu:mmlu/val"]
)
def test_verdicts_on_real_items_are_those_of_whole_texts(
    tinystories: LanguageModel, shared: Path, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real model that never ends a verdict by itself."""
    loader, _, place = spec.partition(":")
    _same_verdicts(tinystories, f"{loader}:{shared / 'data' / place}", 12, monkeypatch)


def _same_verdicts(lm: LanguageModel, spec: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_data(spec, limit=n)
    needs = frozenset({"direct", "labels", "logits/score"})
    passes = Passes(reasoning_tokens=0, needs=needs)
    found = views.read(lm, data.items, passes)

    def naive(lm: LanguageModel, encoded: Any, readouts: Any, *, settled: Any, **how: Any) -> Any:
        return extract(lm, encoded, readouts, batch_size=1).join(generate(lm, encoded, **how))

    monkeypatch.setattr(verdict_pass, "read_and_write", naive)
    whole = views.read(lm, data.items, passes)
    assert found.missing == whole.missing
    kind = {"pair": "pair"}.get(data.kind, data.kind)
    judge = panel(kind, between=("prompt_end", "response_end"), scale=(1, 5))["text"].judge
    assert judge.verdicts(found) == judge.verdicts(whole)
    texts = list(zip(found.texts["direct"], whole.texts["direct"], strict=True))
    assert all(long.startswith(short) for short, long in texts)
