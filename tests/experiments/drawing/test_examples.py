"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.drawing.lines import look
from innerjudge.experiments.drawing.style import are_in, counted, duration, number


def test_number() -> None:
    found = number(0.7149), number(-0.001), number(None), number(0.1, sign=True)
    assert found == ("0.71", "0.00", "\u2013", "+0.10")


def test_look() -> None:
    assert (look(0)["color"], look(1)["linestyle"]) == ("#0072B2", "--")


def test_duration() -> None:
    found = duration(0.00123), duration(0.256), duration(3.14), duration(125.0), duration(None)
    assert found == ("1.2 ms", "260 ms", "3.1 s", "2.1 min", "\u2013")


def test_counted() -> None:
    assert (counted(1, "shard"), counted(2, "shard"), counted(0, "item")) == ("1 shard", "2 shards", "0 items")


def test_are_in() -> None:
    found = are_in(1, "item", "runs/f"), are_in(3, "verdict", "v.jsonl")
    assert found == ("1 item is in runs/f.", "3 verdicts are in v.jsonl.")
