"""Tiny random models of many families, made from their configs, and items made of random tokens."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import AttentionWeights, Features, HiddenStates, LabelLogits, QueryKey, ResponseLogProb
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.positions import Encoding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    AutoModelForCausalLM,
    Cohere2Config,
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoConfig,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    OPTConfig,
    Phi3Config,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

VOCABULARY = 61
SPECIAL = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES = {
    **SPECIAL,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
MIXED = ["sliding_attention", "full_attention", "sliding_attention"]
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 10000.0}
HALF = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}

CONFIGS: dict[str, Any] = {
    "llama": LlamaConfig(**GROUPED),
    "yarn": LlamaConfig(**GROUPED, rope_parameters=YARN),
    "qwen3": Qwen3Config(**GROUPED, head_dim=16),
    "qwen2": Qwen2Config(**GROUPED),
    "gpt_neox": GPTNeoXConfig(**SIZES, rope_parameters=HALF),
    "gpt2": GPT2Config(**SPECIAL, n_embd=32, n_layer=3, n_head=4, n_positions=64),
    "gpt_neo": GPTNeoConfig(
        **SPECIAL,
        hidden_size=32,
        num_layers=4,
        num_heads=4,
        attention_types=[[["global", "local"], 2]],
        window_size=4,
        max_position_embeddings=64,
    ),
    "gemma2": Gemma2Config(**GROUPED, head_dim=8, sliding_window=4, query_pre_attn_scalar=8),
    "gemma3": Gemma3TextConfig(
        **GROUPED,
        head_dim=16,
        sliding_window=4,
        query_pre_attn_scalar=16,
        layer_types=MIXED,
        final_logit_softcapping=3.0,
    ),
    "phi3": Phi3Config(**GROUPED, sliding_window=4),
    "cohere": CohereConfig(**GROUPED, logit_scale=0.25, use_qk_norm=True),
    "cohere2": Cohere2Config(**GROUPED, logit_scale=0.25, sliding_window=4, layer_types=MIXED),
    "granite": GraniteConfig(
        **GROUPED, logits_scaling=4.0, embedding_multiplier=3.0, residual_multiplier=0.5, attention_multiplier=0.2
    ),
    "opt": OPTConfig(
        **{k: v for k, v in SIZES.items() if k != "intermediate_size"}, ffn_dim=48, word_embed_proj_dim=32
    ),
}
#: One of every kind that a pass is asked for.
READOUTS = [
    HiddenStates("reasoning_end"),
    HiddenStates("prompt_end"),
    LabelLogits("score"),
    QueryKey("before"),
    QueryKey("after"),
    AttentionWeights(),
    ResponseLogProb(),
]
#: Tokens of items: longer than every window of the families (4), and some of one length.
LENGTHS = (9, 17, 6, 12, 6, 11, 23)
#: Families whose attention runs without writing the ``[T, T]`` weights.
SDPA = [name for name in CONFIGS if name not in ("gemma2", "gpt_neo")]


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> None:
    """Tiny tensors: more threads only wait for one another."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def words() -> PreTrainedTokenizerFast:
    """A tokenizer of whole words, ``w0`` to ``w60``."""
    vocabulary = {f"w{i}": i for i in range(VOCABULARY)}
    inner = Tokenizer(WordLevel(vocabulary, unk_token="w3"))
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="w0")


@pytest.fixture(scope="session")
def tiny(words: PreTrainedTokenizerFast) -> Callable[..., LanguageModel]:
    """Make a tiny model of a family; the same arguments give the same object."""
    made: dict[tuple[Any, ...], LanguageModel] = {}

    def make(family: str, *, seed: int = 0, **options: Any) -> LanguageModel:
        key = (family, seed, *sorted(options.items()))
        if key not in made:
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(copy.deepcopy(CONFIGS[family]), **options)
            for weight in model.parameters():  # the usual 0.02 makes attention uniform: every error would hide
                spread = 0.2 if weight.ndim == 2 else 0.1
                weight.data += torch.randn_like(weight) * spread
            made[key] = wrap(model, words)
        return made[key]

    return make


@pytest.fixture(scope="session")
def random_items() -> Callable[..., list[Encoding]]:
    """Items of given lengths (at least 6): random tokens, three labels, three options, every role."""

    def make(lengths: Sequence[int], *, seed: int = 0, options: Sequence[int] | None = None) -> list[Encoding]:
        random = torch.Generator().manual_seed(seed)
        items = []
        for k, length in enumerate(lengths):
            count = options[k] if options else 3
            items.append(
                Encoding(
                    id=f"item-{k}",
                    group=f"group-{k // 2}",
                    ids=tuple(torch.randint(4, VOCABULARY, (length,), generator=random).tolist()),
                    positions={
                        "prompt_end": (1,),
                        "reasoning_start": (2,),
                        "reasoning_end": (length - 2,),
                        "response_end": (length - 1,),
                        "score": (length - 1,),
                        "option_end": tuple(range(length - 1 - count, length - 1)),
                    },
                    label_ids=tuple(range(5, 5 + count)),
                )
            )
        return items

    return make


def same(a: Features, b: Features) -> None:
    """All that was read is alike but for float error, and something was read."""
    assert a.ids == b.ids
    assert a.missing == b.missing
    assert a.arrays.keys() == b.arrays.keys()
    for name in a.arrays:
        assert np.abs(a[name]).max() > 0
        assert np.allclose(a[name], b[name], atol=1e-4, rtol=1e-4), name


@pytest.fixture
def items(random_items: Any) -> list[Encoding]:
    """Texts of 12, 7, 9 and 9 tokens, two of which begin alike; responses begin at token 3, in steps of 2."""
    made = random_items((12, 7, 9, 9))
    made[3] = replace(made[3], ids=(*made[2].ids[:5], *made[3].ids[5:]))
    found = []
    for one in made:
        n = len(one.ids)
        positions = {**one.positions, "prompt_end": (2,), "response_end": (n - 1,)}
        steps = tuple((k, min(k + 2, n)) for k in range(3, n, 2))
        ranges = {"step": steps, "step_end": tuple((b - 1, b) for _, b in steps)}
        ranges |= {"response@-1": ((2, n - 1),), "response/start(3)": ((3, 6),)}
        found.append(replace(one, positions=positions, ranges=ranges))
    return found


#: Ways of reading, none of which changes a number.
in_every_way = pytest.mark.parametrize(
    "how",
    [
        {"batch_size": 1},
        {"batch_size": 4},
        {"padding_side": "left"},
        {"share_prompts": False},
        {"packed": True},
        {"max_tokens": 20},
    ],
    ids=str,
)


def same_by_id(one: Features, other: Features, atol: float = 1e-4, rtol: float = 1e-4) -> None:
    """The numbers of the items, by their ids."""
    order = [other.ids.index(i) for i in one.ids]
    assert one.arrays.keys() | one.ragged.keys() == other.arrays.keys() | other.ragged.keys()
    for name, array in one.arrays.items():
        assert np.allclose(array, other[name][order], atol=atol, rtol=rtol), name
        assert np.abs(array).max() > 0, name
    for name, rows in one.ragged.items():
        held = other.ragged[name].take(order)
        assert rows.offsets.tolist() == held.offsets.tolist()
        assert np.allclose(rows.values, held.values, atol=atol, rtol=rtol), name
        assert np.abs(rows.values).max() > 0, name
