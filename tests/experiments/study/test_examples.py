"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import pytest
from innerjudge.experiments.study.spec import parse
from innerjudge.models.errors import InnerjudgeError


def test_study() -> None:
    study = parse("data: [{source: builtin:rate, limit: 40}]\njudges: [lager, text]")
    assert (study.model.name, study.splits.fit, study.data[0].limit) == ("reference", 0.4, 40)


def test_parse() -> None:
    with pytest.raises(InnerjudgeError) as raised:
        parse("data: [{source: builtin:rate, limit: 0}]")
    assert str(raised.value) == "given 0 for data.0.limit, expected: input should be greater than or equal to 1"
