"""The surprise of every token of the responses that a report shows: read once, against what transformers returns."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import innerjudge as ij
import pytest
import torch
from innerjudge import Choice, Pair, Rating, Trace
from innerjudge.experiments.compare.report import browse as surprise
from innerjudge.experiments.compare.report.browse import READ, ShownItem, with_surprise
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.compare.steps import StepStore
from innerjudge.models.items import Item
from innerjudge.models.positions import encode_trace

PROMPT = "Start with 7. Add 5. Times 3."


@pytest.fixture(scope="module")
def lm() -> Any:
    return ij.load("reference")


class Given:
    """What :func:`with_surprise` takes of an evaluation."""

    def __init__(self, lm: Any, items: list[Item], folder: Path | None = None) -> None:
        self.lm, self.items, self.name, self.depends = lm, items, "d", ["known"]
        self.passes = Settings().passes(lambda _what, _total: lambda _done: None)
        self.store = StepStore(folder, ["model"])

    def shown(self) -> list[ShownItem]:
        return [ShownItem(item.id, "", "", (), (), None) for item in self.items]


def trace(response: str, name: str = "q") -> Trace:
    return Trace(question_id=name, candidate_id="0", prompt=PROMPT, response=response)


def text_of(steps: Any) -> str:
    return "".join(piece for step in steps for piece, _ in step)


def test_it_is_minus_what_transformers_gives_each_token(lm: Any) -> None:
    item = trace("<think>7+5=12;\n\n12*3=36</think>36")
    [found] = with_surprise(Given(lm, [item]), Given(lm, [item]).shown())  # type: ignore[arg-type]
    steps = found.heat["response"]
    encoded = encode_trace(lm.tokenizer, item)
    ids = torch.tensor([encoded.ids])
    with torch.no_grad():
        told = lm.model(ids).logits[0].double().log_softmax(-1)
    first = encoded.positions["prompt_end"][0] + 1
    own = [-float(told[t - 1, encoded.ids[t]]) for t in range(first, len(encoded.ids))]
    assert [nats for step in steps for _, nats in step] == pytest.approx(own, abs=0.006)  # kept with two decimals
    assert text_of(steps) == lm.tokenizer.decode(encoded.ids[first:])
    assert [text_of([step]).strip() for step in steps] == ["<think>7+5=12;", "12*3=36</think>36"]


def test_a_character_of_several_tokens_has_the_sum(lm: Any) -> None:
    item = trace("\N{SNOWMAN}")
    [found] = with_surprise(Given(lm, [item]), Given(lm, [item]).shown())  # type: ignore[arg-type]
    encoded = encode_trace(lm.tokenizer, item)
    first = encoded.positions["prompt_end"][0] + 1
    assert len(encoded.ids) - first >= 3, "three bytes"
    values = ij.extract(lm, [encode_trace(lm.tokenizer, item, roles=("response",))], [surprise._STATS])
    pieces = [one for step in found.heat["response"] for one in step]
    assert pieces[-1][0] == "\N{SNOWMAN}"
    assert sum(nats for _, nats in pieces) == pytest.approx(
        -float(values.ragged[surprise._STATS.name][0].sum()), abs=0.02
    )


def test_responses_of_every_kind_but_choices(lm: Any) -> None:
    items: list[Item] = [
        Rating(item_id="r", prompt="Say hi.", response="hi"),
        Pair(pair_id="p", prompt="Say hi.", response_a="hi", response_b="no"),
        Choice(question_id="c", question="?", options=("x", "y")),
        trace("", "empty"),
    ]
    found = with_surprise(Given(lm, items), Given(lm, items).shown())  # type: ignore[arg-type]
    assert [{name: text_of(steps) for name, steps in one.heat.items()} for one in found] == [
        {"response": "hi"},
        {"response a": "hi", "response b": "no"},
        {},
        {},
    ]


def test_the_first_items_are_read_and_read_once(lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items: list[Item] = [trace(f"{k}", f"q{k}") for k in range(READ + 3)]
    first = with_surprise(Given(lm, items, tmp_path), Given(lm, items).shown())  # type: ignore[arg-type]
    assert [bool(one.heat) for one in first] == [True] * READ + [False] * 3
    monkeypatch.setattr(surprise, "extracted", lambda *_: pytest.fail("read again"))
    assert with_surprise(Given(lm, items, tmp_path), Given(lm, items).shown()) == first  # type: ignore[arg-type]


def test_a_long_response_is_cut(lm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surprise, "LONG", 20)
    item = trace("7 " * 20)
    (steps,) = with_surprise(Given(lm, [item]), Given(lm, [item]).shown())[0].heat["response"]  # type: ignore[arg-type]
    assert steps[-1] == [" … (20 more characters)", None]
    assert len("".join(text for text, _ in steps[:-1])) in (20, 21)  # a token may reach beyond


def test_a_response_whose_log_probabilities_are_no_numbers_is_shown_plain(
    lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As half precision may overflow; the report must still be written."""
    read = surprise.extracted

    def odd(*args: Any) -> Any:
        found = read(*args)
        ((name, ragged),) = found.ragged.items()
        values = ragged.values.copy()
        values[0] = float("nan")
        return replace(found, ragged={name: replace(ragged, values=values)})

    monkeypatch.setattr(surprise, "extracted", odd)
    items: list[Item] = [trace("7 8", "q0"), trace("9", "q1")]
    first, second = with_surprise(Given(lm, items, tmp_path), Given(lm, items).shown())  # type: ignore[arg-type]
    assert (first.heat, list(second.heat)) == ({}, ["response"])


def test_the_report_shades_numbers_and_escapes(tmp_path: Path) -> None:
    rows = [
        {"question_id": f"q{q}", "candidate_id": str(c), "prompt": PROMPT, "correct": bool(c),
         "response": f"<think>7+5={12 + c};\n\n{q}</think><b>&{q}"}
        for q in range(6) for c in range(2)
    ]  # fmt: skip
    found = ij.compare(ij.load("reference"), rows, judges=["clue"])
    page = found.report(tmp_path / "out").read_text("utf-8")
    shaded = re.findall(r'<pre class="heat">(.*?)</pre>', page, re.DOTALL)
    assert len(shaded) == len(found.found.parts[0].items) > 0
    for body in shaded:
        assert not set(re.findall(r"</?(\w+)", body)) - {"i", "b"}
        bare = re.sub(r"<b>step \d: mean \d+\.\d\d</b>", "", body)
        assert "<b>&" in unescape(re.sub(r"</?i[^>]*>", "", bare)), "text of the response, and no tag"
        for level, nats in re.findall(r'<i(?: class="h(\d)")? title="([\d.]+)"', bare):
            # Bounds 0.5, 1, 2, 4, 8: the title has one decimal, so a number at a bound may be of either side.
            assert any(
                sum(v >= b for b in (0.5, 1, 2, 4, 8)) == int(level or 0)
                for v in (float(nats) - 0.05, float(nats) + 0.05)
            )
    assert 'class="numbers"' in page
    assert "in nats" in page
    assert "step 2: mean" in page


def test_steps_of_ones_own_are_the_steps(lm: Any) -> None:
    item = replace(trace("<think>7+5=12;12*3=36;</think>36"), steps=((7, 14), (14, 22)))
    [found] = with_surprise(Given(lm, [item]), Given(lm, [item]).shown())  # type: ignore[arg-type]
    first, second = found.heat["response"]
    assert text_of([first]) == "<think>7+5=12;", "what stands before the first step goes with it"
    assert text_of([second]) == "12*3=36;</think>36"
