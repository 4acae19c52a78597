"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import torch
from innerjudge.experiments.runs.extracting.ranks import Ranks, own_device
from innerjudge.experiments.runs.extracting.summary import Disk, Meter, reasons_of, speed, stored_bytes


def test_meter() -> None:
    from innerjudge.models.loading import load

    lm = load("reference")
    with Meter(lm) as meter:
        _ = lm.model(input_ids=torch.ones(2, 3, dtype=torch.long))
    assert meter.tokens == 6


def test_reasons_of() -> None:
    found = reasons_of([{"hidden/a": "7 tokens"}, {"hidden/a": "8 tokens", "logprob": "8 tokens"}])
    assert found == [("hidden/a", 2, "7 tokens"), ("logprob", 1, "8 tokens")]


def test_own_device() -> None:
    assert own_device("cpu") == "cpu"


def test_ranks() -> None:
    assert (Ranks(1, 3).mine([10, 11, 12, 13, 14]), Ranks().first) == ([11, 14], True)


def test_disk() -> None:
    disk = Disk(free=40, total=100)
    assert (disk.holds(40), disk.holds(41), disk.spares(35), disk.spares(36)) == (True, False, True, False)
    assert (Disk(free=3, total=100).spares(0.3), Disk(free=3, total=100).spares(0.4)) == (True, False)


def test_stored_bytes() -> None:
    assert (stored_bytes("hidden/score", (3, 100), "int8"), stored_bytes("labels", (), "int8")) == (312, 4)


def test_speed() -> None:
    found = speed(items=200, tokens=5000, seconds=4.0)
    assert found == "200 items and 5,000 tokens in 4.0 s: 50.0 items/s"
