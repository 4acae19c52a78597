"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.extraction.readouts import range_readout


def test_range_readout() -> None:
    found = range_readout("tokens/response.top(20)"), range_readout("hidden/score")
    assert repr(found) == ("(TokenStats(role='response', what='top(20)'), None)")
