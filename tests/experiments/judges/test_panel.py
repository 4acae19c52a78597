"""Which judges sit on the panel."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge.experiments.judges.panel import askable, chosen, panel
from innerjudge.experiments.reading.cost import CostCounter
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import read
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.probes import CLUE, TokenConfidence, TokenLogProb

BETWEEN = ("prompt_end", "response_end")


@pytest.mark.parametrize("kind", ["trace", "rating", "choice", "pair"])
def test_every_kind_has_hidden_states_text_and_another_opponent(kind: str) -> None:
    seats = panel(kind, between=BETWEEN, scale=(1, 5))
    families = {seat.family for seat in seats.values()}
    assert {"hidden", "text", "logits"} <= families <= {"hidden", "text", "logits", "baseline"}
    assert seats["text"].family == "text"
    again = panel(kind, between=BETWEEN, scale=(1, 5))
    assert all(again[name].judge is not seat.judge for name, seat in seats.items()), "a judge fitted once serves twice"
    direct = askable(seats, reasoning=False, abstain=True)
    own = {"trace": {"calibration-probe"}, "choice": {"qk-after-reasoning"}}
    assert set(seats) - set(direct) == {"text-reasoned"} | own.get(kind, set())


GREY = {"token-log-probability", "deepconf-mean"}


@pytest.mark.parametrize("kind", ["trace", "rating", "choice", "pair"])
def test_a_default_panel_has_at_most_twelve_judges(kind: str) -> None:
    seats = panel(kind, between=BETWEEN, scale=(1, 5))
    of_steps = {name for name, seat in seats.items() if seat.judge.of_steps}
    assert len(chosen(seats, []).keys() - of_steps) <= 12
    assert len(chosen(seats, ["all"])) == len(seats) > len(chosen(seats, []))


@pytest.mark.parametrize("kind", ["trace", "rating", "pair"])
def test_grey_box_scores_stand_beside_whatever_is_named(kind: str) -> None:
    seats = panel(kind, between=BETWEEN, scale=(1, 5))
    for names in ([], ["text"], ["lager"]):
        found = chosen(seats, names)
        assert found.keys() >= GREY
        assert {found[name].family for name in GREY} == {"baseline"}
    if kind != "pair":
        assert {"verdict-logits", "e-score"} & chosen(seats, []).keys(), "P(true), or the expected grade"


def test_grey_box_scores_are_of_the_pass_that_reads_the_states(reference: LanguageModel) -> None:
    traces = [
        Trace(
            question_id="q", candidate_id=str(k), prompt="Start with 7. Add 5.", response=f"<think>7+5={k}</think>{k}"
        )
        for k in (11, 12)
    ]
    seats = panel("trace", between=("reasoning_start", "reasoning_end"), scale=(1, 5))
    grey = [seat.judge for seat in seats.values() if isinstance(seat.judge, TokenConfidence | TokenLogProb)]
    runs: list[int] = []
    handle = reference.anatomy.blocks[0].register_forward_hook(lambda *_: runs.append(1))
    try:
        read(reference, traces, judges=[CLUE(), TokenLogProb()])
        alone = len(runs)
        features = read(reference, traces, judges=[CLUE(), *grey])
    finally:
        handle.remove()
    assert len(runs) == 2 * alone
    counter = CostCounter(reference, traces, Passes())
    costs = {counter.of(judge.needs, features) for judge in (CLUE(), *grey)}
    assert [one.prompts for one in costs] == [1.0], "all of one pass over the item"
    found = {type(judge).__name__ + str(judge.needs): judge.decision_function(features) for judge in grey}
    assert all(np.isfinite(scores).all() for scores in found.values())


def test_without_abstain_lines_no_judge_leaves_them_out() -> None:
    seats = panel("choice", between=BETWEEN, scale=(1, 5))
    assert set(seats) - set(askable(seats, reasoning=True, abstain=False)) == {
        "qk-score-no-abstain",
        "letter-logits-no-abstain",
    }
    traces = panel("trace", between=BETWEEN, scale=(1, 5))
    assert set(askable(traces, reasoning=True, abstain=False)) >= {"clue", "text"}


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
