"""A folder with only an adapter loads with its base model inside; what is missing is one clear line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import load
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

peft = pytest.importorskip("peft")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lm = load("reference", device="cpu")
    folder = tmp_path_factory.mktemp("base")
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    """An adapter that changes something."""
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(model, config)
    torch.manual_seed(0)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    adapted.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def refusal(name: Path) -> str:
    with pytest.raises(InnerjudgeError) as caught:
        load(str(name), device="cpu")
    message = str(caught.value)
    assert message.startswith("given ")
    assert "expected" in message
    assert "\n" not in message
    return message


def change(adapter: Path, **entries: Any) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_the_adapter_is_inside_the_base_model(base: Path, adapter: Path) -> None:
    lm = load(str(adapter), device="cpu")
    ids = lm.tokenizer("Start with 7. Add 5.", return_tensors="pt")["input_ids"]
    expected = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    with torch.no_grad():
        mine, theirs = lm.model(ids).logits, expected(ids).logits
        plain = load(str(base), device="cpu").model(ids).logits
    assert torch.equal(mine, theirs)
    assert (mine - plain).abs().max() > 0.1
    assert lm.origin == f"LoRA adapter on {base}"
    assert lm.anatomy.n_blocks == load(str(base), device="cpu").anatomy.n_blocks
    assert lm.fingerprint != load(str(base), device="cpu").fingerprint


def test_a_base_model_beside_the_adapter(base: Path, adapter: Path) -> None:
    shutil.copytree(base, adapter / "base")
    change(adapter, base_model_name_or_path="base")
    assert load(str(adapter), device="cpu").origin == f"LoRA adapter on {adapter / 'base'}"


def test_what_is_missing_is_said(adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    whole = (adapter / "adapter_config.json").read_text()
    for nothing in (None, "", str(adapter)):
        change(adapter, base_model_name_or_path=nothing)
        assert '"base_model_name_or_path": "owner/model"' in refusal(adapter)
    change(adapter, base_model_name_or_path="nobody/no-such-base")
    said = refusal(adapter)
    assert "nobody/no-such-base" in said
    assert "base_model_name_or_path" in said
    (adapter / "adapter_config.json").write_text("{")
    assert "adapter_config.json" in refusal(adapter)
    (adapter / "adapter_config.json").write_text(whole)
    monkeypatch.setattr("innerjudge.models.formats.source.find_spec", lambda _: None)
    assert "pip install 'innerjudge[lora]'" in refusal(adapter)


def test_an_adapter_by_its_hub_name(adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the hub's library keeps it on this machine."""
    kept = tmp_path / "models--you--adapter" / "snapshots" / ("0" * 40)
    shutil.copytree(adapter, kept)
    (tmp_path / "models--you--adapter" / "refs").mkdir()
    (tmp_path / "models--you--adapter" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for place in ("huggingface_hub.constants.HF_HUB_CACHE", "transformers.utils.hub.constants.HF_HUB_CACHE"):
        monkeypatch.setattr(place, str(tmp_path))
    with pytest.raises(InnerjudgeError, match="hf download you/adapter --local-dir FOLDER"):
        load("you/adapter")


def test_weights_that_do_not_fit(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    some = dict(list(weights.items())[1:])
    save_file(some, path)
    assert "lacks weights" in refusal(adapter)
    save_file({name: torch.zeros(3, 3) for name in weights}, path)
    assert "cannot put on" in refusal(adapter)
    path.unlink()
    assert "cannot put on" in refusal(adapter)
