"""Models that are compiled, adapted, quantised, spread out, nested or bridged: read like the plain one, or refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import (
    AttentionWeights,
    Features,
    HiddenStates,
    LabelLogits,
    QueryKey,
    ResponseLogProb,
    extract,
)
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel, load, wrap
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    CLIPVisionConfig,
    GPT2Config,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from .conftest import GROUPED

Tiny = Callable[..., LanguageModel]
GPT2 = {"vocab_size": 61, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
READOUTS = [
    HiddenStates("score"),
    LabelLogits("score"),
    ResponseLogProb(),
    QueryKey("before"),
    QueryKey("after"),
    AttentionWeights(),
]


def read(lm: LanguageModel, items: Any) -> Features:
    return extract(lm, items, READOUTS, batch_size=2)


def same(ours: Features, theirs: Features, tolerance: float = 1e-4) -> None:
    assert ours.arrays.keys() == theirs.arrays.keys()
    for name, array in ours.arrays.items():
        assert np.allclose(array, theirs[name], atol=tolerance, rtol=tolerance), name


@pytest.fixture
def items(random_items: Any) -> Any:
    return random_items((12, 9))


def test_compiled(tiny: Tiny, items: Any) -> None:
    """Read without being compiled, whichever way compilation was asked for."""
    plain = tiny("llama")
    expected = read(plain, items)
    same(read(wrap(torch.compile(plain.model), plain.tokenizer), items), expected)
    within = copy.deepcopy(plain.model)
    within.compile()
    for block in within.model.layers:
        block.compile()
    same(read(wrap(within, plain.tokenizer), items), expected)


def test_adapted(tiny: Tiny, items: Any) -> None:
    peft = pytest.importorskip("peft")
    plain = tiny("llama")
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "k_proj", "down_proj", "lm_head"], task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(copy.deepcopy(plain.model), config)
    torch.manual_seed(1)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:  # zero as made: the adapter would change nothing
            weight.data += torch.randn_like(weight) * 0.3
    features = read(wrap(adapted, plain.tokenizer), items)
    merged = copy.deepcopy(adapted).merge_and_unload()
    same(features, read(wrap(merged, plain.tokenizer), items), 1e-3)
    for name, array in read(plain, items).arrays.items():
        assert name == "labels" or np.abs(array - features[name]).max() > 1e-3, name


def test_virtual_tokens_are_refused(tiny: Tiny) -> None:
    peft = pytest.importorskip("peft")
    plain = tiny("llama")
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    adapted = peft.get_peft_model(copy.deepcopy(plain.model), config)
    with pytest.raises(InnerjudgeError, match="'default' puts virtual tokens before the text"):
        wrap(adapted, plain.tokenizer)


def test_what_is_no_model_is_told_so(tiny: Tiny) -> None:
    with pytest.raises(InnerjudgeError, match="given Linear, expected a transformers model"):
        wrap(nn.Linear(2, 2), tiny("llama").tokenizer)


class EightBit(nn.Module):
    """A linear map with whole numbers and a factor a row, as quantisers store it; no ``weight`` that could be read."""

    def __init__(self, linear: nn.Linear, keep_name: bool) -> None:
        super().__init__()
        scale = linear.weight.abs().amax(1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("weight" if keep_name else "qweight", (linear.weight / scale).round().to(torch.int8))
        self.bias = linear.bias

    def full(self) -> Tensor:
        stored = self.weight if hasattr(self, "weight") else self.qweight
        return stored * self.scale  # type: ignore[operator,no-any-return]

    def forward(self, states: Tensor) -> Tensor:
        return nn.functional.linear(states, self.full(), self.bias)


@pytest.mark.parametrize("keep_name", [True, False], ids=["int8 weight", "no weight"])
@pytest.mark.parametrize("family", ["llama", "cohere", "gemma3"])
def test_quantised(family: str, keep_name: bool, tiny: Tiny, items: Any) -> None:
    """Every linear map, the unembedding too: read as the model of the numbers that they stand for."""
    plain = tiny(family)
    small, full = copy.deepcopy(plain.model), copy.deepcopy(plain.model)
    for name, module in list(small.named_modules()):
        if isinstance(module, nn.Linear):
            parent, _, own = name.rpartition(".")
            quantised = EightBit(module, keep_name)
            setattr(small.get_submodule(parent), own, quantised)
            target = full.get_submodule(name)
            target.weight = nn.Parameter(quantised.full().clone())
    same(read(wrap(small, plain.tokenizer), items), read(wrap(full, plain.tokenizer), items))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("head", [False, True], ids=["plain head", "quantised head"])
def test_bitsandbytes(bits: int, head: bool, words: Any, random_items: Any, tmp_path: Path) -> None:
    """The library itself, on the CPU: read as the model computes, and left as it was."""
    pytest.importorskip("bitsandbytes")
    torch.manual_seed(0)
    sizes = {**GROUPED, "hidden_size": 64, "intermediate_size": 128, "head_dim": 16, "vocab_size": 64}
    LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    config = BitsAndBytesConfig(
        load_in_4bit=bits == 4,
        load_in_8bit=bits == 8,
        llm_int8_skip_modules=[] if head else None,
        llm_int8_threshold=0.0,  # no columns that are picked by what else is in the batch
        bnb_4bit_compute_dtype=torch.float32,
    )
    lm = load(str(tmp_path), dtype="float32", device_map="cpu", quantization_config=config)
    assert (type(lm.anatomy.unembedding).__name__ == "Linear") != head
    items = random_items((12, 9))
    ids = torch.tensor([items[0].ids])
    with torch.no_grad():
        before = lm.model(input_ids=ids).logits
        features = read(lm, items)
        assert lm.fingerprint
        own = lm.model(input_ids=ids, output_hidden_states=True)
    assert torch.equal(own.logits, before)
    for number, state in enumerate(own.hidden_states[:-1]):
        assert np.allclose(features["hidden/score"][0, number], state[0, 11], atol=1e-3)
    assert np.allclose(features["logits/score"][0, 1, -1], own.logits[0, 11, list(items[0].label_ids)], atol=2e-2)


@pytest.mark.parametrize("place", ["memory", "disk"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "opt"])
def test_every_weight_elsewhere(family: str, place: str, tiny: Tiny, items: Any, tmp_path: Path) -> None:
    """accelerate's offloading: all weights are on the meta device until their module runs."""
    accelerate = pytest.importorskip("accelerate")
    plain, cpu = tiny(family), torch.device("cpu")
    model = copy.deepcopy(plain.model)
    if place == "memory":
        spread = accelerate.cpu_offload(model, execution_device=cpu)
    else:
        spread = accelerate.disk_offload(model, str(tmp_path), execution_device=cpu)
    assert all(weight.is_meta for weight in spread.parameters())
    lm = wrap(spread, plain.tokenizer)
    same(read(lm, items), read(plain, items))
    assert lm.fingerprint == plain.fingerprint


def test_a_kernel_that_was_changed_after_wrapping(words: Any, items: Any) -> None:
    """GPT-2 leaves the registry with one of its kernels: its heads are refused, not zero, until it is wrapped again."""
    torch.manual_seed(0)
    lm = wrap(AutoModelForCausalLM.from_config(GPT2Config(**GPT2, reorder_and_upcast_attn=True)), words)
    expected = read(lm, items)
    lm.model.set_attn_implementation("eager")
    with pytest.raises(InnerjudgeError, match="block 1 computed attention unseen"):
        extract(lm, items, [QueryKey("after")])
    same(read(wrap(lm.model, words), items), expected)


def test_spread_over_memory_and_disk(tiny: Tiny, items: Any, tmp_path: Path) -> None:
    plain = tiny("llama")
    plain.model.save_pretrained(tmp_path / "model")
    plain.tokenizer.save_pretrained(tmp_path / "model")
    places = dict.fromkeys(("model.embed_tokens", "model.layers.0", "model.norm", "model.rotary_emb"), "cpu")
    places |= dict.fromkeys(("model.layers.1", "model.layers.2", "lm_head"), "disk")
    lm = load(str(tmp_path / "model"), device_map=places, offload_folder=str(tmp_path / "offload"))
    assert lm.model.lm_head.weight.is_meta
    same(read(lm, items), read(plain, items))
    assert lm.fingerprint == plain.fingerprint


def test_as_much_as_memory_holds_and_the_rest_on_disk(tiny: Tiny, items: Any, tmp_path: Path) -> None:
    """``device_map="auto"``, as for a model larger than a GPU: accelerate says what goes where."""
    plain = tiny("llama")
    plain.model.save_pretrained(tmp_path / "model")
    plain.tokenizer.save_pretrained(tmp_path / "model")
    size = sum(weight.numel() * weight.element_size() for weight in plain.model.parameters())
    how: Any = {"max_memory": {"cpu": size // 2}, "offload_folder": str(tmp_path / "offload")}
    lm = load(str(tmp_path / "model"), device_map="auto", **how)
    meta = [weight.is_meta for weight in lm.model.parameters()]
    assert any(meta)
    assert not all(meta)
    same(read(lm, items), read(plain, items))
    assert lm.fingerprint == plain.fingerprint


def test_blocks_on_several_devices(tiny: Tiny, items: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of every block are brought to one device before they are put together; meta stands for another one."""
    lm = tiny("llama")
    moved: list[Any] = []
    plain = type(lm.anatomy).on_norm
    monkeypatch.setattr(type(lm.anatomy), "on_norm", lambda a, states: moved.append(states.device) or plain(a, states))
    read(lm, items)
    assert moved


def test_nested_language_model(words: Any, items: Any) -> None:
    """A model with a vision tower is read through its text."""
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=5, num_attention_heads=2, image_size=8, patch_size=4
    )
    config = LlavaConfig(vision_config=vision, text_config=LlamaConfig(**GROUPED), image_token_index=3)
    model = LlavaForConditionalGeneration(config).eval()
    for weight in model.parameters():
        weight.data += torch.randn_like(weight) * 0.1
    lm = wrap(model, words)
    assert lm.anatomy.blocks == tuple(model.model.language_model.layers)
    features = read(lm, items)
    with torch.no_grad():
        own = model(input_ids=torch.tensor([items[0].ids]), output_hidden_states=True)
    at = len(items[0].ids) - 1
    for number, state in enumerate(own.hidden_states[:-1]):
        assert np.allclose(features["hidden/score"][0, number], state[0, at], atol=1e-4)
    assert np.allclose(features["logits/score"][0, 1, -1], own.logits[0, at, list(items[0].label_ids)], atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3", "gpt_neox"])
def test_bridged(family: str, tiny: Tiny, items: Any, tmp_path: Path) -> None:
    """A TransformerBridge is accepted wherever a model is."""
    bridges = pytest.importorskip("transformer_lens.model_bridge")
    plain = tiny(family)
    plain.model.save_pretrained(tmp_path)
    plain.tokenizer.save_pretrained(tmp_path)
    words = load(str(tmp_path)).tokenizer
    bridge = bridges.TransformerBridge.boot_transformers(str(tmp_path), device="cpu", tokenizer=words)
    features = read(wrap(bridge, words), items)
    assert not features.missing
    same(features, read(plain, items), 1e-3)
