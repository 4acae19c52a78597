"""Readouts of ranges: against the model's own states and logits, and whatever they are read beside."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from innerjudge.extraction import (
    Features,
    HiddenStates,
    LabelLogits,
    Ragged,
    ResponseLogProb,
    States,
    TokenStats,
    extract,
    one_pass,
    token_statistics as statistics_of,
)
from innerjudge.extraction.given_states import GivenStates, features_of_states
from innerjudge.extraction.readout_names import range_readout
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.taps.residual import projection
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding, encode_trace

from .conftest import CONFIGS, in_every_way, same_by_id

STATES = [
    *(States("response", reduce) for reduce in ("mean", "max", "min", "first", "last", "none")),
    States("parts"),
    States("parts", "max", (0, -1)),
    States("prompt"),
]
PROJECTED = [States("parts", "none", None, 5), States("response", "max", (0, -1), 7), States("prompt", project=2)]
STATES += PROJECTED
STATES = [replace(s, role="step") if s.role == "parts" else s for s in STATES]
WHATS = ("log_probability", "entropy", "logsumexp", "mean_logit", "certainty", "top(3)", "rank")
TOKENS = [TokenStats("response", what) for what in WHATS]
MEANS = TokenStats("step", "mean(log_probability)")
ALL = [*STATES, *TOKENS, MEANS, TokenStats("step_end", "entropy"), ResponseLogProb()]


@pytest.fixture(params=["llama", "gemma2", "gpt2", "cohere"])
def lm(request: pytest.FixtureRequest, tiny: Any) -> LanguageModel:
    assert request.param in CONFIGS
    model: LanguageModel = tiny(request.param)
    return model


@torch.no_grad()
def test_states_are_reduced_states_of_the_model(lm: LanguageModel, items: list[Encoding]) -> None:
    found = extract(lm, items, STATES, batch_size=3)
    for k, item in enumerate(items):
        kept: list[torch.Tensor] = []
        hook = lm.anatomy.blocks[-1].register_forward_hook(
            lambda _m, _a, o, kept=kept: kept.append(o[0] if isinstance(o, tuple) else o)
        )
        hidden = lm.model(torch.tensor([item.ids]), output_hidden_states=True, use_cache=False).hidden_states
        hook.remove()
        rows = torch.stack([*(h[0] for h in hidden[:-1]), kept[0][0], hidden[-1][0]]).numpy()  # [L + 2, T, D]
        mine = rows[:, 3:]
        near = {"atol": 1e-4, "rtol": 1e-4}
        assert np.allclose(found["hidden/response.mean"][k], mine.mean(1), **near)
        assert np.allclose(found["hidden/response.max"][k], mine.max(1), **near)
        assert np.allclose(found["hidden/response.min"][k], mine.min(1), **near)
        assert np.allclose(found["hidden/response.first"][k], mine[:, 0], **near)
        assert np.allclose(found["hidden/response.last"][k], mine[:, -1], **near)
        assert np.allclose(found["hidden/prompt.mean"][k], rows[:, :3].mean(1), **near)
        assert np.allclose(found.ragged["hidden/response.none"][k], mine.swapaxes(0, 1), **near)
        steps = [rows[:, a:b] for a, b in item.places("step")]
        assert np.allclose(found.ragged["hidden/step.mean"][k], [s.mean(1) for s in steps], **near)
        assert np.allclose(found.ragged["hidden/step.max[0,-1]"][k], [s.max(1)[[0, -1]] for s in steps], **near)
        # Projected are the very same states, by the matrix of that width.
        matrix = {k: projection(32, k).numpy() for k in (5, 7, 2)}
        assert np.allclose(found.ragged["hidden/step.none~5"][k], mine.swapaxes(0, 1) @ matrix[5], **near)
        assert np.allclose(found["hidden/response.max[0,-1]~7"][k], mine.max(1)[[0, -1]] @ matrix[7], **near)
        assert np.allclose(found["hidden/prompt.mean~2"][k], rows[:, :3].mean(1) @ matrix[2], **near)


def test_projections_are_fixed_and_keep_distances() -> None:
    # The first normal numbers of seed 0, over the root of 4.
    assert projection(3, 4)[0].tolist() == pytest.approx([0.882026, 0.200079, 0.489369, 1.120447], abs=1e-6)
    assert projection(2, 4).equal(projection(3, 4)[:2])
    matrix = projection(500, 400).double()
    assert float(matrix.square().sum(1).mean()) == pytest.approx(1.0, abs=0.01)
    apart = torch.randn(50, 500, generator=torch.Generator().manual_seed(1)).double()
    kept = (apart @ matrix).square().sum(1) / apart.square().sum(1)
    assert float(kept.std()) == pytest.approx((2 / 400) ** 0.5, rel=0.3)
    assert float(kept.mean()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("how", [{"project": -1}, {"project": 3, "reduce": "logdet"}])
def test_what_is_no_projection_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(InnerjudgeError, match="expected a number of columns of states"):
        States("response", **how)


def test_projections_have_names_that_parse_back() -> None:
    for one in PROJECTED:
        assert range_readout(one.name) == one
    assert range_readout("tokens/response.entropy~3") is None
    assert range_readout("hidden/response.mean~0") is None


@torch.no_grad()
@pytest.mark.parametrize("held", [1, 61 * 2, 2**23])
def test_statistics_are_those_of_the_models_logits(
    lm: LanguageModel, items: list[Encoding], held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics_of, "_LOGITS", held)  # one row of logits at a time, two, or all
    found = extract(lm, items, [*TOKENS, MEANS, TokenStats("step_end", "entropy"), ResponseLogProb()], batch_size=3)
    for k, item in enumerate(items):
        logits = lm.model(torch.tensor([item.ids])).logits[0].double()
        n = logits.shape[-1]
        rows, drawn = logits[2:-1], torch.tensor(item.ids[3:])
        p = rows.log_softmax(-1)
        expected = {
            "log_probability": p.gather(1, drawn[:, None])[:, 0],
            "entropy": -(p.exp() * p).sum(-1),
            "logsumexp": rows.logsumexp(-1),
            "mean_logit": rows.mean(-1),
            "certainty": -p.mean(-1) - np.log(n),
            "top(3)": p.sort(descending=True, dim=-1).values[:, :3],
            "rank": (rows > rows.gather(1, drawn[:, None])).sum(-1) + 1,
        }
        for what, values in expected.items():
            got = found.ragged[f"tokens/response.{what}"][k]
            assert np.allclose(got, values.numpy(), atol=1e-4, rtol=1e-4), what
        ends = [a for a, _ in item.places("step_end")]
        entropies = [expected["entropy"][at - 3] for at in ends]
        assert np.allclose(found.ragged["tokens/step_end.entropy"][k], entropies, atol=1e-4)
        means = [expected["log_probability"][a - 3 : b - 3].mean() for a, b in item.places("step")]
        assert np.allclose(found.ragged[MEANS.name][k], means, atol=1e-4)
        assert np.allclose(found["logprob"][k], [expected["log_probability"].sum(), len(drawn)], atol=1e-3)


@pytest.mark.parametrize(("width", "k"), [(5, 3), (160, 20), (167, 20), (2048, 20), (1001, 1)])
def test_the_highest_of_groups_are_the_highest_of_all(width: int, k: int) -> None:
    rows = torch.randn(7, width, generator=torch.Generator().manual_seed(0)).mul(4).round()  # with ties
    rows[3, : width // 2] = -torch.inf
    expected = rows.sort(-1, descending=True).values[:, :k] - rows.logsumexp(-1, keepdim=True)
    found = statistics_of.statistics([rows], torch.zeros(7, dtype=torch.long), [f"top({k})"])
    assert torch.allclose(found[f"top({k})"], expected, atol=1e-5)


def test_columns_that_are_ruled_out_are_left_out_of_means() -> None:
    p = torch.tensor([[0.7, 0.1, 0.1, 0.1, 0.0]])
    found = statistics_of.statistics([p.log()], torch.tensor([1]), WHATS)
    # The same in blocks, one of which is ruled out as a whole.
    again = statistics_of.statistics(p.flip(1).log().split([1, 3, 1], dim=1), torch.tensor([3]), WHATS[:-1])
    assert all(torch.allclose(found[what], again[what], atol=1e-6) for what in WHATS[:-1])
    none = statistics_of.statistics([torch.tensor([[torch.nan, 1.0], [2, 1]])], torch.tensor([0, 1]), ["rank"])["rank"]
    assert none.isnan().tolist() == [True, False]
    assert none[1] == 2
    assert found["rank"].tolist() == [2]  # 0.7 is more probable than 0.1, of three alike
    # 0.429813 and 0.940448: methods.md, section 23; mean of logs (ln 0.7 + 3 ln 0.1) / 4 = -1.816108
    assert np.allclose(
        [float(found[w]) for w in ("certainty", "entropy", "mean_logit")], [0.429813, 0.940448, -1.816108]
    )
    # DeepConf, section 22: p (.7, .1, .1, .1), k = 2: C = -(ln .7 + ln .1) / 2 = 1.329630
    assert np.isclose(-float(found["top(3)"][0, :2].mean()), 1.329630)


@in_every_way
def test_batches_padding_packing_and_sharing_change_nothing(
    lm: LanguageModel, items: list[Encoding], how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innerjudge.extraction.schedule.WORTH", 0.0)
    monkeypatch.setattr("innerjudge.extraction.batching._ON_CPU", 127)  # less than 128: a batch costs its tokens alone
    same_by_id(extract(lm, items, ALL, batch_size=3), extract(lm, items[::-1], ALL, **how))
    own = [r for r in ALL if not (isinstance(r, States) and r.role == "prompt")]  # shares more where no prompt is read
    same_by_id(extract(lm, items, own, batch_size=3), extract(lm, items[::-1], own, **how))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.sampled_from(["mean", "max", "min", "first", "last"]))
def test_a_range_of_one_is_the_position_bit_for_bit(tiny: Any, random_items: Any, at: list[int], reduce: Any) -> None:
    lm = tiny("llama")
    items = [
        replace(item, positions={**item.positions, "here": (k,)})
        for item, k in zip(random_items([6 + k for k in range(len(at))]), at, strict=True)
    ]
    found = extract(lm, items, [HiddenStates("here"), States("here", reduce), States("here", "none")])
    assert np.array_equal(found["hidden/here"], found[f"hidden/here.{reduce}"])
    assert np.array_equal(found["hidden/here"], np.stack([rows[0] for rows in found.ragged["hidden/here.none"]]))


def test_a_pass_that_stops_early_gives_the_first_rows(lm: LanguageModel, items: list[Encoding]) -> None:
    whole = extract(lm, items, [States("response"), States("step", "none", (0, 1))])
    early = extract(lm, items, [States("response"), States("step", "none", (0, 1))], last_block=2)
    assert early["hidden/response.mean"].shape[1] == 3
    assert np.allclose(early["hidden/response.mean"], whole["hidden/response.mean"][:, :3], atol=1e-5)
    assert np.allclose(early.ragged["hidden/step.none[0,1]"].values, whole.ragged["hidden/step.none[0,1]"].values)
    with pytest.raises(InnerjudgeError, match="rows of the 3"):
        extract(lm, items, [States("response", "mean", (3,))], last_block=2)
    with pytest.raises(InnerjudgeError, match="all 3 blocks"):
        extract(lm, items, [TokenStats()], last_block=2)


def test_an_item_without_the_place_says_why(lm: LanguageModel, items: list[Encoding]) -> None:
    odd = replace(items[1], ranges={}, missing={"step": "no step in the response"})
    lone = replace(items[0], id="lone", positions={"first": (0,)}, ranges={})
    found = extract(lm, [odd, items[0], lone], [States("step"), States("response"), TokenStats("first", "entropy")])
    assert found.missing["hidden/step.mean"][odd.id] == "no step in the response"
    assert found.ragged["hidden/step.mean"].counts.tolist() == [0, len(items[0].places("step")), 0]
    assert "nothing stands before" in found.missing["tokens/first.entropy"]["lone"]
    assert not found["hidden/response.mean"][2].any()
    none = extract(lm, [odd, items[2]], [States("step", "none")])
    assert none.ragged["hidden/step.none"][0].shape == (0, lm.anatomy.n_blocks + 2, lm.anatomy.width)


def test_wrong_readouts_are_refused() -> None:
    for wrong in (
        lambda: States("step(no)"),
        lambda: States("x", "sum"),
        lambda: TokenStats("x", "top(0)"),
        lambda: TokenStats("x", "mean(top(2)"),
        lambda: TokenStats("x", "mean(entropy]"),
    ):  # type: ignore[arg-type]
        with pytest.raises(InnerjudgeError, match="given"):
            wrong()


def test_no_logits_where_nobody_asks(lm: LanguageModel, items: list[Encoding], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "token_values", None)  # would fail
    monkeypatch.setattr(type(lm.anatomy), "logits", None)
    extract(lm, items, STATES)


def test_given_states_are_reduced_alike(lm: LanguageModel, items: list[Encoding]) -> None:
    found = extract(lm, items, STATES)
    every = extract(lm, [replace(i, ranges={"all": ((0, len(i.ids)),)}) for i in items], [States("all", "none")])
    n = lm.anatomy.n_blocks
    given_rows = [GivenStates(i.ids, every.ragged["hidden/all.none"][k]) for k, i in enumerate(items)]
    normed = [GivenStates(one.ids, np.delete(one.states, n, axis=1)) for one in given_rows]
    kept = [replace(s, rows=(0, 1, n + 1)) for s in STATES]
    again = features_of_states(
        items,
        normed,
        kept,
        layers=range(n + 1),
        n_blocks=n,
        provenance=found.provenance,
        last="normed",
        rows={0, 1, n + 1},
    )
    for old, new in zip(STATES, kept, strict=True):
        if old.rows is None:
            whole = found.ragged[old.name].values if old.ragged else found[old.name]
            part = again.ragged[new.name].values if new.ragged else again[new.name]
            assert np.allclose(whole[:, [0, 1, n + 1]], part, atol=1e-5), old


def test_the_store_gives_ragged_rows_back(lm: LanguageModel, items: list[Encoding], tmp_path: Path) -> None:
    found = extract(lm, items, ALL)
    store = FeatureStore.save(found, tmp_path / "store", shard_items=3)
    same_by_id(store.features(), found, 0.0, 0.0)
    same_by_id(store.features(rows=[3, 0, 2]), found, 0.0, 0.0)
    for name, rows in store.features(most=0).ragged.items():  # which stay on the disk, and are taken along in pickles
        again = pickle.loads(pickle.dumps(rows))
        assert np.array_equal(again.values, found.ragged[name].values)
        assert repr(again) == repr(rows) == repr(found.ragged[name])
    [*parts] = store.parts(size=2)
    same_by_id(Features.concat(parts), found, 0.0, 0.0)
    with pytest.raises(InnerjudgeError, match="expected one of"):
        store.ragged("tokens/other.entropy")


def test_damaged_rows_are_refused(lm: LanguageModel, items: list[Encoding], tmp_path: Path) -> None:
    FeatureStore.save(extract(lm, items, TOKENS[:1]), tmp_path / "store")
    [shard] = (tmp_path / "store" / "shards").glob("*")
    raw = bytearray(shard.read_bytes())
    start = 8 + int.from_bytes(raw[:8], "little")
    raw[start : start + 8] = (99).to_bytes(8, "little")  # the counts are int64, which safetensors writes first
    shard.write_bytes(raw)
    with pytest.raises(InnerjudgeError, match="damaged"):
        FeatureStore.open(tmp_path / "store").features()


@given(st.lists(st.lists(st.floats(-9, 9, width=32), max_size=4), min_size=1, max_size=6), st.data())
def test_ragged_rows_are_taken_and_stacked(rows: list[list[float]], data: Any) -> None:
    whole = Ragged.of(rows)
    assert [one.tolist() for one in whole] == rows
    order = data.draw(st.permutations(range(len(rows))))
    assert [one.tolist() for one in whole.take(order)] == [rows[k] for k in order]
    cut = data.draw(st.integers(0, len(rows) - 1))
    parts = [whole.take(range(cut)), whole.take(range(cut, len(rows)))]
    assert [one.tolist() for one in Ragged.stack(parts)] == rows
    f = Features.from_arrays({"x": whole, "n": whole.counts}, provenance="m")
    assert [one.tolist() for one in f[order].ragged["x"]] == [rows[k] for k in order]
    assert f[order]["n"].tolist() == [len(rows[k]) for k in order]
    assert [one.tolist() for one in f.frame("x")["x"]] == rows


def test_ragged_rows_must_fit_their_offsets() -> None:
    for offsets in ([0, 3], [1, 2], [0, 2, 1, 2]):
        with pytest.raises(InnerjudgeError, match="offsets that rise"):
            Ragged(np.zeros(2, np.float32), np.array(offsets))
    assert Ragged.of([[1.0, np.nan], [], [2.0]]).finite().tolist() == [False, True, True]
    with pytest.raises(InnerjudgeError, match=r"from features\.ragged"):
        Features.from_arrays({"x": Ragged.of([[1.0]])}, provenance="m")["x"]


def test_rows_of_other_widths_are_padded_where_an_item_has_its_own_number_of_keys_or_labels() -> None:
    narrow, wide = Ragged.of([[[1, 2]]]), Ragged.of([[[3, 4, 5]], []])
    for name in ("qk/response/step_end.after[prompt]", "attention/step.weights[prompt]", "lens/step.residual[labels]"):
        assert Ragged.stack([narrow, wide], name).values.tolist() == [[1, 2, 0], [3, 4, 5]]
        assert Ragged.stack([narrow, wide.take([1])], name).values.tolist() == [[1, 2, 0]]  # as wide as what has none
    for name in ("", "hidden/step.mean", "tokens/step.top(3)", "lens/step.residual"):
        with pytest.raises(InnerjudgeError, match=r"shapes \(2,\) and \(3,\), expected one"):
            Ragged.stack([narrow, wide], name)
    with pytest.raises(InnerjudgeError, match=r"shapes \(5,\) and \(6,\), expected one"):
        Ragged.of([np.ones((2, 6)), np.ones((1, 5))])


@pytest.mark.parametrize(
    "one", [HiddenStates("response"), HiddenStates("prompt"), LabelLogits("response"), HiddenStates("option_end")]
)
def test_a_range_of_several_tokens_is_no_position(one: Any, tiny: Any, items: list[Encoding]) -> None:
    lm, right = tiny("llama"), [HiddenStates("score"), LabelLogits("score")]
    with pytest.raises(InnerjudgeError, match="expected a position of one token, not several"):
        extract(lm, items, [one, *right])
    single = [replace(item, ranges={one.position: ((3, 4),)}) for item in items]
    found = extract(lm, single, [one, *right])
    same_by_id(found, extract(lm, single, [*right, one]), atol=1e-5)
    assert np.allclose(found["hidden/score"], extract(lm, items, right)["hidden/score"], atol=1e-5)


def test_nothing_predicts_a_range_of_the_first_token_alone(reference: LanguageModel) -> None:
    trace = Trace(question_id="q", candidate_id="0", prompt="Start with 7. Add 5.", response="<think>7+5=12</think>12")
    readout = TokenStats("prompt/segment(1)", "mean(log_probability)")
    item = encode_trace(reference.tokenizer, trace, roles=[readout.role])
    found = extract(reference, [item], [readout])
    first = item.ranges["prompt/segment(1)"][0]
    if first == (0, 1):
        assert "nothing stands before the first token" in found.missing[readout.name][item.id]
    else:
        assert np.isfinite(found.ragged[readout.name].values).all()
    alone = replace(item, ranges={"prompt/segment(1)": ((0, 1), (1, 2))})
    assert "nothing stands before" in extract(reference, [alone], [readout]).missing[readout.name][item.id]
