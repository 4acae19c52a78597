"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.judges.opponent import as_given, chance_of
from innerjudge.experiments.judges.pairs import items_of_pairs
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
