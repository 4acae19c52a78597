"""The parts of a model are found, named by the user, or refused; never guessed wrong in silence."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from innerjudge.models.anatomy import find_anatomy
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import wrap
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    OPTConfig,
    PhiConfig,
    PreTrainedTokenizerFast,
)

SIZES = {
    "vocab_size": 31,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
GROUPED = {**SIZES, "num_key_value_heads": 2, "intermediate_size": 40}
ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}

#: Config -> blocks, final norm, (n_heads, n_kv_heads, head_dim, width, context, softcap, logit_scale)
EXPECTED = [
    (LlamaConfig(**GROUPED, **ENDS), "model.layers", "model.norm", (4, 2, 8, 32, 64, None, 1.0)),
    (LlamaConfig(**GROUPED, **ENDS, head_dim=6), "model.layers", "model.norm", (4, 2, 6, 32, 64, None, 1.0)),
    (
        GPT2Config(vocab_size=31, n_embd=32, n_layer=3, n_head=4, n_positions=64, **ENDS),
        "transformer.h",
        "transformer.ln_f",
        (4, 4, 8, 32, 64, None, 1.0),
    ),
    (
        GPTNeoXConfig(**SIZES, **ENDS, intermediate_size=40),
        "gpt_neox.layers",
        "gpt_neox.final_layer_norm",
        (4, 4, 8, 32, 64, None, 1.0),
    ),
    (
        OPTConfig(**SIZES, **ENDS, ffn_dim=40, word_embed_proj_dim=32),
        "model.decoder.layers",
        "model.decoder.final_layer_norm",
        (4, 4, 8, 32, 64, None, 1.0),
    ),
    (
        Gemma2Config(**GROUPED, **ENDS, head_dim=8, final_logit_softcapping=5.0),
        "model.layers",
        "model.norm",
        (4, 2, 8, 32, 64, 5.0, 1.0),
    ),
    (CohereConfig(**GROUPED, **ENDS, logit_scale=0.25), "model.layers", "model.norm", (4, 2, 8, 32, 64, None, 0.25)),
    (GraniteConfig(**GROUPED, **ENDS, logits_scaling=4.0), "model.layers", "model.norm", (4, 2, 8, 32, 64, None, 0.25)),
    # Phi unembeds with a bias.
    (PhiConfig(**GROUPED, **ENDS), "model.layers", "model.final_layernorm", (4, 2, 8, 32, 64, None, 1.0)),
]


def made(config: Any) -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(copy.deepcopy(config))
    for weight in model.parameters():
        weight.data += torch.randn_like(weight) * 0.2
    return model.eval()


@pytest.fixture(scope="module")
def llama() -> Any:
    return made(EXPECTED[0][0])


@pytest.mark.parametrize(("config", "blocks", "norm", "sizes"), EXPECTED, ids=lambda v: getattr(v, "model_type", None))
def test_parts_and_sizes(config: Any, blocks: str, norm: str, sizes: tuple[Any, ...]) -> None:
    model = made(config)
    a = find_anatomy(model)
    assert a.blocks == tuple(model.get_submodule(blocks))
    assert a.final_norm is model.get_submodule(norm)
    assert a.unembedding is model.get_output_embeddings()
    assert a.n_blocks == 3
    assert (a.n_heads, a.n_kv_heads, a.head_dim, a.width, a.context, a.post.softcap, a.post.scale) == sizes


@pytest.mark.parametrize("config", [row[0] for row in EXPECTED], ids=lambda c: c.model_type)
@torch.no_grad()
def test_logits_of_labels_are_columns_of_all_logits(config: Any) -> None:
    a = find_anatomy(made(config))
    states = torch.randn(2, 4, 5, a.width)
    ids = torch.tensor([[3, 7, 1], [0, 30, 2]])
    every = a.logits(states)
    assert every.shape == (2, 4, 5, 31)
    few = a.label_logits(states, ids)
    for row in range(2):
        assert torch.allclose(few[row], every[row][..., ids[row]], atol=1e-4)


def test_names_of_the_user_win(llama: Any) -> None:
    a = find_anatomy(llama, blocks="model.layers", final_norm="model.norm")
    assert a.blocks == tuple(llama.model.layers)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"blocks": "model.no_such"}, "given the module path 'model.no_such'"),
        ({"final_norm": "model.nrom"}, "given the module path 'model.nrom'"),
        ({"blocks": "model.norm"}, "expected a list of blocks"),
        ({"final_norm": "model.layers.0.input_layernorm"}, "to equal its logits, which it does not"),
    ],
)
def test_wrong_names_are_told(llama: Any, names: dict[str, str], message: str) -> None:
    with pytest.raises(InnerjudgeError, match=message) as caught:
        find_anatomy(llama, **names)
    assert "\n" not in str(caught.value)


def test_a_scale_that_no_config_names_is_found() -> None:
    model = made(EXPECTED[0][0])
    _then(model, lambda logits: logits * 1.1)
    assert find_anatomy(model).post.scale == pytest.approx(1.1)


@pytest.mark.parametrize("change", [lambda logits: logits**3, lambda logits: logits.flip(-1)])
def test_parts_that_do_not_give_the_logits_are_refused(change: Any) -> None:
    model = made(EXPECTED[0][0])
    _then(model, change)
    with pytest.raises(InnerjudgeError, match=r"LlamaForCausalLM, expected .* to equal its logits"):
        find_anatomy(model)


def _then(model: Any, change: Any) -> None:
    plain = model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        output = plain(*args, **kwargs)
        output.logits = change(output.logits)
        return output

    model.forward = forward


class Plain(nn.Module):
    """A final norm by neither name nor class."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.inner(states)  # type: ignore[no-any-return]


def test_a_norm_by_neither_name_nor_class_is_found_by_its_data() -> None:
    model = made(EXPECTED[2][0])
    model.transformer.rename = Plain(model.transformer.ln_f)
    del model.transformer.ln_f
    model.transformer.__dict__["ln_f"] = model.transformer.rename  # what forward calls, hidden from the module tree
    assert find_anatomy(model).final_norm is model.transformer.rename


def test_blocks_in_no_list_are_asked_for_and_then_used() -> None:
    """A model that keeps its blocks in a list of its own: the message shows how to name them."""
    model = made(EXPECTED[2][0])
    blocks = model.transformer.h
    model.transformer.h = Row(blocks)
    with pytest.raises(InnerjudgeError, match=r"expected a list of blocks .* name them: load\(\.\.\., blocks='model"):
        find_anatomy(model)
    model.transformer.named = torch.nn.Sequential(*blocks)
    assert find_anatomy(model, blocks="transformer.named").blocks == tuple(blocks)


class Row(nn.Module):
    """Blocks under names, handed out one by one."""

    def __init__(self, blocks: nn.ModuleList) -> None:
        super().__init__()
        for number, block in enumerate(blocks):
            self.add_module(f"block{number}", block)

    def __iter__(self) -> Any:
        return iter(self.children())

    def __getitem__(self, place: slice) -> Any:
        return list(self.children())[place]


def test_the_check_leaves_nothing_behind(llama: Any) -> None:
    find_anatomy(llama)
    assert not any(m._forward_hooks for m in llama.modules())


def test_wrapping_puts_into_evaluation_mode() -> None:
    model = made(EXPECTED[2][0]).train()
    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a")))
    lm = wrap(model, words, name="mine")
    assert not model.training
    assert (lm.name, lm.dtype, lm.attention, lm.pad_id, lm.device.type) == ("mine", "float32", "sdpa", 0, "cpu")
    assert lm.chat_template_hash == "none"
