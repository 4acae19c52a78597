"""Start times: fresh processes in turn, and the page that is written of them."""

from __future__ import annotations

import json

import pytest
from innerjudge.experiments.bench.start import measure
from innerjudge.experiments.bench.start.measure import BARS, FLOOR, RECORD, commands, measured, page, started


def test_a_start_is_timed_and_one_that_fails_is_told() -> None:
    wall, cpu = started(("-c", "sum(range(10**6))"))
    assert wall > 0
    assert cpu > 0
    with pytest.raises(SystemExit, match="no-such-module"):
        started(("-c", "raise ImportError('no-such-module')"))


def test_what_is_kept_of_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU 2, 4, 3 of the floor and 3, 4, 6 of the other: ratios 1.5, 1 and 2, of which 1.5 is the middle."""
    times = iter([(9.0, 9.0)] * 2 + [(5.0, 2.0), (7.0, 3.0), (6.0, 4.0), (8.0, 4.0), (4.0, 3.0), (9.0, 6.0)])
    monkeypatch.setattr(measure, "commands", lambda _: {FLOOR: ("a",), "b": ("b",)})
    monkeypatch.setattr(measure, "started", lambda _: next(times))
    found = measured("m", 3)
    assert found[FLOOR] == {"least wall s": 4.0, "least CPU s": 2.0, "middle CPU s": 3.0, "of the floor": 1.0}
    assert found["b"] == {"least wall s": 7.0, "least CPU s": 3.0, "middle CPU s": 4.0, "of the floor": 1.5}


def test_the_committed_page_is_that_of_the_record() -> None:
    record = json.loads(RECORD.read_text("utf-8"))
    found = record.pop("starts")
    assert page(record, found) == RECORD.with_suffix(".md").read_text("utf-8")
    assert found.keys() == commands("m").keys() >= {FLOOR, *BARS}
