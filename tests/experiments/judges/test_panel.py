"""Which judges sit on the panel."""

from __future__ import annotations

import pytest
from innerjudge.experiments.judges.panel import panel, without_abstain, without_reasoning
from innerjudge.models.errors import InnerjudgeError

BETWEEN = ("prompt_end", "response_end")


@pytest.mark.parametrize("kind", ["trace", "rating", "choice", "pair"])
def test_every_kind_has_hidden_states_text_and_another_opponent(kind: str) -> None:
    seats = panel(kind, between=BETWEEN, scale=(1, 5))
    families = {seat.family for seat in seats.values()}
    assert {"hidden", "text", "logits"} <= families <= {"hidden", "text", "logits", "baseline"}
    assert seats["text"].family == "text"
    again = panel(kind, between=BETWEEN, scale=(1, 5))
    assert all(again[name].judge is not seat.judge for name, seat in seats.items()), "a judge fitted once serves twice"
    direct = without_reasoning(seats)
    assert set(seats) - set(direct) == {"text-reasoned"}


def test_without_abstain_lines_no_judge_leaves_them_out() -> None:
    seats = panel("choice", between=BETWEEN, scale=(1, 5))
    assert set(seats) - set(without_abstain(seats)) == {"qk-score-no-abstain", "letter-logits-no-abstain"}
    assert set(without_abstain(panel("trace", between=BETWEEN, scale=(1, 5)))) >= {"clue", "text"}


def test_positions_and_scale_reach_the_judges() -> None:
    traces = panel("trace", between=BETWEEN, scale=(1, 5))
    for name in ("clue", "clue-margin-balanced", "difference-of-means", "logistic-probe"):
        assert traces[name].judge.needs == ("hidden/prompt_end", "hidden/response_end"), name
    for kind in ("rating", "pair"):
        for name, seat in panel(kind, between=BETWEEN, scale=(0, 3)).items():
            values = getattr(seat.judge, "values", None)
            if values is not None and tuple(values) != (1, 0):
                assert tuple(values) == (0, 1, 2, 3), (kind, name)


def test_an_unknown_kind() -> None:
    with pytest.raises(InnerjudgeError, match="'song'"):
        panel("song", between=BETWEEN, scale=(1, 5))
