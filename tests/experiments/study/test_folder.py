"""The folder of a study, and the comparison of two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.compare.report.folder import claim, read_results
from innerjudge.experiments.study.diff import compare_studies
from innerjudge.models.foreign import sealed


def test_two_studies_compared() -> None:
    base = {"data": "d", "part": "p", "judge": "j", "metric": "m"}
    one = {
        "spec": {"seeds": {"data": 0}},
        "versions": {"torch": "1"},
        "figures": [
            base | {"value": 0.5, "low": 0.4, "high": 0.6},
            base | {"judge": "k", "value": None},
            base | {"judge": "l", "value": 0.5, "low": 0.1, "high": 0.9},
            base | {"judge": "gone", "value": 1},
        ],
    }
    two = {
        "spec": {"seeds": {"data": 1}},
        "versions": {"torch": "2"},
        "figures": [
            base | {"value": 0.9, "low": 0.85, "high": 0.95},
            base | {"judge": "k", "value": 0.5},
            base | {"judge": "l", "value": 0.6, "low": 0.2, "high": 0.95},
        ],
    }
    found = compare_studies(one, two)
    assert found.spec == (("seeds.data", 0, 1),)
    assert found.versions == (("torch", "1", "2"),)
    j, k, wide = found.moved
    # half widths 0.1 and 0.05: sqrt(0.1^2 + 0.05^2) = 0.1118 about a change of 0.4
    assert (j.low, j.high) == (pytest.approx(0.4 - 0.1118, abs=1e-3), pytest.approx(0.4 + 0.1118, abs=1e-3))
    assert (j.apart, k.change, wide.apart) == (True, None, False)
    assert found.only_first == (("d", "p", "gone", "m", ""),)


def test_data_sets_are_compared_field_by_field() -> None:
    one, two, three = (
        {"spec": {"data": data, "judges": ["a"]}, "versions": {}, "figures": []}
        for data in ([{"source": "s", "limit": 1}], [{"source": "s", "limit": 2}], [])
    )
    assert compare_studies(one, two).spec == (("data.0.limit", 1, 2),)
    assert compare_studies(one, three).spec == (("data", [{"source": "s", "limit": 1}], []),)


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(InnerjudgeError, match="holds other files"):
        claim(tmp_path / "full", {}, name="study.json")
    claim(tmp_path / "new", {}, name="study.json")
    claim(tmp_path / "new", {}, name="study.json")
    figure = '{"data": "d", "part": "p", "judge": "j", "metric": "m", "value": %s, "low": null, "high": null}'
    whole = '{"spec": {}, "versions": {}, "figures": [' + figure + "]}"
    (tmp_path / "new" / "results.json").write_text(json.dumps(sealed(json.loads(whole % "0.5"))))
    assert read_results(tmp_path / "new")["figures"][0]["value"] == 0.5
    no_study = (
        "{}",
        '{"figures": [{}]}',
        "not json",
        "[1]",
        '{"figures": []}',
        '{"spec": {}, "versions": {}, "figures": 3}',
    )
    for broken in (*no_study, whole % '"0.5"', whole % "NaN", whole.replace("{}", "3", 1) % "0.5"):
        (tmp_path / "new" / "results.json").write_text(broken)
        with pytest.raises(InnerjudgeError, match="holds no results of a study"):
            read_results(tmp_path / "new")
    with pytest.raises(InnerjudgeError, match="expected the folder of a finished study"):
        read_results(tmp_path / "full")
