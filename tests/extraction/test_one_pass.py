"""One pass against what the model itself returns, family by family."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import AttentionWeights, Features, HiddenStates, LabelLogits, ResponseLogProb, extract
from innerjudge.models.loading import LanguageModel
from torch import Tensor

from .conftest import CONFIGS, SDPA

Tiny = Callable[..., LanguageModel]
READOUTS = [HiddenStates("reasoning_end"), LabelLogits("score"), ResponseLogProb(), AttentionWeights()]
LENGTHS = (12, 7, 9)


@pytest.fixture(params=CONFIGS)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def passed(family: str, tiny: Tiny, random_items: Any) -> tuple[LanguageModel, Any, Features]:
    lm, items = tiny(family), random_items(LENGTHS)
    return lm, items, extract(lm, items, READOUTS, batch_size=2)


@torch.no_grad()
def outputs(lm: LanguageModel, item: Any, **flags: Any) -> Any:
    """What transformers returns for one item alone, without padding."""
    return lm.model(input_ids=torch.tensor([item.ids]), use_cache=False, **flags)


def close(ours: Any, theirs: Tensor, tolerance: float = 1e-4) -> bool:
    return bool(np.allclose(ours, theirs.float().numpy(), atol=tolerance, rtol=tolerance))


def test_hidden_rows_are_the_models_own(passed: Any) -> None:
    lm, items, features = passed
    for row, item in zip(features["hidden/reasoning_end"], items, strict=True):
        at = item.positions["reasoning_end"][0]
        kept: list[Tensor] = []
        hook = lm.anatomy.blocks[-1].register_forward_hook(
            lambda _m, _a, o, kept=kept: kept.append(o[0] if isinstance(o, tuple) else o)
        )
        states = outputs(lm, item, output_hidden_states=True).hidden_states
        hook.remove()
        n = lm.anatomy.n_blocks
        assert len(states) == n + 1
        assert row.shape == (n + 2, lm.anatomy.width)
        for block in range(n):
            assert close(row[block], states[block][0, at]), f"h[{block}]"
        assert close(row[n], kept[0][0, at]), "raw h[L]"
        assert close(row[n + 1], states[-1][0, at]), "final_norm(h[L])"
        assert not np.allclose(row[n], row[n + 1], atol=1e-2)


@pytest.mark.parametrize("family", ["llama", "gpt_neox", "gemma3"], indirect=True)
def test_raw_last_block_equals_untied_last_hidden_state(passed: Any) -> None:
    lm, items, features = passed
    model = copy.deepcopy(lm.model)
    model.config.tie_last_hidden_states = False
    raw = model(input_ids=torch.tensor([items[0].ids]), output_hidden_states=True).hidden_states[-1]
    assert close(features["hidden/reasoning_end"][0, lm.anatomy.n_blocks], raw[0, len(items[0].ids) - 2].detach())


def test_last_normed_lens_row_is_the_models_logits(passed: Any) -> None:
    lm, items, features = passed
    for row, item in zip(features["logits/score"], items, strict=True):
        logits = outputs(lm, item).logits[0, item.positions["score"][0], list(item.label_ids)]
        assert close(row[1, lm.anatomy.n_blocks], logits)


def test_lens_rows_are_unembedded_states(passed: Any) -> None:
    lm, items, _ = passed
    features = extract(lm, items, [HiddenStates("score"), LabelLogits("score")])
    config = lm.model.config

    def unembed(states: Tensor) -> Tensor:
        logits = lm.model.get_output_embeddings()(states) * (getattr(config, "logit_scale", None) or 1.0)
        logits = logits / (getattr(config, "logits_scaling", None) or 1.0)
        cap = getattr(config, "final_logit_softcapping", None)
        return cap * torch.tanh(logits / cap) if cap else logits

    with torch.no_grad():
        for k, item in enumerate(items):
            states = torch.from_numpy(features["hidden/score"][k, :-1])
            ids = list(item.label_ids)
            assert close(features["logits/score"][k, 0], unembed(states)[:, ids])
            assert close(features["logits/score"][k, 1], unembed(lm.anatomy.final_norm(states))[:, ids])


def test_log_probability_is_that_of_the_response_tokens(passed: Any) -> None:
    lm, items, features = passed
    for row, item in zip(features["logprob"], items, strict=True):
        every = outputs(lm, item).logits[0].double().log_softmax(-1)
        start, end = item.positions["prompt_end"][0], item.positions["response_end"][0]
        naive = sum(float(every[t - 1, item.ids[t]]) for t in range(start + 1, end + 1))
        assert row[0] == pytest.approx(naive, rel=1e-4)
        assert row[1] == end - start


def test_attention_rows_are_those_of_the_eager_kernel(family: str, tiny: Tiny, random_items: Any) -> None:
    lm, eager = tiny(family), tiny(family, attn_implementation="eager")
    items = random_items(LENGTHS, options=(6, 3, 4))
    for model in (lm, eager):
        features = extract(model, items, [AttentionWeights()], batch_size=3)
        for row, item in zip(features["attention"], items, strict=True):
            keys = list(item.positions["option_end"])
            attentions = outputs(eager, item, output_attentions=True).attentions
            for block, weights in enumerate(attentions):
                assert close(row[block, :, : len(keys)], weights[0, :, len(item.ids) - 1, keys])
            assert not row[..., len(keys) :].any()
            assert row.std() > 1e-3  # attention that is not uniform: the comparison can fail


@pytest.mark.parametrize("lengths", [(12,), (12, 9, 7)], ids=["without a mask", "with a mask"])
def test_a_query_does_not_see_what_comes_after_it(tiny: Tiny, random_items: Any, lengths: tuple[int, ...]) -> None:
    lm, eager = tiny("llama"), tiny("llama", attn_implementation="eager")
    items = [
        replace(item, positions={"query": (4,), "keys": tuple(range(len(item.ids)))}) for item in random_items(lengths)
    ]
    readout = AttentionWeights(query="query", keys="keys")
    row = extract(lm, items, [readout], batch_size=3)["attention/query.weights[keys]"][0]
    for block, weights in enumerate(outputs(eager, items[0], output_attentions=True).attentions):
        assert close(row[block], weights[0, :, 4])
    assert not row[:, :, 5:].any()
    assert np.allclose(row.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("family", SDPA, indirect=True)
def test_sdpa_keeps_computing_and_writes_no_square(family: str, tiny: Tiny, random_items: Any) -> None:
    lm, items = tiny(family), random_items((40, 33))
    assert lm.attention == "sdpa"
    assert "right" in lm.padding_sides  # found in short passes of their own, once a model: not counted here
    returned: list[Any] = []
    largest = 0

    def spy(module: Any, _args: Any, output: Any) -> None:
        nonlocal largest
        parts = output if isinstance(output, tuple) else (output,)
        if "attention" in type(module).__name__.lower():
            returned.append(parts[1] if len(parts) > 1 else None)
        largest = max(largest, *(p.shape[-2] * p.shape[-1] for p in parts if isinstance(p, Tensor) and p.ndim == 4), 0)

    hooks = [m.register_forward_hook(spy) for m in lm.model.modules()]
    calls: list[str] = []
    real = torch.nn.functional.scaled_dot_product_attention

    def counted(*args: Any, **kwargs: Any) -> Tensor:
        calls.append("sdpa")
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
        extract(lm, items, [AttentionWeights(), HiddenStates("score")])
    for hook in hooks:
        hook.remove()
    assert len(calls) == lm.anatomy.n_blocks
    assert len(returned) == lm.anatomy.n_blocks
    assert all(weights is None for weights in returned)
    assert largest < 40 * 33


def test_a_model_outside_the_registry_is_eager(tiny: Tiny) -> None:
    assert tiny("gpt_neo").attention == "eager"
    assert tiny("gemma2").attention == "eager"


def test_half_precision_is_read_in_that_precision(tiny: Tiny, random_items: Any) -> None:
    lm, half = tiny("qwen3"), tiny("qwen3", dtype=torch.bfloat16)
    items = random_items(LENGTHS)
    exact, rough = (extract(m, items, READOUTS) for m in (lm, half))
    assert rough.provenance.dtype == "bfloat16"
    for name, array in rough.arrays.items():
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert np.abs(array - exact[name]).max() < 0.15 * np.abs(exact[name]).max(), name
