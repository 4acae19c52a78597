"""Query-key products before and after the rotary embedding, against products computed by hand from the modules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.judges.panel import needs_of
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import read as read_items
from innerjudge.extraction import AttentionWeights, Features, Lens, QueryKey, extract
from innerjudge.extraction.readout_names import range_readout
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.store.index import StoreHeader
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel, wrap
from torch import Tensor, nn

from .conftest import CONFIGS, in_every_way, same_by_id

Tiny = Callable[..., LanguageModel]
ABSOLUTE = ("gpt2", "gpt_neo", "opt")
#: Blocks whose family rotates nothing in them.
UNROTATED = {"cohere2": [1], **{name: list(range(4)) for name in ABSOLUTE}}


@pytest.fixture(params=CONFIGS)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(lm: LanguageModel, items: Any, *readouts: Any) -> Features:
    return extract(lm, items, readouts or [QueryKey("before"), QueryKey("after")], batch_size=3)


@torch.no_grad()
def projected(lm: LanguageModel, block: nn.Module, ids: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Queries ``[H, T, hd]`` and keys ``[Hkv, T, hd]`` of one block, after any q/k norm, sliced by hand."""
    a, kept = lm.anatomy, {}

    def keep(name: str) -> Any:
        return lambda _m, _a, output: kept.__setitem__(name, output[0])

    names = {name.rpartition(".")[2]: m for name, m in block.named_modules()}
    wanted = [
        n for n in ("q_proj", "k_proj", "q_norm", "k_norm", "c_attn", "query_key_value", "qkv_proj") if n in names
    ]
    hooks = [names[name].register_forward_hook(keep(name)) for name in wanted]
    lm.model(input_ids=torch.tensor([ids]), use_cache=False)
    for hook in hooks:
        hook.remove()
    n_q, n_kv, d, length = a.n_heads, a.n_kv_heads, a.head_dim, len(ids)
    if "c_attn" in kept:  # GPT-2: all queries, all keys, all values
        q, k, _ = kept["c_attn"].split(n_q * d, dim=-1)
    elif "query_key_value" in kept:  # GPT-NeoX: query, key, value of head 0, then of head 1, ...
        q, k, _ = kept["query_key_value"].view(length, n_q, 3 * d).split(d, dim=-1)
    elif "qkv_proj" in kept:  # Phi-3: all queries, all keys, all values, in groups
        q, k, _ = kept["qkv_proj"].split([n_q * d, n_kv * d, n_kv * d], dim=-1)
    else:
        q, k = (kept.get(f"{x}_norm", kept[f"{x}_proj"]) for x in "qk")

    def heads(states: Tensor, n: int) -> Tensor:
        # q/k norms hand over either [T, heads, hd] or, after a transpose in the model, [heads, T, hd].
        return (
            states if states.shape == (n, length, d) != (length, n, d) else states.reshape(length, n, d).transpose(0, 1)
        )

    return heads(q, n_q), heads(k, n_kv)


def naive(lm: LanguageModel, q: Tensor, k: Tensor, item: Any) -> Tensor:
    """Head by head: query head ``h`` with key head ``h // (H / Hkv)``, ``[H, K]``."""
    at, keys = item.positions["score"][0], item.positions["option_end"]
    share = lm.anatomy.n_heads // lm.anatomy.n_kv_heads
    return torch.tensor([[float(q[h, at] @ k[h // share, key]) for key in keys] for h in range(lm.anatomy.n_heads)])


def test_before_is_the_product_of_projections(family: str, tiny: Tiny, random_items: Any) -> None:
    lm, items = tiny(family), random_items((12, 7, 9))
    found = read(lm, items)["qk/before"]
    assert found.shape == (3, lm.anatomy.n_blocks, lm.anatomy.n_heads, 3)
    for row, item in zip(found, items, strict=True):
        for number, block in enumerate(lm.anatomy.blocks):
            expected = naive(lm, *projected(lm, block, item.ids), item)
            assert np.allclose(row[number], expected, atol=1e-4, rtol=1e-4), f"block {number}"


def test_after_is_before_turned_by_the_models_own_function(family: str, tiny: Tiny, random_items: Any) -> None:
    lm, item = tiny(family), random_items((12,))[0]
    features = read(lm, [item])
    embeddings: dict[int, Any] = {}
    hooks = [
        m.register_forward_pre_hook(
            lambda _m, _a, kwargs, n=n: embeddings.__setitem__(n, kwargs.get("position_embeddings")), with_kwargs=True
        )
        for n, block in enumerate(lm.anatomy.blocks)
        for m in block.modules()
        if "attention" in type(m).__name__.lower()
    ]
    lm.model(input_ids=torch.tensor([item.ids]), use_cache=False)
    for hook in hooks:
        hook.remove()
    modelling = sys.modules[type(lm.anatomy.blocks[0]).__module__]
    for number, block in enumerate(lm.anatomy.blocks):
        q, k = projected(lm, block, item.ids)
        if number not in UNROTATED.get(family, []):
            cos, sin = embeddings[number]
            q, k = (x[0] for x in modelling.apply_rotary_pos_emb(q[None], k[None], cos, sin))
        assert np.allclose(features["qk/after"][0, number], naive(lm, q, k, item).detach(), atol=1e-4, rtol=1e-4)
    turned = np.abs(features["qk/after"] - features["qk/before"]).max(axis=(0, 2, 3)) > 1e-3
    assert list(np.flatnonzero(~turned)) == UNROTATED.get(family, [])[: lm.anatomy.n_blocks]


def test_yarn_stretches_and_before_does_not(tiny: Tiny, random_items: Any) -> None:
    """YaRN multiplies cosine and sine by a factor above 1: a plain turn back would leave its square in."""
    lm = tiny("yarn")
    factor = float(lm.model.model.rotary_emb.attention_scaling)
    assert factor == pytest.approx(0.1 * np.log(4.0) + 1.0)  # the YaRN paper's scale for a factor of 4
    base = random_items((12,))[0]
    item = type(base)(id="x", group="x", ids=base.ids, positions={"score": (5,), "option_end": (5,)})
    features = read(lm, [item])
    # A query and a key at one place are turned alike: only the stretch is between their products.
    assert np.allclose(features["qk/after"], features["qk/before"] * factor**2, rtol=1e-4, atol=1e-5)


def test_scaled_products_through_softmax_are_the_attention(tiny: Tiny, random_items: Any) -> None:
    lm, base = tiny("llama"), random_items((8,))[0]
    item = type(base)(id="x", group="x", ids=base.ids, positions={"score": (7,), "option_end": tuple(range(8))})
    features = read(lm, [item], QueryKey("after"), AttentionWeights())
    scaled = torch.from_numpy(features["qk/after"]) / lm.anatomy.head_dim**0.5
    assert np.allclose(scaled.softmax(-1), features["attention"], atol=1e-5)


def test_multi_head_equals_grouped_with_duplicated_keys(tiny: Tiny, random_items: Any) -> None:
    grouped, items = tiny("llama"), random_items((12, 9))
    config = type(grouped.model.config)(**{**grouped.model.config.to_dict(), "num_key_value_heads": 4})
    model = type(grouped.model)(config)
    state = grouped.model.state_dict()
    for name, weight in state.items():
        if "k_proj" in name or "v_proj" in name:
            state[name] = weight.view(2, 8, 32).repeat_interleave(2, dim=0).reshape(32, 32)
    model.load_state_dict(state)
    full = read(wrap(model, grouped.tokenizer), items)
    for name, array in read(grouped, items).arrays.items():
        assert np.allclose(array, full[name], atol=1e-4), name


def test_products_between_any_two_roles(tiny: Tiny, random_items: Any) -> None:
    """Keys need not be options: nothing beyond an item's own keys is zeroed, and nothing of it. Names say the roles."""
    lm, base = tiny("llama"), random_items((12,))[0]
    item = type(base)(
        id="x", group="x", ids=base.ids, positions={"a": (9,), "b": (3, 4), "score": (9,), "option_end": (3, 4)}
    )
    readouts = (
        QueryKey("before", query="a", keys="b"),
        AttentionWeights("a", "b"),
        QueryKey("before"),
        AttentionWeights(),
    )
    found = read(lm, [item], *readouts)
    assert {*found.arrays} == {"labels", "qk/a.before[b]", "attention/a.weights[b]", "qk/before", "attention"}
    assert np.array_equal(found["qk/a.before[b]"], found["qk/before"])
    assert np.array_equal(found["attention/a.weights[b]"], found["attention"])
    assert np.abs(found["qk/before"]).min() > 0
    assert "labels" not in read(lm, [item], *readouts[:2])


#: Queries of one token, of a range, and of several ranges, whose keys are one token, some, or a number that differs.
PAIRS = [
    (query, keys)
    for query in ("score", "response@-1", "step", "step_end")
    for keys in ("option_end", "response", "prompt_end")
]
EVERY = [one(*how) for query, keys in PAIRS for one, *how in (
    (QueryKey, "before", query, keys), (QueryKey, "after", query, keys), (AttentionWeights, query, keys),
)]  # fmt: skip


@pytest.mark.parametrize("model", ["llama", "yarn", "gemma2", "gpt2"])
def test_a_query_of_several_tokens_is_the_mean_of_theirs(model: str, tiny: Tiny, items: list[Any]) -> None:
    lm = tiny(model)
    found = read(lm, items, *EVERY)
    for k, item in enumerate(items):
        tokens = {f"t{t}": (t,) for t in range(len(item.ids))}
        alone = replace(item, positions={**item.positions, **tokens}, ranges={"every": ((0, len(item.ids)),)})
        asked = [QueryKey(way, role, "every") for role in tokens for way in ("before", "after")]
        naively = read(lm, [alone], *asked, *(AttentionWeights(role, "every") for role in tokens))
        for readout in EVERY:
            how = "weights" if isinstance(readout, AttentionWeights) else readout.rotary
            kind = "attention" if how == "weights" else "qk"
            each = np.stack([naively[f"{kind}/{role}.{how}[every]"][0] for role in tokens])  # [T, L, H, T]
            own = [t for a, b in item.places(readout.keys) for t in range(a, b)]
            rows = [each[a:b][..., own].mean(0) for a, b in item.places(readout.query)]
            got = found.ragged[readout.name][k] if readout.ragged else found[readout.name][k, None]
            assert np.allclose(got[..., : len(own)], rows, atol=2e-4, rtol=1e-4), readout.name
            assert not got[..., len(own) :].any()
            assert len(got) == len(rows)


@in_every_way
@pytest.mark.parametrize("model", ["llama", "gpt2"])
def test_batches_padding_packing_and_sharing_change_nothing(
    model: str, tiny: Tiny, items: list[Any], how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innerjudge.extraction.schedule.WORTH", 0.0)
    monkeypatch.setattr("innerjudge.extraction.batching._ON_CPU", 127)
    lm = tiny(model)
    same_by_id(extract(lm, items, EVERY, batch_size=3), extract(lm, items[::-1], EVERY, **how), atol=2e-4)


def test_parts_of_a_store_are_as_wide_as_the_widest(tiny: Tiny, items: list[Any], tmp_path: Path) -> None:
    lm, readouts = tiny("llama"), [QueryKey("after", "step_end", "response"), Lens("step", what="labels")]
    items = [replace(item, label_ids=item.label_ids[k:]) for k, item in enumerate(items)]  # 3, 2, 1 and none
    whole, names = extract(lm, items, readouts), [one.name for one in readouts]
    parts = [extract(lm, items[:2], readouts), extract(lm, items[2:], readouts)]
    widths = [[part.ragged[name].shape[-1] for part in parts] for name in names]
    assert widths == [[9, 6], [3, 1]]  # responses of 9, 4, 6 and 6 tokens
    store = FeatureStore.create(tmp_path, StoreHeader(whole.provenance, items=4, shard_items=2))
    for number, part in enumerate(parts):
        store.write(number, part)
    for name in names:
        rows = whole.ragged[name]
        held = store.features(most=0).ragged[name]
        for found in (store.ragged(name), Features.concat(parts).ragged[name], held):
            assert found.shape == rows.shape
            assert np.allclose(found.values, rows.values, atol=1e-4)
            assert found.counts.tolist() == rows.counts.tolist()
        assert held.take([3, 2]).shape[1:] == held[2].shape[1:] == store.ragged(name, []).shape[1:] == rows.shape[1:]


def test_names_of_pairs_parse_back_and_are_asked_for(reference: LanguageModel) -> None:
    for readout in EVERY:
        usual = (readout.query, readout.keys) == ("score", "option_end")
        assert range_readout(readout.name) == (None if usual else readout)
    name = "qk/response/step(line).after[prompt/nth_last(2)]"
    assert needs_of([name]) == {name}
    with pytest.raises(InnerjudgeError, match=r"qk/foo\.before"):
        needs_of(["qk/foo.before"])
    own = ["qk/own_text(score).before", "attention/own_text(step).weights[score]", "lens/own_text(score).mlp[labels]"]
    assert needs_of([*own, "lens/step.residual"]) == {*own, "lens/step.residual"}
    for wrong in (
        "score", "hidden/score.last", "qk/response_end.before", "attention/response_end.weights",
        "qk/score.after[prompt]", "lens/score.residual[labels]", "lens/step.residual[labels]",
        "attention/response.mass[prompt|option_end]",
    ):  # fmt: skip
        with pytest.raises(InnerjudgeError, match=r"no options, labels or place of a verdict.* qk/own_text\(score\)"):
            needs_of([wrong])
    traces = [Trace(question_id=q, candidate_id="0", prompt="2 + 2?", response="3\n4") for q in "ab"]
    found = read_items(reference, traces, Passes(needs=frozenset({name, "hidden/response_end"})))
    assert found.ragged[name].counts.tolist() == [2, 2]
    shape = reference.anatomy.n_blocks, reference.anatomy.n_heads, 1
    assert found.ragged[name].shape == (4, *shape)
    assert np.abs(found.ragged[name].values).min() > 0
    of_verdicts = {"qk/response_end.before", "lens/step.residual[labels]"}
    found = read_items(reference, traces, Passes(needs=frozenset({*of_verdicts, "labels"})))
    assert found["labels"].tolist() == [2, 2]
    assert all(len(found.missing[one]) == 2 for one in of_verdicts)
