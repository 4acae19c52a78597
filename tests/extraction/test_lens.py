"""Entropies through the lens: against the model's own logits, hidden states and modules."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import Features, LabelLogits, Lens, TokenStats, extract, token_statistics
from innerjudge.extraction.readout_names import range_readout
from innerjudge.extraction.taps.lens import find_parts
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding

from .conftest import in_every_way, same_by_id

PLACES = ("residual", "middle", "attention", "mlp")
APART = [Lens(role, at, "divergence") for role in ("response/start(3)", "step") for at in ("residual", "middle")]
LABELS = [Lens(role, at, "labels") for role in ("response/start(3)", "step") for at in PLACES]
ALL = [*(Lens("response/start(3)", at) for at in PLACES), *(Lens("step", at) for at in PLACES), *APART, *LABELS]
#: Which need the end of the pass.
LATE = [Lens(role, at, "divergence_to_last") for role in ("response/start(3)", "step") for at in PLACES]
#: Family -> the modules of a block whose outputs are added to the stream.
PARTS = {
    "llama": ("self_attn", "mlp"),
    "gemma2": ("post_attention_layernorm", "post_feedforward_layernorm"),
    "granite": ("self_attn", "mlp"),
    "gpt_neox": ("attention", "mlp"),
    "cohere": ("self_attn", "mlp"),
    "gpt2": ("attn", "mlp"),
    "opt": ("self_attn", "fc2"),
}


@pytest.fixture(params=list(PARTS))
def lm(request: pytest.FixtureRequest, tiny: Any) -> LanguageModel:
    model: LanguageModel = tiny(request.param)
    return model


@pytest.fixture
def items(items: list[Encoding]) -> list[Encoding]:
    """Of three labels, two, one and none."""
    return [replace(item, label_ids=item.label_ids[k:]) for k, item in enumerate(items)]


@torch.no_grad()
@pytest.mark.parametrize("held", [1, 61 * 4, 2**23])
def test_entropies_are_those_of_the_models_own_parts(
    lm: LanguageModel, items: list[Encoding], request: pytest.FixtureRequest, held: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(token_statistics, "_LOGITS", held)
    found = extract(lm, items, [*ALL, *LATE, TokenStats("response", "entropy")], batch_size=2)
    names, a = PARTS[request.node.callspec.params["lm"]], lm.anatomy
    factor = 0.5 if request.node.callspec.params["lm"] == "granite" else 1.0

    def keep(own: list[torch.Tensor], _m: Any, _a: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        own.append(states.view(-1, states.shape[-1]))

    def spread(states: torch.Tensor) -> torch.Tensor:
        return a.logits(a.normed(states)).double().log_softmax(-1)

    for k, item in enumerate(items):
        kept: list[list[torch.Tensor]] = [[] for _ in a.blocks]
        hooks = []
        for block, own in zip(a.blocks, kept, strict=True):
            hooks.append(block.register_forward_pre_hook(lambda _m, args, own=own: own.append(args[0][0])))
            for name in (*names, ""):
                hooks.append(block.get_submodule(name).register_forward_hook(partial(keep, own)))
        logits = lm.model(torch.tensor([item.ids]), use_cache=False).logits[0].double().log_softmax(-1)
        for hook in hooks:
            hook.remove()
        for block, (before, attention, mlp, behind) in enumerate(kept):
            assert torch.allclose(behind - before, factor * (attention + mlp), atol=1e-4)
            middle = before + factor * attention
            states = {"residual": behind, "middle": middle, "attention": attention, "mlp": mlp}
            logs = {at: spread(one) for at, one in states.items()}
            for at, near in (("residual", logs["middle"]), ("middle", spread(before))):
                mean = torch.logaddexp(logs[at], near) - np.log(2)
                apart = ((logs[at].exp() * (logs[at] - mean)).sum(-1) + (near.exp() * (near - mean)).sum(-1)) / 2
                got = found[f"lens/response/start(3).{at}[divergence]"][k, block]
                assert np.isclose(got, apart[3:6].mean(), atol=1e-5, rtol=1e-3), (at, block)
                got = found.ragged[f"lens/step.{at}[divergence]"][k][:, block]
                assert np.allclose(got, [apart[s:e].mean() for s, e in item.places("step")], atol=1e-5, rtol=1e-3)
            for at, p in logs.items():
                mean = torch.logaddexp(p, logits) - np.log(2)
                apart = ((p.exp() * (p - mean)).sum(-1) + (logits.exp() * (logits - mean)).sum(-1)) / 2
                ids = list(item.label_ids)
                own = a.logits(a.normed(states[at]))[:, ids]
                for what, every in (("divergence_to_last", apart), ("labels", own)):
                    many = found.ragged[f"lens/step.{at}[{what}]"][k]
                    got = found[f"lens/response/start(3).{at}[{what}]"][k, block]
                    if what == "labels":
                        assert many.shape[2:] == got.shape == (3,)
                        assert not many[..., len(ids) :].any()
                        assert not got[len(ids) :].any()
                        got, many = got[: len(ids)], many[..., : len(ids)]
                    if ids or what != "labels":
                        steps = np.stack([every[s:e].mean(0) for s, e in item.places("step")])
                        assert np.allclose(many[:, block], steps, atol=1e-4, rtol=1e-3), (what, at, block)
                        assert np.allclose(got, every[3:6].mean(0), atol=1e-4, rtol=1e-3), (what, at, block)
                entropy = -(p.exp() * p).sum(-1)
                got = found[f"lens/response/start(3).{at}"][k, block]
                assert np.isclose(got, entropy[3:6].mean(), atol=1e-4), (at, block)
                got = found.ragged[f"lens/step.{at}"][k][:, block]
                assert np.allclose(got, [entropy[s:e].mean() for s, e in item.places("step")], atol=1e-4), (at, block)
        # In the last row the distribution is that of the logits.
        last = -(logits.exp() * logits).sum(-1)[3:6].mean()
        assert np.isclose(found["lens/response/start(3).residual"][k, -1], last, atol=1e-4)
        assert found["lens/response/start(3).residual[divergence_to_last]"][k, -1] == pytest.approx(0.0, abs=1e-6)
    names = {one.name for one in LABELS}
    assert found.missing == {name: {items[3].id: "no labels to read the logits of"} for name in names}
    assert all(range_readout(one.name) == one for one in (*ALL, *LATE))


def test_parts_are_the_modules_that_add_to_the_stream(lm: LanguageModel, request: pytest.FixtureRequest) -> None:
    family = request.node.callspec.params["lm"]
    for block, parts in zip(lm.anatomy.blocks, find_parts(lm.model, lm.anatomy.stream), strict=True):
        factor = 0.5 if family == "granite" else 1.0
        assert [parts["attention"], parts["mlp"]] == [(block.get_submodule(name), factor) for name in PARTS[family]]


@in_every_way
def test_batches_padding_packing_and_sharing_change_nothing(
    lm: LanguageModel, items: list[Encoding], how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innerjudge.extraction.schedule.WORTH", 0.0)
    monkeypatch.setattr("innerjudge.extraction.batching._ON_CPU", 127)  # less than 128: a batch costs its tokens alone
    every = [*ALL, *LATE]
    same_by_id(extract(lm, items, every, batch_size=3), extract(lm, items[::-1], every, **how), atol=2e-4)


def test_labels_at_a_position_are_those_of_the_lens_of_positions(lm: LanguageModel, items: list[Encoding]) -> None:
    found = extract(lm, items, [Lens("score", what="labels"), LabelLogits("score")])
    assert found["lens/score.residual[labels]"].shape == (4, 3, 3)
    alone = extract(lm, items, [Lens("score", what="labels")])
    assert alone["labels"].tolist() == found["labels"].tolist()
    assert np.allclose(found["lens/score.residual[labels]"], found["logits/score"][:, 1, 1:], atol=1e-5)


def test_a_pass_that_stops_early_gives_the_first_blocks(lm: LanguageModel, items: list[Encoding]) -> None:
    readouts = [one for one in ALL if isinstance(one, Lens)]
    whole, early = extract(lm, items, readouts), extract(lm, items, readouts, last_block=2)
    for name, rows in early.ragged.items():
        assert np.allclose(rows.values, whole.ragged[name].values[:, :2], atol=1e-5)
    assert early["labels"].tolist() == whole["labels"].tolist() == [3, 3, 3, 3]  # three options each
    for name, array in early.arrays.items():
        if name != "labels":
            assert array.shape[:2] == (4, 2)
            assert np.allclose(array, whole[name][:, :2], atol=1e-5)
    with pytest.raises(InnerjudgeError, match="which need all 3 blocks"):
        extract(lm, items, LATE, last_block=2)


def test_worked_examples() -> None:
    # ln 3 for no preference; logits (2, 0, 0): p = e^2 / (e^2 + 2) = .786986, H = .665573 (methods.md, section 20)
    logits = torch.tensor([[2.0, 0, 0], [0, 0, 0], [1, 1, -9]])
    found = token_statistics.statistics([logits], torch.zeros(0), ("entropy",))["entropy"]
    assert found.tolist() == pytest.approx([0.665573, 1.098612, 0.693397], abs=1e-6)


def test_worked_divergence() -> None:
    # P (.5, .5), Q (.9, .1): the mean is (.7, .3), (ln(.5/.7) + ln(.5/.3)) / 4 + (.9 ln(.9/.7) + .1 ln(.1/.3)) / 2
    # = .043586 + .058163 = .101749 (methods.md, section 19); of a distribution with itself 0.
    lm = SimpleNamespace()
    logits = torch.tensor([[[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]], [[0.2, 0.8, 0.0], [0.2, 0.8, 0.0]]]).log()
    lm.anatomy = SimpleNamespace(post=SimpleNamespace(size=3), normed=lambda s: s, logits=lambda s: s)
    found = token_statistics.divergences(lm, logits.flatten(1))  # type: ignore[arg-type]
    assert found[:, 0].tolist() == pytest.approx([0.101749, 0.0], abs=1e-6)


def test_a_model_without_parts_says_so(tiny: Any, items: list[Encoding], monkeypatch: Any) -> None:
    monkeypatch.setattr("innerjudge.extraction.taps.lens.find_parts", lambda *_: ({},) * 3)
    lm = tiny("llama")
    with pytest.raises(InnerjudgeError, match="do not add the outputs of attention and MLP"):
        extract(lm, items, [Lens(at="mlp")])
    found = extract(lm, items, [Lens(at="mlp"), Lens()])
    assert found.present(Lens().name).all()
    assert not found.present(Lens(at="mlp").name).any()


@pytest.mark.parametrize("seed", range(71, 75))
def test_two_threads_read_a_new_model(tiny: Callable[..., LanguageModel], random_items: Any, seed: int) -> None:
    """Each watches a pass to find the parts, and hears nothing of the other's."""
    lm, items, start = tiny("llama", seed=seed), random_items((9, 12), seed=seed), threading.Barrier(2)

    def alone() -> list[Features]:
        return [extract(lm, items, [Lens("response", at)]) for at in ("mlp", "attention")]

    def run(_k: int) -> list[Features]:
        start.wait()
        return alone()

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(run, range(2)))
    assert [sorted(parts) for parts in find_parts(lm.model, lm.anatomy.stream)] == [["attention", "mlp"]] * 3
    for found in both:
        for one, right in zip(found, alone(), strict=True):
            for name, values in right.arrays.items():
                np.testing.assert_allclose(one[name], values, atol=1e-5, err_msg=name)
