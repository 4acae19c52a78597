"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.extraction.store.precision import Rounding


def test_rounding() -> None:
    assert (Rounding(1.0, 100.0, 0.2) + Rounding(3.0, 300.0, 0.1)).relative == 0.1
