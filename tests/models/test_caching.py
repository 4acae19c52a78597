"""Trials of what a batch may mix are made on the first blocks, and say what all blocks would."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from innerjudge.experiments.bench.coverage.shrink import small_config
from innerjudge.experiments.bench.coverage.small_model import small_model
from innerjudge.models import caching
from innerjudge.models.caching import Probe, leading
from innerjudge.models.loading import LanguageModel, wrap
from torch import nn

KINDS = [
    *("llama", "gpt2", "opt", "bloom", "gemma2", "gemma3_text", "phi3", "cohere2", "smollm3", "llama4_text"),
    *("lfm2", "falcon_h1", "qwen3_next", "mamba", "recurrent_gemma", "roberta", "camembert", "rembert", "electra"),
    *("cpmant", "xlnet", "ctrl", "gpt_neo", "jamba", "zamba2"),
]


def of_four(kind: str, tokenizer: Any) -> LanguageModel:
    """A small model with at least four blocks, where its kind allows that."""
    config = small_config(kind)
    try:
        longer = copy.deepcopy(config)
        longer.num_hidden_layers = max(4, longer.num_hidden_layers)
        return wrap(small_model(longer), tokenizer)
    except Exception:  # lists of kinds of blocks have their own lengths
        return wrap(small_model(config), tokenizer)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_blocks_say_what_all_do(kind: str, reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = of_four(kind, reference.tokenizer)

    def found() -> list[Any]:
        probe = Probe(lm.model, lm.anatomy.stream, lm.anatomy.position_offset, lm.pad_id)
        with torch.no_grad():
            return [probe.sides(), probe.shares(), probe.packs()]

    first = found()
    monkeypatch.setattr(caching, "leading", lambda blocks, _config: len(blocks))
    assert first == found()


def test_blocks_of_every_kind_are_among_the_first(reference: LanguageModel) -> None:
    """Of six alike two are run; of a convolution, attention and a convolution all."""
    assert leading(reference.anatomy.blocks, reference.model.config) == 2
    lfm2 = of_four("lfm2", reference.tokenizer)
    types = [type(next(iter(block.children()))).__name__ for block in lfm2.anatomy.blocks]
    last_new = max(types.index(one) for one in types)
    assert leading(lfm2.anatomy.blocks, lfm2.model.config) == min(last_new + 2, len(types))


def test_a_setting_or_the_config_makes_a_kind() -> None:
    blocks = [nn.Dropout(0.1), nn.Dropout(0.1), nn.Dropout(0.2), *(nn.Dropout(0.1) for _ in range(3))]
    assert leading(blocks, None) == 4
    config: Any = type("Config", (), {"layer_types": ["full", "full", "full", "full", "sliding", "full"]})
    assert leading(blocks, config) == 6
    config.layer_types = ["full"]  # says nothing of these blocks
    assert leading(blocks, config) == 6
    numbered = [nn.Identity() for _ in range(4)]
    for k, block in enumerate(numbered):
        block.layer_idx = k
    assert leading(numbered, None) == 2
    for k, block in enumerate(numbered):
        block.place = k  # nobody knows that this is a number of blocks
    assert leading(numbered, None) == 4


def test_the_copy_in_float32_has_the_first_blocks_only(reference: LanguageModel) -> None:
    model = copy.deepcopy(reference.model).to(torch.bfloat16)
    lm = wrap(model, reference.tokenizer)
    probe = Probe(lm.model, lm.anatomy.stream, lm.anatomy.position_offset, lm.pad_id)
    assert probe._model is not lm.model
    types = [{p.dtype for p in block.parameters()} for block in probe._model.model.layers]
    assert types == [{torch.float32}] * 2 + [{torch.bfloat16}] * 4
    assert probe._model.model.layers[2] is lm.model.model.layers[2]
    assert {p.dtype for p in lm.model.parameters()} == {torch.bfloat16}
