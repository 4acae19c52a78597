"""Log-probabilities that an engine gave are the features of a pass, and labels' are logits less a constant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge import EScore, InnerjudgeError, LanguageModel, Provenance, Trace, extract
from innerjudge.extraction.given_states import features_of_labels, features_of_log_probabilities
from innerjudge.extraction.readouts import ResponseLogProb, TokenStats
from innerjudge.models.positions import Encoding, encode_trace, unreadable
from innerjudge.probes import PTrue

SAID = ("<think>7+5=12;\n12*3=36\n\n9</think>36", "<think>7+5=13</think>13", "15")
READOUTS = (
    ResponseLogProb(),
    TokenStats("response", "log_probability"),
    TokenStats("response", "top(20)"),
    TokenStats("response", "probability(3)"),
    TokenStats("step", "mean(log_probability)"),
    TokenStats("reasoning/step(line)", "mean(probability(4))"),
    TokenStats("response/start(2)", "mean(top(5))"),
    TokenStats("text", "log_probability"),
)
P = Provenance("m", None, "f", "float32", "sdpa", "none")


@dataclass
class Logprob:
    """What vLLM gives of one token, with its rank in the vocabulary."""

    logprob: float
    rank: int
    decoded_token: str | None = None


@pytest.fixture(scope="module")
def items(reference: LanguageModel) -> list[Encoding]:
    traces = [
        Trace(question_id="q", candidate_id=str(k), prompt="Start with 7. Add 5.", response=one)
        for k, one in enumerate(SAID)
    ]
    return [encode_trace(reference.tokenizer, one, roles=[r.role for r in READOUTS[1:]]) for one in traces]  # type: ignore[union-attr]


@torch.inference_mode()
def given(lm: LanguageModel, item: Encoding, k: int, form: Any = Logprob) -> list[dict[int, Any]]:
    """As vLLM writes it: the token in the place first, then the ``k`` likeliest; by a naive softmax in float64."""
    logits = lm.model(torch.tensor([item.ids])).logits[0].double().numpy()
    logs = logits - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
    logs -= logits.max(-1, keepdims=True)
    found = []
    for row, token in zip(logs[:-1], item.ids[1:], strict=True):
        order = np.argsort(-row)
        ranks = {int(t): int((row > row[t]).sum()) + 1 for t in (token, *order[:k])}
        found.append({t: form(float(row[t]), rank) for t, rank in ranks.items()})
    return found


def test_features_are_those_of_a_pass(reference: LanguageModel, items: list[Encoding]) -> None:
    own = extract(reference, items, READOUTS, batch_size=2)
    for form in (Logprob, lambda value, _rank: value):
        found = features_of_log_probabilities(
            items, [given(reference, one, 20, form) for one in items], READOUTS, own.provenance
        )
        for readout in READOUTS:
            name = readout.name
            assert found.reasons(name).keys() == own.reasons(name).keys(), name
            if readout.ragged:
                np.testing.assert_array_equal(found.ragged[name].counts, own.ragged[name].counts)
                np.testing.assert_allclose(found.ragged[name].values, own.ragged[name].values, atol=1e-4)
                assert len(own.ragged[name].values), name
            else:
                np.testing.assert_allclose(found[name], own[name], atol=1e-4)
    assert own.reasons("tokens/reasoning/step(line).mean(probability(4))").keys() == {"q/2"}


def test_numbers_do_where_nothing_else_is_read(reference: LanguageModel, items: list[Encoding]) -> None:
    own = extract(reference, items, READOUTS[:2])
    numbers = [[one[t].logprob for one, t in zip(given(reference, i, 1), i.ids[1:], strict=True)] for i in items]
    found = features_of_log_probabilities(items, numbers, READOUTS[:2], own.provenance)
    np.testing.assert_allclose(found["logprob"], own["logprob"], atol=1e-4)
    found = features_of_log_probabilities(items, numbers, READOUTS[:3], own.provenance)
    top = found.reasons("tokens/response.top(20)")["q/0"]
    assert top == (
        "the engine gave 0 of the 20 log-probabilities that tokens/response.top(20) needs of each token"
        " (vLLM: --max-logprobs 20)"
    )
    assert not found.reasons("logprob")
    with pytest.raises(InnerjudgeError, match="log-probabilities of 2 texts for 3 items"):
        features_of_log_probabilities(items, numbers[:2], READOUTS[:1], own.provenance)


def test_what_is_lacking_has_a_reason() -> None:
    """Ids 1..6, of which the last two are the answer: what stands before them need not be given."""
    item = Encoding(id="a", group="q", ids=(1, 2, 3, 4, 5, 6), positions={"prompt_end": (3,), "response_end": (5,)})
    readouts = [ResponseLogProb(), TokenStats("response", "top(2)")]
    nothing: list[Any] = [None] * 3
    for values, n in (
        ([{5: -1.0, 7: -0.5, 8: -2.0}, {6: -0.1, 9: -3.0}], None),
        ([{5: -1.0, 7: -0.5}, {6: -0.1}], (1, 1)),  # of the last token one value, which is its own
        ([{7: -0.5, 8: -1.0}, {6: -0.1, 9: -3.0}], (0, 2)),  # the token itself is not among them
        ([{5: -1.0, 7: -0.5}], (0, 0)),
        ([{5: -1.0, 7: -0.5}, {6: math.nan, 9: -3.0}], (0, 1)),
        ([{5: -1.0, 7: -0.5}, None], (0, 0)),
    ):
        found = features_of_log_probabilities([item], [nothing + values], readouts, P)
        own, top = (found.reasons(readout.name).get("a", "") for readout in readouts)
        if n is None:
            assert not own + top
            assert found["logprob"].round(4).tolist() == [[np.float32(-1.1).round(4), 2]]
            expected = np.array([[-0.5, -1.0], [-0.1, -3.0]], np.float32)
            np.testing.assert_array_equal(found.ragged["tokens/response.top(2)"].values, expected)
        else:
            assert (n[0] == 1) == (not own)
            assert n[0] == 1 or own.startswith("the engine gave 0 of the 1 log-probabilities that logprob needs")
            assert (n[1] == 2) == (not top)
            assert n[1] == 2 or top.startswith(f"the engine gave {n[1]} of the 2 log-probabilities that tokens/")
    item = Encoding(id="a", group="q", ids=(1,), positions={"prompt_end": (0,)}, missing={"response_end": "empty"})
    found = features_of_log_probabilities([item], [[]], readouts, P)
    assert found.reasons("logprob") == {"a": "empty"}


def test_scores_of_labels_do_not_depend_on_the_constant() -> None:
    """Logits 0 and log 3 are the log-probabilities -log 4 and log 3 - log 4: the score is 3/4 by both."""
    logits = {11: 0.0, 12: math.log(3), 13: 9.0}
    item = Encoding(id="a", group="q", ids=(1, 2), positions={"score": (1,)}, label_ids=(11, 12))
    for shift in (0.0, -math.log(4), -1000.0):
        values = {token: Logprob(one + shift, 1) for token, one in logits.items()}
        for judge in (PTrue(), EScore(values=(0, 1))):
            found = features_of_labels([item], [values], judge.needs, P)
            assert judge.decision_function(found) == pytest.approx([0.75], abs=1e-4)
            assert judge.predict(found).tolist() == [True]


def test_labels_that_are_lacking_have_a_reason() -> None:
    def asked(name: str, *labels: int) -> Encoding:
        return Encoding(id=name, group="q", ids=(1, 2), positions={"score": (1,)}, label_ids=labels)

    items = [asked("a", 11, 12), asked("b", 11, 12), asked("c", 12), unreadable("d", "q", "odd"), asked("e", 11, 12)]
    given = [{11: -1.0}, {11: -1.0, 12: -math.inf}, {12: -2.0}, {}, {11: -1.0, 12: -2.0}]
    found = features_of_labels(items, given, ("logits/score", "labels"), P)
    why = "the engine gave log-probabilities of 1 of the labels (11, 12)"
    assert found.reasons("logits/score") == {"a": why, "b": why, "d": "odd"}
    assert found["labels"].tolist() == [2, 2, 1, 0, 2]
    assert found["logits/score"][[2, 4], 1, -1].tolist() == [[-2, 0], [-1, -2]]
    with pytest.raises(InnerjudgeError, match="expected one each"):
        features_of_labels(items, given[:1], ("labels",), P)
