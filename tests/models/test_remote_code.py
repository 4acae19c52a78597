"""A model that brings Python code of its own: refused unless asked for, and then said and recorded."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.judges.judge import Judge
from innerjudge.experiments.reading.read import read
from innerjudge.extraction.provenance import Provenance, provenance
from innerjudge.extraction.store import FeatureStore
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Rating
from innerjudge.models.loading import LanguageModel, load
from innerjudge.models.reference import WEIGHTS
from innerjudge.probes import LAGER

OWN = """
import os
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM

Path(os.environ["RAN"]).write_text("ran")


class OwnConfig(LlamaConfig):
    model_type = "own"


class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reference model under a class that comes with it; importing that leaves the file ``ran``."""
    folder = tmp_path / "own"
    shutil.copytree(WEIGHTS, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "architectures": ["OwnModel"]}
    config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(OWN)
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    return folder


def test_it_is_refused_unread(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("nobody was to be asked"))
    with pytest.raises(
        InnerjudgeError, match=r"brings Python code of its own.*trust_remote_code=True.*--trust-remote-c"
    ):
        load(str(own))
    assert not (tmp_path / "ran").exists()


def test_it_runs_where_that_was_asked_for(
    own: Path, tmp_path: Path, reference: LanguageModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="innerjudge"):
        lm = load(str(own), trust_remote_code=True)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(
        f"trust_remote_code runs the Python files that come with the model {str(own)!r}, with all your"
    )
    assert (tmp_path / "ran").exists()
    assert type(lm.model).__name__ == "OwnModel"
    items = [Rating(item_id="r", prompt="Say hi.", response="hi")]
    one, two = read(lm, items), read(reference, items)
    np.testing.assert_array_equal(one["hidden/score"], two["hidden/score"])
    known = provenance(lm)
    assert (known.remote_code, provenance(reference).remote_code) == (True, False)
    assert Provenance.from_json(json.loads(json.dumps(known.to_json()))) == known
    assert "remote_code" not in provenance(reference).to_json()
    Judge(LAGER(values=(1, 2)), lm).save(tmp_path / "judge")
    del lm
    with pytest.raises(InnerjudgeError, match="brings Python code of its own"):
        Judge.load(tmp_path / "judge")
    assert Judge.load(tmp_path / "judge", trust_remote_code=True).lm.remote_code


def test_the_command_line(cli, own: Path, tmp_path: Path) -> None:
    args = ("extract", "--model", own, "--data", "builtin:rate", "--limit", 2, "--out", tmp_path / "f")
    refused = cli(*args)
    assert refused.code == 2
    assert "--trust-remote-code" in refused.err
    done = cli(*args, "--trust-remote-code")
    assert done.code == 0, done.err
    assert "with all your rights" in done.err
    assert FeatureStore.open(tmp_path / "f").provenance.remote_code
    assert "code of the model's own  run" in " ".join(cli("store", "info", tmp_path / "f").out.split("\n"))


def test_a_study_says_so_in_its_file(own: Path) -> None:
    from innerjudge.experiments.study.spec import parse

    assert not parse("data: [{source: builtin:rate}]").model.trust_remote_code
    assert parse("{model: {name: m, trust_remote_code: true}, data: [{source: builtin:rate}]}").model.trust_remote_code
