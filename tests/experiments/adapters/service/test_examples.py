"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import pytest
from innerjudge.experiments.adapters.service.connections import room_for
from innerjudge.experiments.adapters.service.limits import Limits
from innerjudge.models.errors import InnerjudgeError


def test_room_for() -> None:
    assert 8 <= room_for(64) <= 64


def test_limits() -> None:
    with pytest.raises(InnerjudgeError) as raised:
        Limits(queue=10)
    assert str(raised.value) == (
        "given a queue of 10 pairs and requests of up to 1000, expected room for one request: raise the queue or "
        "lower the documents"
    )
