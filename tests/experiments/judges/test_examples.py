"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import pytest
from innerjudge.experiments.judges.opponent import as_given, chance_of
from innerjudge.experiments.judges.pairs import items_of_pairs
from innerjudge.experiments.judges.panel import EVERY, chosen, cost_in_words, needs_of, panel
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Pair
from innerjudge.probes.judge import Verdict


def test_items_of_pairs() -> None:
    items, places, reasons = items_of_pairs([("2+2?", "4"), ("2+2?", None)], "trace", context=None)
    found = items[0].response, places, reasons
    assert found == ("4", [0], {1: "the response is of type NoneType, not a string or a list of messages"})


def test_chance_of() -> None:
    found = chance_of("pair", [Pair(pair_id=str(k), prompt="?", response_a="x", response_b="y") for k in range(25)])
    assert found == (0.5, 0.1)


def test_as_given() -> None:
    assert as_given([Verdict("p", score=1.0, label="a")], swapped=True)[0].label == "b"


def test_cost_in_words() -> None:
    from innerjudge.probes import CLUE, EScore, TextClassifier

    found = [cost_in_words(judge) for judge in (CLUE(), EScore(), TextClassifier())]
    assert found == ["a pass over the item", "a prompt for the verdict", "nothing"]


def test_chosen() -> None:
    seats = panel("trace", between=("reasoning_start", "reasoning_end"), scale=(1, 5))
    found = list(chosen(seats, ["clue"]))[:3], len(chosen(seats, [])), len(chosen(seats, [EVERY])) == len(seats)
    assert found == (["clue", "token-log-probability", "deepconf-mean"], 17, True)


def test_needs_of() -> None:
    found = sorted(needs_of(["tokens/response.entropy", "coe-r"]))
    assert found == ["hidden/response.mean", "tokens/response.entropy"]
    own = ["hidden/own_text(step_end).none[-1]", "tokens/own_text(response).entropy", "hidden/own_text(score).mean"]
    assert sorted(needs_of(own)) == sorted(own)
    assert needs_of(["own_text(response)"]) == {"hidden/own_text(response).mean"}
    with pytest.raises(InnerjudgeError, match=r"given 'own_text\(foo\)' to read, expected a readout such as"):
        needs_of(["own_text(foo)"])
