"""What is read of each kind of item is what its judges need, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from innerjudge.experiments import views
from innerjudge.experiments.panel import panel
from innerjudge.experiments.passes import Passes
from innerjudge.experiments.views import pair_features, read
from innerjudge.extraction import extract
from innerjudge.extraction.readouts import LabelLogits
from innerjudge.models.items import Choice, Item, Pair, Rating, Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_prompt
from innerjudge.models.prompts import pair_prompt

BETWEEN = ("reasoning_start", "reasoning_end")
ITEMS: dict[str, list[Item]] = {
    "trace": [
        Trace(question_id="q", candidate_id=f"{k}", prompt="1+1?", response=f"<think>1+1={k}</think>{k}")
        for k in range(3)
    ],
    "rating": [Rating(item_id=f"r{k}", prompt="Say hi.", response="hi " * (k + 1)) for k in range(3)],
    "choice": [Choice(question_id=f"c{k}", question="?", options=("x", "y", "z")[: k + 2]) for k in range(2)],
    "pair": [Pair(pair_id=f"p{k}", prompt="?", response_a="x", response_b="y" * (k + 1)) for k in range(2)],
}


@pytest.mark.parametrize("kind", ITEMS)
def test_every_judge_finds_what_it_needs(reference: LanguageModel, kind: str) -> None:
    found = read(reference, ITEMS[kind], Passes(reasoning_tokens=4))
    assert found.ids == tuple(item.id for item in ITEMS[kind])
    assert found.groups == tuple(item.group for item in ITEMS[kind])
    there = found.arrays.keys() | found.texts.keys()
    for name, seat in panel(kind, between=BETWEEN, scale=(1, 5)).items():
        if not seat.pointwise:
            assert set(seat.judge.needs) <= there, name


@pytest.mark.parametrize("kind", ITEMS)
def test_a_judge_scores_alike_on_what_it_asked_for(
    reference: LanguageModel, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the passes that a judge needs are run, and they give it the same verdicts."""
    calls: list[str] = []
    for name in ("extract", "generate"):
        real = getattr(views, name)
        monkeypatch.setattr(
            views, name, lambda *a, _real=real, _name=name, **k: (calls.append(_name), _real(*a, **k))[1]
        )
    everything = read(reference, ITEMS[kind], Passes(reasoning_tokens=4))
    passes = {"trace": 2, "rating": 2, "choice": 1, "pair": 1}[kind]
    assert calls == ["extract", "generate", "generate"] + ["extract"] * (passes - 1)
    for name, seat in panel(kind, between=BETWEEN, scale=(1, 5)).items():
        if seat.pointwise or seat.judge.learns:
            continue
        calls.clear()
        part = read(reference, ITEMS[kind], Passes(reasoning_tokens=4), judges=[seat.judge])
        texts = {"direct", "reasoned"}.intersection(seat.judge.needs)
        assert calls.count("generate") == len(texts), name
        assert calls.count("extract") == (set(seat.judge.needs) > texts), name
        one, two = seat.judge.verdicts(everything), seat.judge.verdicts(part)
        assert [v.unscored for v in one] == [v.unscored for v in two]
        for a, b in zip(one, two, strict=True):
            if a.score is not None and b.score is not None:
                np.testing.assert_allclose(a.score, b.score, atol=1e-4)


def test_a_swapped_pair_is_the_pair_of_swapped_responses(reference: LanguageModel) -> None:
    pairs = [item for item in ITEMS["pair"] if isinstance(item, Pair)]
    turned = [replace(p, response_a=p.response_b, response_b=p.response_a) for p in pairs]
    passes = Passes(needs=frozenset({"logits/score"}))
    swapped = pair_features(reference, pairs, passes, swapped=True)
    by_hand = pair_features(reference, turned, passes, swapped=False)
    np.testing.assert_array_equal(swapped["logits/score"], by_hand["logits/score"])
    plain = pair_features(reference, pairs, passes, swapped=False)
    asked = [pair_prompt(p.prompt, p.response_a, p.response_b) for p in pairs]
    encoded = [encode_prompt(reference.tokenizer, p.id, p.id, q) for p, q in zip(pairs, asked, strict=True)]
    as_given = extract(reference, encoded, [LabelLogits()])
    np.testing.assert_allclose(plain["logits/score"], as_given["logits/score"], atol=1e-4)
    assert np.abs(plain["logits/score"] - swapped["logits/score"]).max() > 1e-3


def test_a_scale_gives_as_many_labels(reference: LanguageModel) -> None:
    found = read(reference, ITEMS["rating"], Passes(scale=(2, 4), needs=frozenset({"logits/score"})))
    assert found["logits/score"].shape[-1] == 3
    assert found["labels"].tolist() == [3, 3, 3]
