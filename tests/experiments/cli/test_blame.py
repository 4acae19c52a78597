"""What is wrong is said of the place where it is wrong, before anything is run: line, field, file or option."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import innerjudge
import numpy as np
import pytest
from innerjudge.extraction import Features, Provenance
from innerjudge.models.tensor_file import TensorFile
from safetensors.numpy import save

pytestmark = pytest.mark.usefixtures("no_pixels")

RATING = {"item_id": "r1", "prompt": "Say hi.", "response": "hi", "scores": [4]}
TRACE = {"question_id": "q", "candidate_id": "0", "prompt": "1+1?", "response": "2", "correct": True}


def refused(said: Any, *words: str) -> None:
    assert said.code == 2, said
    assert len(said.refusal) == 1, said.err
    assert "Traceback" not in said.err
    assert len(said.err) < 1000
    for word in words:
        assert word in said.err, said.err


BROKEN = {
    "a whole number of thousands of digits": ('{"item_id": "r2", "n": ' + "9" * 5000 + "}", "more than 64 bits"),
    "a number beyond every float": (json.dumps(RATING)[:-1] + ', "n": 1e999}', "beyond the range of a float"),
    "half of a surrogate pair": (json.dumps(RATING | {"response": "\ud83d"}), "half of a surrogate pair"),
    "half of one in a name": (json.dumps(RATING | {"\udc00": 1}), "half of a surrogate pair"),
    "a scale of one's own, upside down": (json.dumps(RATING | {"item_id": "r2", "scale": [5, 1]}), "'scale'"),
    "a scale of one's own, in words": (json.dumps(RATING | {"item_id": "r2", "scale": "one to five"}), "'scale'"),
    "a scale without ends": (json.dumps(RATING | {"item_id": "r2", "scale": [None, None]}), "'scale'"),
}


@pytest.mark.parametrize("command", ["extract", "compare", "plan", "look"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_line_that_cannot_be_is_named_where_it_stands(cli, tmp_path: Path, command: str, name: str) -> None:
    line, words = BROKEN[name]
    data = tmp_path / "data.jsonl"
    data.write_text(f"{json.dumps(RATING)}\n{line}\n")
    out = () if command == "look" else ("--out", tmp_path / "out")
    refused(cli(command, data, *out) if command == "look" else cli(command, "--data", data, *out), "line 2", words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ids", [7, "1 2 3", [1, -1], [1.5], [2**40], {"ids": [1]}])
def test_stored_ids_of_ones_own_are_named_where_they_stand(cli, tmp_path: Path, ids: object) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps(TRACE) + "\n" + json.dumps(TRACE | {"candidate_id": "1", "response_ids": ids}) + "\n")
    refused(cli("extract", "--data", data, "--out", tmp_path / "out"), "line 2", "'response_ids'", "token ids")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scale", ["[5, 1]", "[1, 1]", "[1, x]", "[" + "9" * 5000 + ", 1]", "{low: 1}"])
def test_a_scale_of_a_study_is_named(cli, tmp_path: Path, scale: str) -> None:
    study = tmp_path / "s.yaml"
    study.write_text(f"data: [{{source: builtin:rate, limit: 5}}]\nscale: {scale}\nreasoning_tokens: 0\n")
    refused(cli("study", study, "--out", tmp_path / "out"), "s.yaml", "scale" if "9" not in scale else "digits")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    """A saved judge that was fitted on made-up states."""
    draw = np.random.default_rng(0)
    some = Features(
        ids=tuple(map(str, range(12))),
        groups=tuple(str(k // 2) for k in range(12)),
        provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
        arrays={"hidden/reasoning_end": draw.normal(size=(12, 3, 4)).astype(np.float32)},
    )
    probe = innerjudge.LogisticProbe(positions=["reasoning_end"], row=1).fit(some, np.arange(12) % 2 == 0)
    innerjudge.save_judge(probe, tmp_path / "judge")
    return tmp_path / "judge"


def test_a_judge_with_weights_that_are_no_numbers_is_blamed_itself(cli, judge: Path, tmp_path: Path) -> None:
    from innerjudge.models.foreign import digest_of_parts, dump_sealed, parse_sealed

    file = TensorFile(judge / "judge.safetensors")
    blob = save({name: np.full_like(file[name], np.nan) if name == "coef_" else file[name] for name in file.pieces})
    (judge / "judge.safetensors").write_bytes(blob)
    header = parse_sealed((judge / "judge.json").read_bytes())
    header["files"] |= {"judge.safetensors": digest_of_parts([blob])}
    (judge / "judge.json").write_bytes(dump_sealed(header))
    said = cli("score", "--judge", judge, "--data", "builtin:solve", "--out", tmp_path / "v.jsonl")
    refused(said, "coef_", "NaN", "damaged or of another model")
    assert "JSON" not in said.err
    assert not list(tmp_path.glob("v.jsonl*"))


def test_adapters_and_gguf_files_as_a_model_say_what_is_missing(cli, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8}))
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(20))
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(tmp_path / "model.gguf", folder)
    for command in (("models",), ("extract", "--data", "builtin:rate", "--out", tmp_path / "out")):
        refused(cli(*command, "--model", adapter), "base_model_name_or_path", "owner/model")
        refused(cli(*command, "--model", tmp_path / "model.gguf"), "no whole GGUF file", "download it again")
        refused(cli(*command, "--model", folder), "no whole GGUF file")
        refused(cli(*command, "--model", tmp_path / "no.gguf"), "no.gguf", "does not exist")
    assert not (tmp_path / "out").exists()


def test_a_context_that_a_factor_stretches_is_not_the_items_fault(cli, tmp_path: Path) -> None:
    """YaRN with the length before scaling in the config: 2,048 tokens times 4 hold a text of 3,000."""
    model = tmp_path / "model"
    weights = Path(innerjudge.__file__).parent / "models" / "reference" / "weights"
    shutil.copytree(weights, model)
    config = json.loads((model / "config.json").read_text())
    short = config["max_position_embeddings"]
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps(TRACE | {"response": "1+1=2; " * (short // 3)}) + "\n")
    assert "unscored" in cli("look", data, "--model", model, "--items", 0).out
    config["rope_parameters"] = (config.get("rope_parameters") or {}) | {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": short, "rope_theta": 10000.0,
    }  # fmt: skip
    (model / "config.json").write_text(json.dumps(config))
    said = cli("look", data, "--model", model, "--items", 0)
    assert said.code == 0, said.err
    assert "longer than" not in said.out
