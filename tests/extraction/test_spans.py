"""Attention to spans of keys: against the eager weights summed, and whatever it is read beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import AttentionSpans, AttentionWeights, HiddenStates, States, extract
from innerjudge.extraction.readout_names import range_readout
from innerjudge.extraction.readouts import Lens
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.taps import spans as spans_of
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding

from .conftest import in_every_way, same_by_id

KEYS = ("prompt", "response@-1")
ALL = [
    AttentionSpans("response@-1", KEYS),
    AttentionSpans("response@-1", KEYS, "ratio"),
    AttentionSpans("response", (), "diagonal"),
    AttentionSpans("step", ("prompt", "response", "step_end")),
    AttentionSpans("step", (), "diagonal"),
    AttentionSpans("response@-1", ("prompt",), "copied"),
    AttentionSpans("step", ("prompt",), "copied"),
    AttentionSpans("response", (), "own(5)"),
    AttentionSpans("step", (), "own(3)"),
]
FAMILIES = ["llama", "qwen3", "gemma2", "gemma3", "gpt2", "gpt_neo", "phi3", "cohere2", "opt"]


@pytest.fixture(params=FAMILIES)
def lm(request: pytest.FixtureRequest, tiny: Any) -> LanguageModel:
    model: LanguageModel = tiny(request.param)
    return model


@torch.no_grad()
def test_masses_are_those_of_the_eager_weights(
    lm: LanguageModel, tiny: Any, request: pytest.FixtureRequest, items: list[Encoding], monkeypatch: Any
) -> None:
    monkeypatch.setattr(spans_of, "_WEIGHTS", 400)  # a row of weights at a time, or a few
    monkeypatch.setattr(spans_of, "_SHARE", 0.7)  # two of the three tokens of the prompt
    found = extract(lm, items, ALL, batch_size=3)
    eager = tiny(request.node.callspec.params["lm"], attn_implementation="eager")
    for k, item in enumerate(items):
        asked = {"output_attentions": True, "output_hidden_states": True, "use_cache": False}
        output = eager.model(torch.tensor([item.ids]), **asked)
        weights, states = output.attentions, output.hidden_states[-1][0].numpy()
        a = torch.stack([one[0] for one in weights]).numpy()  # [L, H, T, T]
        n = len(item.ids)
        # Token 2, the prompt's last, is the first of the second role as well, and belongs to that.
        on = np.stack([a[..., :2].sum(-1), a[..., 2 : n - 1].sum(-1)], -1)[:, :, 2 : n - 1]
        close = {"atol": 1e-5, "rtol": 1e-4}
        assert np.allclose(found[ALL[0].name][k], on.mean(2), **close)
        means = on / np.stack([np.full(n - 3, 2), np.arange(1, n - 2)], -1)
        assert np.allclose(found[ALL[1].name][k], (means[..., 0] / means.sum(-1)).mean(2), **close)
        own = np.log(np.diagonal(a, axis1=2, axis2=3))
        assert np.allclose(found[ALL[2].name][k], own[..., 3:].mean(-1), **close)
        copied = np.zeros(a.shape[:3])
        for place in np.ndindex(*copied.shape):
            mean = states[np.argsort(-a[place][:3], kind="stable")[:2]].mean(0)
            copied[place] = mean @ states[place[2]] / np.linalg.norm(mean) / np.linalg.norm(states[place[2]])
        assert np.allclose(found[ALL[5].name][k], copied[..., 2 : n - 1].mean(-1), **close)
        near = np.stack([np.pad(np.diagonal(a, -j, 2, 3), ((0, 0), (0, 0), (j, 0))) for j in range(5)], -1)
        assert np.allclose(found[ALL[7].name][k], near[:, :, 3:].mean(2), **close)
        steps = item.places("step")
        ends = [b - 1 for _, b in steps]
        inner = [t for t in range(3, n) if t not in ends]
        for row, (start, end) in enumerate(steps):
            rows = a[:, :, start:end]
            each = np.stack([rows[..., :3].sum(-1), rows[..., inner].sum(-1), rows[..., ends].sum(-1)], -1)
            assert np.allclose(found.ragged[ALL[3].name][k][row], each.mean(2), **close)
            assert np.allclose(found.ragged[ALL[4].name][k][row], own[..., start:end].mean(-1), **close)
            assert np.allclose(found.ragged[ALL[6].name][k][row], copied[..., start:end].mean(-1), **close)
            assert np.allclose(found.ragged[ALL[8].name][k][row], near[:, :, start:end, :3].mean(2), **close)


@in_every_way
def test_batches_padding_packing_and_sharing_change_nothing(
    lm: LanguageModel, items: list[Encoding], how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innerjudge.extraction.schedule.WORTH", 0.0)
    monkeypatch.setattr("innerjudge.extraction.batching._ON_CPU", 127)  # less than 128: a batch costs its tokens alone
    beside = [*ALL, States("response"), AttentionWeights()]
    same_by_id(extract(lm, items, beside, batch_size=3), extract(lm, items[::-1], beside, **how))
    after = [replace(one, positions={**one.positions, "prompt_end": (5,)}, ranges={}) for one in items]
    late = [AttentionSpans("response", ("prompt", "response"))]
    late += [AttentionSpans("response", (), what) for what in ("diagonal", "own(8)")]
    same_by_id(extract(lm, after, late, batch_size=3), extract(lm, after[::-1], late, **how))


@pytest.mark.filterwarnings("error")  # what cannot be shared is read in another way, with a warning
def test_keys_behind_a_shared_beginning_are_the_same(tiny: Any, items: list[Encoding], monkeypatch: Any) -> None:
    monkeypatch.setattr(spans_of, "_SHARE", 0.7)
    lm, heard, start = tiny("llama"), list[int](), spans_of.SpanStates.__init__

    def told(self: Any, of: Any, readout: Any, lent: int) -> None:
        heard.append(lent)
        start(self, of, readout, lent)

    monkeypatch.setattr(spans_of.SpanStates, "__init__", told)
    alike = [3 + 7 * t % 20 for t in range(20)]
    positions = {**items[0].positions, "prompt_end": (19,), "response_end": (49,), "first": (20,)}
    ids = [(*alike, *(5 + k * t % 11 for t in range(30))) for k in range(4)]
    texts = [
        replace(items[0], id=f"{k}", ids=own, positions=positions, ranges={"response/start(3)": ((20, 23),)})
        for k, own in enumerate(ids)
    ]
    wanted = [AttentionSpans("response", ("response/start(3)",), what) for what in ("copied", "mass")]
    whole = extract(lm, texts, wanted, share_prompts=False)
    assert not any(heard)
    same_by_id(whole, extract(lm, texts, wanted, max_tokens=100))
    assert 20 in heard
    itself = extract(lm, texts, [AttentionSpans("first", ("response",), "copied")])
    assert np.allclose(itself["attention/first.copied[response]"], 1), "a query takes no keys behind it"


def test_a_pass_that_stops_early_gives_the_first_blocks(lm: LanguageModel, items: list[Encoding]) -> None:
    some = [*ALL[:5], *ALL[7:]]
    whole, early = extract(lm, items, ALL), extract(lm, items, some, last_block=2)
    with pytest.raises(InnerjudgeError, match="need all"):
        extract(lm, items, ALL, last_block=2)
    for readout in some:
        if readout.ragged:
            a, b = early.ragged[readout.name].values, whole.ragged[readout.name].values
        else:
            a, b = early[readout.name], whole[readout.name]
        assert a.shape[1] == 2
        assert np.allclose(a, b[:, :2], atol=1e-6)


@pytest.mark.parametrize(("dtype", "runs"), [("float32", 1), ("bfloat16", 2)])
def test_the_kernel_stays_and_no_square_is_made(
    tiny: Any, items: list[Encoding], monkeypatch: Any, dtype: str, runs: int
) -> None:
    lm = tiny("llama", dtype=getattr(torch, dtype))
    beside = [HiddenStates("response_end"), States("response")]
    alone = extract(lm, items, beside)
    seen = []
    kernel = torch.nn.functional.scaled_dot_product_attention

    def told(query: Any, key: Any, value: Any, **how: Any) -> Any:
        seen.append((value.shape[-1], value.shape[-1] == query.shape[-1] == key.shape[-1]))
        return kernel(query, key, value, **how)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", told)
    found = extract(lm, items[:1], ALL[:2])
    assert len(seen) == runs * lm.anatomy.n_blocks
    assert all(same_size for _, same_size in seen), "a fused kernel takes no values of another width"
    own = lm.anatomy.head_dim  # four columns of two readouts, filled up to eight
    assert {width for width, _ in seen} == {own + 8 if runs == 1 else own}
    assert np.allclose(
        found[ALL[0].name].sum(-1), 1, atol=0.02
    )  # every query of the response sees these two spans only
    both = extract(lm, items, [*beside, *ALL])
    for name in alone.arrays:
        assert np.array_equal(alone[name], both[name]), "the model computes what it would without"


def test_an_item_without_the_place_says_why(items: list[Encoding], tiny: Any) -> None:
    odd = replace(items[1], ranges={}, missing={"step": "no step in the response"})
    found = extract(tiny("llama"), [odd, items[0]], [ALL[3], AttentionSpans("response", ("prompt", "step"))])
    assert {found.missing[name][odd.id] for name in found.missing} == {"no step in the response"}
    assert found.ragged[ALL[3].name].counts.tolist() == [0, len(items[0].places("step"))]


def test_names_and_wrong_readouts() -> None:
    lenses = [
        Lens(),
        Lens("step_end", "mlp"),
        Lens("response/start(1)", "attention"),
        Lens("step", "middle", "divergence"),
    ]
    assert range_readout("lens/step.residual[entropy]") is None, "its name is without what it is by default"
    for readout in (*ALL, *lenses, States("response", "logdet"), States("step", "logdet", (-1,))):
        assert range_readout(readout.name) == readout
    for wrong in (
        lambda: AttentionSpans("step(no)"),
        lambda: AttentionSpans(keys=()),
        lambda: AttentionSpans(keys=("cue(a|b)",)),
        lambda: AttentionSpans(keys=("prompt",) * 9),
        lambda: AttentionSpans(what="copied"),
        lambda: AttentionSpans(what="sum"),
        lambda: AttentionSpans(what="own(0)"),
        lambda: AttentionSpans(what="own(65)"),
        lambda: Lens("step(no)"),
        lambda: Lens(at="logits"),  # type: ignore[arg-type]
        lambda: Lens(at="mlp", what="divergence"),
    ):
        with pytest.raises(InnerjudgeError, match="given"):
            wrong()


def test_the_store_gives_them_back(tiny: Any, items: list[Encoding], tmp_path: Path) -> None:
    found = extract(tiny("llama"), items, ALL)
    store = FeatureStore.save(found, tmp_path / "store", shard_items=3)
    same_by_id(store.features(), found, 0.0, 0.0)
    same_by_id(store.features(rows=[3, 0, 2]), found, 0.0, 0.0)
