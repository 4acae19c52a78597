"""What `innerjudge look` says of ratings that have a scale of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from innerjudge.experiments.data.labels import scale_of
from innerjudge.experiments.runs.look import look_at
from innerjudge.models.items import Rating
from typer.testing import CliRunner


def ratings(*scales: list[float] | None) -> list[Rating]:
    return [
        Rating(item_id=str(k), prompt="Say hi.", response="hi", scores=(2.0,), extra={"scale": one} if one else {})
        for k, one in enumerate(scales)
    ]


def test_the_scale_of_the_data_is_what_items_are_asked_on() -> None:
    seen = look_at(ratings([0, 3], [0, 3]))
    assert seen.facts["scores"] == "2 to 2, mean 2.00; their scale is 0 to 3, asked for as with --scale 0-3"
    assert all("from 0 to 3" in one for one in seen.items)
    assert not seen.unscored
    named = look_at(ratings([0, 3]), scale=(1, 7))
    assert "from 1 to 7" in named.items[0]
    assert named.facts["scores"].endswith("their scale is 0 to 3, asked for as with --scale 1-7")


@pytest.mark.parametrize("scales", [([0, 3], [1, 5]), ([0, 3], None), (None, None), ([0, 0.5],)])
def test_without_one_scale_of_whole_numbers_it_is_1_to_5(scales: tuple[list[float] | None, ...]) -> None:
    seen = look_at(ratings(*scales))
    assert scale_of(ratings(*scales)) is None
    assert all("from 1 to 5" in one for one in seen.items)
    assert "scale" not in seen.facts["scores"]


def test_a_scale_with_labels_of_two_digits_is_told_and_not_asked_on() -> None:
    seen = look_at(ratings([0, 100]))
    assert seen.facts["scores"].endswith("their scale is 0 to 100, asked for as with --scale 1-5")
    assert "from 1 to 5" in seen.items[0]


def test_on_the_command_line(tmp_path: Path) -> None:
    from innerjudge.experiments.cli.main import app

    row = {"item_id": "r", "prompt": "Say hi.", "response": "hi", "scores": [2], "scale": [0, 3]}
    (tmp_path / "r.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    said = CliRunner().invoke(app, ["look", str(tmp_path / "r.jsonl"), "--items", "1"]).stdout
    assert "Rate the response from 0 to 3" in said
    said = CliRunner().invoke(app, ["look", str(tmp_path / "r.jsonl"), "--items", "1", "--scale", "1-5"]).stdout
    assert "Rate the response from 1 to 5" in said
