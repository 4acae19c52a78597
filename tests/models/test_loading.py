"""Loading says what is wrong in one line, and loads what is right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import load
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything."""
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SIZES, pad_token_id=0, bos_token_id=1, eos_token_id=2)).save_pretrained(folder)
    inner = Tokenizer(WordLevel({f"w{i}": i for i in range(40)}, unk_token="w3"))
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="w2").save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


def refusal(name: Path | str, **options: Any) -> str:
    with pytest.raises(InnerjudgeError) as caught:
        load(str(name), **options)
    message = str(caught.value)
    assert message.startswith("given ")
    assert "expected" in message
    assert "\n" not in message
    assert len(message) < 600
    return message


def test_a_whole_folder_loads(whole: Path) -> None:
    lm = load(str(whole), device="cpu")
    assert (lm.name, lm.revision, lm.dtype, lm.attention) == (str(whole), None, "float32", "sdpa")
    assert lm.anatomy.n_blocks == 2
    assert lm.pad_id == 2  # no padding token: the end token pads
    assert not lm.model.training
    assert load(str(whole), dtype="bfloat16").model.dtype == torch.bfloat16
    assert load(str(whole), attn_implementation="eager").attention == "eager"


def test_names_of_parts_are_passed_on(whole: Path) -> None:
    lm = load(str(whole), blocks="model.layers", final_norm="model.norm")
    assert lm.anatomy.final_norm is lm.model.model.norm
    assert "'model.nrom'" in refusal(whole, final_norm="model.nrom")


def drop_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def drop_everything(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def break_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llama",')


def unknown_type(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "nonesuch", "architectures": ["NoneForCausalLM"]}))


def cut_weights(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def drop_a_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.self_attn.q_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def reshape_a_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = torch.ones(17)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def drop_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "parts"),
    [
        (drop_weights, ["model.safetensors", "weights"]),
        (drop_everything, ["without config.json", "Hugging Face model folder"]),
        (break_config, ["whose config.json cannot be read", "causal LM"]),
        (unknown_type, ["nonesuch"]),
        (cut_weights, ["with weights (model.safetensors)"]),
        (drop_a_tensor, ["lack 1 tensors", "model.layers.1.self_attn.q_proj.weight", "complete"]),
        (reshape_a_tensor, ["model.norm.weight", "other shapes"]),
        (drop_tokenizer, ["tokenizer"]),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_a_damaged_folder(folder: Path, damage: Callable[[Path], None], parts: list[str]) -> None:
    damage(folder)
    message = refusal(folder)
    for part in (repr(str(folder)), *parts):
        assert part in message


@pytest.mark.parametrize(
    "change",
    [{"num_attention_heads": 3}, {"hidden_size": "wide"}, {"num_attention_heads": 0}, {"layer_types": ["none"]}],
    ids=str,
)
def test_a_config_that_contradicts_itself(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    message = refusal(folder)
    assert "config.json cannot be read" in message
    assert "network" not in message


def test_a_folder_without_a_vocabulary(folder: Path) -> None:
    """Without its files transformers makes a tokenizer of special tokens only."""
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    assert "tokenizer" in refusal(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    assert "no tokens but special ones, expected tokenizer.json" in refusal(folder)


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not again and again with growing pauses, as the libraries do when they are left to themselves."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    message = refusal("nobody/no-such-model")
    assert "the hub at http://127.0.0.1:9 cannot be reached" in message
    assert "check the spelling and the network" in message
    assert pauses == []


def test_an_unknown_name_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    message = refusal("no-such-owner/no-such-model")
    assert "'no-such-owner/no-such-model'" in message
    assert "check the spelling and the network" in message


@pytest.mark.parametrize("name", ["", "no such name", "a/b/c/d"])
def test_a_name_that_cannot_be(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert repr(name) in refusal(name)


T5 = T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2)


@pytest.mark.parametrize(
    ("family", "config"),
    [
        (BertForMaskedLM, BertConfig(**SIZES)),
        (T5ForConditionalGeneration, T5),
        (LlamaForSequenceClassification, LlamaConfig(**SIZES)),
    ],
)
def test_not_a_causal_model(family: Any, config: Any, folder: Path) -> None:
    family(config).save_pretrained(folder)
    message = refusal(folder)
    assert f"is a {family.__name__}, expected a causal language model" in message


def test_a_headless_checkpoint_is_incomplete(whole: Path, folder: Path) -> None:
    """Saved from the base model: the unembedding would be random."""
    LlamaForCausalLM.from_pretrained(whole).model.save_pretrained(folder)
    message = refusal(folder)
    assert "LlamaModel" in message or "lm_head" in message


def test_dtype_and_device_are_checked(whole: Path) -> None:
    assert "'float8'" in refusal(whole, dtype="float8")
    assert "expected auto, float32, bfloat16 or float16" in refusal(whole, dtype="")
    for device in ("cuda:99", "warp", "cpu:x"):
        assert repr(device) in refusal(whole, device=device)


def test_real_folders_load(shared: Path) -> None:
    stories = load(str(shared / "models" / "stories260K"))
    assert (stories.anatomy.n_blocks, stories.anatomy.n_heads, stories.anatomy.n_kv_heads) == (5, 8, 4)
    chat = load(str(shared / "models" / "tinystories-chat-3M"))
    assert chat.tokenizer.chat_template
    assert chat.chat_template_hash != "none"
    assert chat.fingerprint != stories.fingerprint
    assert len(chat.fingerprint) == 16
