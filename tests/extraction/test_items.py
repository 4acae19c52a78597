"""Items that lack something, are too long, or are alone: counted with a reason, never cut, never NaN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import AttentionWeights, HiddenStates, LabelLogits, QueryKey, ResponseLogProb, extract
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.store.index import StoreHeader
from innerjudge.extraction.taps.residual import ResidualTap
from innerjudge.extraction.writing.generate import generate
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding, unreadable

ALL = [HiddenStates("reasoning_end"), LabelLogits("score"), QueryKey(), AttentionWeights(), ResponseLogProb()]
NAMES = [readout.name for readout in ALL]


@pytest.fixture
def lm(tiny: Callable[..., LanguageModel]) -> LanguageModel:
    return tiny("llama")


def without(item: Encoding, role: str, reason: str | None = None) -> Encoding:
    positions = {name: at for name, at in item.positions.items() if name != role}
    return replace(item, positions=positions, missing={role: reason} if reason else {})


def test_an_overlong_item_is_missing_and_not_cut(lm: LanguageModel, random_items: Any) -> None:
    items = random_items((64, 65, 9))
    features = extract(lm, items, ALL)
    reason = "65 tokens, longer than the model's context of 64; not cut"
    assert features.missing == {name: {"item-1": reason} for name in NAMES}
    assert features.present(*NAMES).tolist() == [True, False, True]
    assert not any(features[name][1].any() for name in NAMES)
    alone = extract(lm, items[:1], ALL)
    for name in NAMES:
        assert np.allclose(features[name][0], alone[name][0], atol=1e-4), name


def test_each_role_that_is_missing_has_its_reason(lm: LanguageModel, random_items: Any) -> None:
    a, b, c, d = random_items((12, 9, 10, 11))
    items = [
        a,
        without(b, "reasoning_end", "no </think> in the response"),
        without(c, "response_end", "the response is empty"),
        replace(without(d, "option_end"), label_ids=()),
    ]
    features = extract(lm, items, ALL)
    assert features.missing == {
        "hidden/reasoning_end": {"item-1": "no </think> in the response"},
        "logprob": {"item-2": "the response is empty"},
        "qk/before": {"item-3": "no position 'option_end'"},
        "attention": {"item-3": "no position 'option_end'"},
        "logits/score": {"item-3": "no labels to read the logits of"},
    }
    full = extract(lm, [a, b, c, d], ALL)
    for name in NAMES:
        here = features.present(name)
        assert np.allclose(features[name][here], full[name][here], atol=1e-4), name
        assert not features[name][~here].any(), name


def test_a_reason_for_all_roles(lm: LanguageModel, random_items: Any) -> None:
    a, b = random_items((12, 9))
    broken = Encoding(id="broken", group="g", ids=(), positions={}, missing={"*": "the template fails"})
    features = extract(lm, [a, broken, b], ALL)
    assert features.missing == {name: {"broken": "the template fails"} for name in NAMES}
    assert features["labels"].tolist() == [3, 0, 3]


def test_a_readout_that_no_item_has(lm: LanguageModel, random_items: Any) -> None:
    items = [without(item, "option_end", "gone") for item in random_items((12, 9))]
    features = extract(lm, items, ALL)
    assert features.present("attention").tolist() == [False, False]
    assert features["attention"].shape[:3] == (2, 3, 4)
    assert not features["attention"].any()
    assert not features["qk/before"].any()
    assert features.present("logprob").all()


def test_no_item_can_be_read(lm: LanguageModel, random_items: Any) -> None:
    counted: list[int] = []
    features = extract(lm, random_items((65, 70)), ALL, on_batch=counted.append)
    assert sum(counted) == 2
    assert {name: features[name].shape for name in NAMES} == {
        "hidden/reasoning_end": (2, 5, 32),
        "logits/score": (2, 2, 4, 3),
        "qk/before": (2, 3, 4, 3),
        "attention": (2, 3, 4, 3),
        "logprob": (2, 2),
    }
    assert not any(features[name].any() for name in NAMES)


@pytest.mark.parametrize("options", [(2, 5, 3), (5, 2, 3), (2, 3, 5)])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_different_numbers_of_options(lm: LanguageModel, random_items: Any, options: Any, size: int) -> None:
    items = random_items((12, 14, 10), options=options)
    features = extract(lm, items, ALL, batch_size=size)
    assert features["labels"].tolist() == list(options)
    for row, (item, count) in enumerate(zip(items, options, strict=True)):
        alone = extract(lm, [item], ALL)
        for name in ("logits/score", "qk/before", "attention"):
            assert features[name].shape[-1] == 5
            assert alone[name].shape[-1] == count
            assert np.allclose(features[name][row, ..., :count], alone[name][0], atol=1e-4), name
            assert not features[name][row, ..., count:].any(), name


def test_progress_counts_every_item(lm: LanguageModel, random_items: Any) -> None:
    counted: list[int] = []
    extract(lm, random_items((9, 65, 8, 10)), ALL, batch_size=2, on_batch=counted.append)
    assert sum(counted) == 4


def test_duplicate_ids_are_refused_before_the_pass(lm: LanguageModel, random_items: Any) -> None:
    a, b = random_items((12, 9))
    counted: list[int] = []
    with pytest.raises(InnerjudgeError, match="'item-0' twice"):
        extract(lm, [a, b, replace(b, id="item-0")], ALL, on_batch=counted.append)
    assert counted == []


def test_nothing_asked_for_is_refused(lm: LanguageModel, random_items: Any) -> None:
    with pytest.raises(InnerjudgeError, match="given 0 items and 5 readouts"):
        extract(lm, [], ALL)
    with pytest.raises(InnerjudgeError, match="given 1 items and 0 readouts"):
        extract(lm, random_items((9,)), [])


@pytest.mark.parametrize(
    ("readout", "why"),
    [
        (HiddenStates("option_end"), "a position of one token"),
        (LabelLogits("option_end"), "a position of one token"),
        (QueryKey(query="pair"), "an item has several ranges, expected one"),
    ],
)
def test_one_position_means_one_token(lm: LanguageModel, random_items: Any, readout: Any, why: str) -> None:
    items = [replace(item, positions={**item.positions, "pair": (2, 3)}) for item in random_items((12, 9))]
    with pytest.raises(InnerjudgeError, match=why):
        extract(lm, items, [readout])


def test_items_that_cannot_be_put_to_the_model(lm: LanguageModel, tmp_path: Path) -> None:
    items = [unreadable(name, "g", "given 30 options") for name in "ab"]
    features = extract(lm, items, ALL)
    assert features.missing == {name: dict.fromkeys("ab", "given 30 options") for name in NAMES}
    store = FeatureStore.create(tmp_path, StoreHeader(features.provenance, items=2))
    store.write(0, features)
    assert store.features().missing == features.missing
    assert {name: array.shape for name, array in store.features().arrays.items()} == {
        name: array.shape for name, array in features.arrays.items()
    }
    written = generate(lm, items, name="direct", max_new_tokens=2)
    assert written.missing == {"direct": dict.fromkeys("ab", "given 30 options")}


def test_states_are_brought_to_the_final_norm(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model over several devices; the meta device stands for another one."""
    other = replace(lm.anatomy, unembedding=torch.nn.Linear(32, 61, device="meta"))
    assert other.label_logits(torch.zeros(1, 2, 32), torch.zeros(1, 3, dtype=torch.long)).device.type == "meta"
    tap = ResidualTap(lm.anatomy, torch.zeros(1, 1, dtype=torch.long), last=1, keep_last=False)
    tap._rows = torch.zeros(2, 1, 1, 32)
    monkeypatch.setattr(type(lm.anatomy), "on_norm", lambda _a, states: states.to("meta"))
    assert tap.states.device.type == "meta"
