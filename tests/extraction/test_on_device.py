"""What is read on a device and in a type, beside the processor in float32 with the same weights.

``INNERJUDGE_DEVICE`` (``cpu``) and ``INNERJUDGE_DTYPE`` (``float32``) say where; ``make gpu`` runs this on a card in
three types. Differences are the largest one by the largest value, and reported as properties of each test.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import (
    AttentionSpans,
    AttentionWeights,
    Features,
    HiddenStates,
    LabelLogits,
    Lens,
    QueryKey,
    Ragged,
    ResponseLogProb,
    States,
    TokenStats,
    extract,
)
from innerjudge.extraction.writing.write_and_read import write_and_read
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.positions import Encoding, encode_trace
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED
from innerjudge.probes import CLUE, LAGER, LogisticProbe, PooledProbe, TokenLogProb

DEVICE, DTYPE = os.environ.get("INNERJUDGE_DEVICE", "cpu"), os.environ.get("INNERJUDGE_DTYPE", "float32")
#: Of the largest value. A rounding changes a number by at most 2**-8 of it in bfloat16, 2**-11 in float16; three blocks
#: have about thirty in a row, which of random sign are sqrt(30) = 5.5 times that: three times as much is allowed.
ALLOWED = {"float32": 2e-4, "bfloat16": 16 * 2.0**-8, "float16": 16 * 2.0**-11}[DTYPE]
READOUTS: list[Any] = [
    HiddenStates("reasoning_end"),
    States("response"),
    States("step", "none"),
    LabelLogits("score"),
    QueryKey("before"),
    QueryKey("after"),
    AttentionWeights(),
    ResponseLogProb(),
    *(TokenStats("response", what) for what in ("log_probability", "entropy", "certainty", "top(3)")),
    AttentionSpans(),
    AttentionSpans("response", what="diagonal"),
    Lens(),
    Lens("step", what="labels"),
    Lens("response@-1", "attention", "divergence_to_last"),
    States("response", "none", (0, -1), 8),
    QueryKey("after", "step", "response"),
    AttentionWeights("response@-1"),
]
WAYS: dict[str, dict[str, Any]] = {
    "one by one": {"batch_size": 1},
    "padded left": {"padding_side": "left", "share_prompts": False},
    "packed": {"packed": True},
}

pytestmark = pytest.mark.skipif(
    DEVICE.startswith("cuda") and not torch.cuda.is_available(), reason=f"no CUDA card for INNERJUDGE_DEVICE={DEVICE}"
)


def moved(lm: LanguageModel) -> tuple[LanguageModel, LanguageModel]:
    """The model on the device in the type, and on the processor in float32 with the weights of that type."""
    there = copy.deepcopy(lm.model).to(device=DEVICE, dtype=getattr(torch, DTYPE))
    here = copy.deepcopy(there).to(device="cpu", dtype=torch.float32)
    return wrap(there, lm.tokenizer), wrap(here, lm.tokenizer)


@pytest.fixture(scope="module")
def both(tiny: Callable[..., LanguageModel]) -> tuple[LanguageModel, LanguageModel]:
    return moved(tiny("llama"))


@pytest.fixture(scope="module")
def both_built_in(reference: LanguageModel) -> tuple[LanguageModel, LanguageModel]:
    return moved(reference)


def values(features: Features, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(features.ragged[name].values if name in features.ragged else features[name], np.float64)


def difference(found: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    assert found.shape == right.shape
    assert np.isfinite(found).all()
    return float(np.abs(found - right).max() / np.abs(right).max())


@pytest.fixture
def is_near(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Holds what was found to what is right, and keeps the difference for the report."""

    def hold(found: np.ndarray[Any, Any], right: np.ndarray[Any, Any], allowed: float = ALLOWED) -> None:
        far = difference(found, right)
        record_property("difference", far)
        record_property("allowed", allowed)
        assert far <= allowed

    return hold


@pytest.fixture(scope="module")
def read_twice(both: Any, random_items: Any) -> tuple[Features, Features]:
    """All readouts, read on both, on the device in one padded batch."""
    there, here = both
    items = with_steps(random_items((12, 9, 17, 9)))
    return extract(there, items, READOUTS), extract(here, items, READOUTS, batch_size=1, share_prompts=False)


def with_steps(items: list[Encoding]) -> list[Encoding]:
    found = []
    for one in items:
        n = len(one.ids)
        ranges = {"step": ((3, n),), "response@-1": ((1, n - 1),), "response/start(3)": ((2, 5),)}
        found.append(Encoding(**{name: getattr(one, name) for name in one.__slots__} | {"ranges": ranges}))
    return found


@pytest.mark.parametrize("name", [readout.name for readout in READOUTS])
def test_a_readout(read_twice: tuple[Features, Features], is_near: Callable[..., None], name: str) -> None:
    found, right = (values(one, name) for one in read_twice)
    is_near(found, right)
    if found.ndim > 1 and name.startswith(("hidden", "logits", "qk")):  # the same of another item would be seen
        assert difference(found[::-1], right) > 4 * ALLOWED


@pytest.mark.parametrize("way", WAYS)
def test_a_way_of_reading(both: Any, random_items: Any, is_near: Callable[..., None], way: str) -> None:
    there, here = both
    items, read = random_items((12, 9, 17, 9)), [HiddenStates("reasoning_end"), LabelLogits()]
    found, right = extract(there, items, read, **WAYS[way]), extract(here, items, read, batch_size=1)
    is_near(*(np.concatenate([values(one, r.name).ravel() for r in read]) for one in (found, right)))


def traces() -> list[Trace]:
    asked = [one.prompt for one in problems(6, seed=HELD_OUT_SEED)]
    return [
        Trace(question_id=f"q{k}", candidate_id=str(n), prompt=prompt, response=said, correct=n == 0)
        for k, prompt in enumerate(asked)
        for n, said in enumerate(("<think>1+1=2</think>2", "<think>3+4=8</think>8"))
    ]


def test_scores_of_judges(both_built_in: Any, is_near: Callable[..., None]) -> None:
    """Judges that are fitted where they read score as they do on the processor."""
    given = traces()
    scores = []
    for lm in both_built_in:
        items = [encode_trace(lm.tokenizer, one) for one in given]
        read = extract(lm, items, [HiddenStates("reasoning_start"), HiddenStates("reasoning_end"), ResponseLogProb()])
        labels = [bool(one.correct) for one in given]
        judges = [CLUE().fit(read, labels), LogisticProbe().fit(read, labels), TokenLogProb()]
        scores.append(np.stack([judge.decision_function(read) for judge in judges]))
    spread = np.ptp(scores[1], axis=1, keepdims=True)
    is_near(*(one / spread for one in scores), 2 * ALLOWED)


HEADS: dict[str, dict[str, Any]] = {
    "linear": {"how": "min"},
    "multi-layer": {"how": "attention", "widths": [8], "heads": 2, "loss": "pairwise"},
    "rolling": {"how": "rolling", "window": 3, "loss": "brier"},
    "tokens first": {"how": "ema", "each": "both"},
    "transformer": {"layers": 1, "widths": [8], "dropout": 0.0, "causal": True, "how": "last"},
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_learns_on_the_device(is_near: Callable[..., None], name: str) -> None:
    """From the same states, in float32 in both places, and the same first weights it comes to the same scores."""
    rng = np.random.default_rng(0)
    right, sizes = np.arange(48) % 3 == 0, rng.integers(2, 9, 48)
    rows = [rng.normal(size=(size, 1, 6)) + good for size, good in zip(sizes, right, strict=True)]
    states = {"hidden/response.none[-1]": Ragged.of(rows)}
    features = Features.from_arrays(states, provenance="m", groups=[f"q{k // 4}" for k in range(48)])
    soft, weight = np.where(right, 0.9, 0.2), np.linspace(0.5, 2, 48)
    labels = right if HEADS[name].get("loss") == "pairwise" else soft
    probes = [PooledProbe(device=device, epochs=4, **HEADS[name]) for device in (DEVICE, "cpu")]
    scores = [probe.fit(features, labels, weight).decision_function(features) for probe in probes]
    is_near(scores[0], scores[1], 2e-3)


def test_scores_of_lager(read_twice: tuple[Features, Features], is_near: Callable[..., None]) -> None:
    found, right = (LAGER(values=(1, 2, 3)).decision_function(one) for one in read_twice)
    is_near(found, right)


def test_states_while_writing(both_built_in: Any, is_near: Callable[..., None]) -> None:
    """What is kept while the model writes on the device is what the processor reads of the finished texts."""
    there, here = both_built_in
    read: list[Any] = [HiddenStates("response_end"), States("response"), TokenStats("response", "entropy")]
    read += [Lens("response"), Lens("response", what="divergence_to_last")]
    asked = [Trace(question_id=f"q{k}", candidate_id="0", prompt=one.prompt, response="") for k, one in
             enumerate(problems(3, seed=HELD_OUT_SEED))]  # fmt: skip
    found = write_and_read(there, asked, read, max_new_tokens=24, temperature=0.0, batch_size=3)
    again = [encode_trace(here.tokenizer, one, sampled_by=there.fingerprint) for one in found.traces]
    right = extract(here, again, read, batch_size=1, share_prompts=False)
    for name in (one.name for one in read):
        is_near(values(found.features, name), values(right, name), 2 * ALLOWED)
