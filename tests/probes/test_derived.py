"""What a judge's parameters say of it follows them; a class of somebody else may say otherwise, in any way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge.probes import CLUE, LAGER, Length, LogisticProbe, QKScore, RidgeProbe
from sklearn.base import clone

from .conftest import features


def test_it_follows_the_parameters() -> None:
    probe = RidgeProbe()
    assert probe.kinds[0] == "rating"
    probe.set_params(positions=("prompt_end",))
    assert probe.kinds[0] == clone(probe).kinds[0] == "trace"
    probe.centre = "question"
    assert (probe.on_request, probe.reads_unlabelled) == (True, True)
    assert Length(target="rating").kinds[0] == "rating"
    assert (CLUE(balance=True).keeps_questions_whole, CLUE().keeps_questions_whole) == (True, False)
    assert (QKScore(abstain=False).needs_abstain_lines, QKScore().needs_abstain_lines) == (True, False)
    assert (LAGER(values=(0, 1)).needs_threshold, LAGER().needs_threshold) == (True, False)


class ByProperty(LogisticProbe):
    @property
    def on_request(self) -> bool:
        return True

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("rating",)


class ByValue(LogisticProbe):
    on_request = reads_unlabelled = True
    kinds = ("rating",)


class ByHand(LogisticProbe):
    def __init__(self, centre: Any = "question") -> None:
        self.centre = centre


@pytest.mark.parametrize("judge", [ByProperty(positions=("score",)), ByValue(positions=("score",))])
def test_a_subclass_may_say_otherwise(judge: LogisticProbe) -> None:
    assert (judge.on_request, judge.kinds) == (True, ("rating",))


def test_a_subclass_with_a_constructor_of_its_own_is_described_as_well() -> None:
    assert (ByHand().on_request, ByHand("none").on_request) == (True, False)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_no_verdict(odd: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a judge whose arrays are damaged, or of states beyond float16: a reason, never NaN in a file."""
    monkeypatch.setattr(RidgeProbe, "_scores", lambda _self, part: np.array([1.5, odd, 2.5][: len(part)]))
    judge = RidgeProbe(row=-1).fit(features(24), np.arange(24) % 5 + 1)
    first, second, third = judge.verdicts(features(3))
    assert (first.score, third.score) == (1.5, 2.5)
    assert (second.score, second.label) == (None, None)
    assert str(second.unscored).startswith("its score is no finite number")
