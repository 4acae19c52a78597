"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.compare.report.draw import slug


def test_slug() -> None:
    assert slug("builtin:rate", "ranking") == "builtin-rate-ranking"
