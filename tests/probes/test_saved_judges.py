"""What is saved of a judge: plain data, the same scores when it is loaded, and nothing else is loaded."""

import json

import numpy as np
import pytest
from innerjudge.models import InnerjudgeError
from innerjudge.models.foreign import dump_sealed
from innerjudge.probes import CLUE, LAGER, LetterLogits, PooledProbe, load, save

from .test_every_judge import CASES, CORRECT, fitted


@pytest.mark.parametrize("name", CASES)
def test_saved_and_loaded_scores_are_equal(name, make, tmp_path):
    judge, features = fitted(name, make()), make(seed=1)
    save(judge, tmp_path / "judge")
    again = load(tmp_path / "judge")
    assert type(again) is type(judge)
    assert again.get_params() == judge.get_params()
    assert again.provenance_ == judge.provenance_
    np.testing.assert_array_equal(again.decision_function(features), judge.decision_function(features))
    assert again.verdicts(features) == judge.verdicts(features)
    for attribute in judge.fitted:
        expected, found = getattr(judge, attribute, None), getattr(again, attribute, None)
        assert type(found) is type(expected), attribute
        np.testing.assert_array_equal(found, expected)
    assert sorted(p.name for p in (tmp_path / "judge").iterdir()) == ["judge.json", "judge.safetensors"]


def test_nothing_but_known_judges_is_saved(tmp_path):
    class Mine(LAGER):
        pass

    with pytest.raises(InnerjudgeError, match="given a Mine to save"):
        save(Mine(), tmp_path / "judge")
    assert not (tmp_path / "judge").exists()


@pytest.fixture
def folder(make, tmp_path):
    save(CLUE().fit(make(), CORRECT), tmp_path)
    return tmp_path


def edit(folder, **changes):
    """Change the header, and make its checksum fit."""
    header = json.loads((folder / "judge.json").read_text())
    (folder / "judge.json").write_bytes(dump_sealed(header | changes))


@pytest.mark.parametrize(
    "change",
    [
        {"judge": "Popen"},
        {"judge": ["CLUE"]},
        {"format": 99},
        {"params": {"colour": "red"}},
        {"params": {"score": "both"}},
        {"params": None},
        {"fitted": {"_labels": 3}},
        {"fitted": None},
        {"arrays": {}},
        {"files": {}},
        {"files": {"judge.safetensors": "0" * 64}},
        {"files": {"../judge.safetensors": "0" * 64}},
        {"params": {"embedding": "no"}},
        {"params": {"start": 5}},
        {"fitted": {"n_excluded_": -1, "groups_seen_": []}},
        {"fitted": {"n_excluded_": 0, "groups_seen_": [1]}},
        {"provenance": {"model": "m"}},
        {"provenance": 3},
    ],
)
def test_a_header_that_was_tampered_with_is_refused(folder, change):
    edit(folder, **change)
    with pytest.raises(InnerjudgeError):
        load(folder)


def test_garbled_folders_are_refused(folder):
    with pytest.raises(InnerjudgeError, match=r"expected a folder with judge\.json"):
        load(folder / "nowhere")
    blob = (folder / "judge.safetensors").read_bytes()
    for wrong in (blob[:-3], b"", blob[:40] + b"\xff" + blob[41:]):
        (folder / "judge.safetensors").write_bytes(wrong)
        with pytest.raises(InnerjudgeError, match="it cannot be read"):
            load(folder)
    (folder / "judge.safetensors").unlink()
    with pytest.raises(InnerjudgeError, match="it cannot be read"):
        load(folder)
    for wrong in (b"{", b"[]", b"3", b"\xff\xfe", b"{}"):
        (folder / "judge.json").write_bytes(wrong)
        with pytest.raises(InnerjudgeError):
            load(folder)


def test_a_saved_judge_is_plain_data(folder):
    header = json.loads((folder / "judge.json").read_text())
    assert header["judge"] == "CLUE"
    assert header["provenance"]["fingerprint"] == "f"
    assert header["params"]["scale"] is False
    assert header["innerjudge"]
    assert b"pickle" not in (folder / "judge.safetensors").read_bytes()


def test_a_probe_that_was_saved_without_its_row_loads(make, tmp_path):
    judge, features = fitted("pooled", make()), make(seed=1)
    save(judge, tmp_path)
    edit(tmp_path, fitted={"n_excluded_": 0})
    assert load(tmp_path).row_ is None
    np.testing.assert_array_equal(load(tmp_path).decision_function(features), judge.decision_function(features))
    save(PooledProbe(), tmp_path)  # not fitted
    assert load(tmp_path).provenance_ is None


def test_saving_replaces_what_was_there(folder, make):
    save(LetterLogits(), folder)
    assert isinstance(load(folder), LetterLogits)
