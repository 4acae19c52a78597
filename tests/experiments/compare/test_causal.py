"""The causal test: a head that answers is missed, others are not."""

from __future__ import annotations

from typing import Any

import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.compare import by_block as causal
from innerjudge.experiments.compare.by_block import CausalTest, causal_test
from innerjudge.models import Choice
from innerjudge.models.loading import LanguageModel

CHOICES = [
    Choice(question_id=f"q{k}", question="Which is a fruit?", options=("iron", "pear", "rope"), answer=k % 3)
    for k in range(6)
]


def test_figures(reference: LanguageModel) -> None:
    result = causal_test(reference, CHOICES, [(2, 0), (2, 1), (5, 3)], draws=3, seed=1)
    assert (result.n, len(result.without_random)) == (6, 3)
    assert all(0 <= share <= 1 for share in (result.whole, result.without_chosen, *result.without_random))
    assert result == causal_test(reference, CHOICES, [(2, 0), (2, 1), (5, 3)], draws=3, seed=1)
    assert not any(m._forward_pre_hooks for m in reference.model.modules())


def test_random_heads_are_others_of_the_same_blocks(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    plain = causal.ablated
    monkeypatch.setattr(causal, "ablated", lambda lm, heads: taken.append(list(heads)) or plain(lm, heads))
    causal_test(reference, CHOICES[:2], [(2, 0), (5, 1)], draws=8)
    whole, chosen, *draws = taken
    assert (whole, chosen) == ([], [(2, 0), (5, 1)])
    assert all([block for block, _ in draw] == [2, 5] for draw in draws)
    assert not any({(2, 0), (5, 1)} & set(draw) for draw in draws)
    assert len({tuple(draw) for draw in draws}) > 1


def test_fall() -> None:
    result = CausalTest(heads=((1, 0),), whole=0.8, without_chosen=0.3, without_random=(0.8, 0.6), n=10)
    assert result.fall == pytest.approx(0.4)


def test_nothing_to_test(reference: LanguageModel) -> None:
    open_ended = [Choice(question_id="q", question="?", options=("a", "b"))]
    with pytest.raises(InnerjudgeError, match="given 0 questions with answers, 1 heads and 5 draws"):
        causal_test(reference, open_ended, [(1, 0)])
    with pytest.raises(InnerjudgeError, match="given 6 questions with answers, 0 heads"):
        causal_test(reference, CHOICES, [])
