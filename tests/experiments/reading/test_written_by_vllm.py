"""Files of hidden states that a real vLLM wrote, asked for layers 6, 0 and 3; ``bench/engine/files.py`` made them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge import InnerjudgeError, LanguageModel, Trace
from innerjudge.experiments.reading.state_files import StateFiles
from innerjudge.experiments.reading.verify_states import verify_states
from innerjudge.extraction.given_states import read_vllm

FOLDER = Path(__file__).with_name("written_by_vllm")


@pytest.fixture(scope="module")
def asked() -> Any:
    return json.loads((FOLDER / "asked.json").read_text())


@pytest.mark.parametrize("name", ["prompt", "answer"])
@torch.inference_mode()
def test_layers_come_in_ascending_order(reference: LanguageModel, asked: Any, name: str) -> None:
    """The answer's last id never went through the model; the last block's states are raw."""
    given, of_file = read_vllm(FOLDER / f"{name}.safetensors"), asked["files"][name]
    ids = of_file["prompt_ids"] + (of_file["answer_ids"][:-1] if name == "answer" else [])
    assert asked["layers"] == [6, 0, 3]
    assert list(given.ids) == ids
    own = reference.model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    states = torch.tensor(np.asarray(given.states[:]))
    assert states.shape == (len(ids), 3, own[0].shape[-1])
    torch.testing.assert_close(states[:, 0], own[0][0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(states[:, 1], own[3][0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(reference.anatomy.normed(states[:, 2]), own[6][0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "said"), [("answer", {"same"}), ("prompt", {"same", "truncated"})])
def test_they_are_what_they_are_said_to_be(
    reference: LanguageModel, asked: Any, tmp_path: Path, name: str, said: set[str]
) -> None:
    shutil.copy(FOLDER / f"{name}.safetensors", tmp_path)
    text = asked["files"][name]["text"]
    trace = Trace(question_id="q", candidate_id="0", prompt=asked["prompt"], response=text)
    found = verify_states(reference, [trace], StateFiles.of(f"vllm:{tmp_path}", layers=(0, 3, 6)))
    assert {one.said.partition(":")[0] for one in found} == said
    with pytest.raises(InnerjudgeError, match="expected which they are, ascending: --layers 0,3,6"):
        verify_states(reference, [trace], StateFiles.of(f"vllm:{tmp_path}", layers=(6, 0, 3)))
