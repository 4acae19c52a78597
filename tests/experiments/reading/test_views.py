"""What is read of each kind of item is what its judges need, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.judges.fitting import fit_stream
from innerjudge.experiments.judges.panel import Seat, panel
from innerjudge.experiments.reading import verdict_pass
from innerjudge.experiments.reading.cost import CostCounter
from innerjudge.experiments.reading.judge_prompt import JudgePrompt
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import pair_features, read
from innerjudge.extraction import extract
from innerjudge.extraction.provenance import WITHOUT_ABSTAIN
from innerjudge.extraction.readout_names import range_readout
from innerjudge.extraction.readouts import LabelLogits
from innerjudge.models.errors import InnerjudgeError, UnreadableError
from innerjudge.models.items import Choice, Item, Pair, Rating, Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_prompt
from innerjudge.models.prompts import pair_prompt
from innerjudge.probes import CLUE, LAGER, BaseJudge, EScore, PTrue, QKScore

BETWEEN = ("reasoning_start", "reasoning_end")
ITEMS: dict[str, list[Item]] = {
    "trace": [
        Trace(question_id="q", candidate_id=f"{k}", prompt="1+1?", response=f"<think>1+1={k}</think>{k}")
        for k in range(3)
    ],
    "rating": [Rating(item_id=f"r{k}", prompt="Say hi.", response="hi " * (k + 1)) for k in range(3)],
    "choice": [Choice(question_id=f"c{k}", question="?", options=("x", "y", "z")[: k + 2]) for k in range(2)],
    "pair": [Pair(pair_id=f"p{k}", prompt="?", response_a="x", response_b="y" * (k + 1)) for k in range(2)],
}


def seated(kind: str) -> dict[str, Seat]:
    """The judges that read what is read by default; readouts of ranges are read where a judge asks for them."""
    every = panel(kind, between=BETWEEN, scale=(1, 5))
    return {name: seat for name, seat in every.items() if not asks(seat.judge)}


def asks(judge: BaseJudge) -> bool:
    """Whether what a judge reads is read only where it asks for it."""
    return judge.on_request or judge.of_steps or any(range_readout(need) for need in judge.needs)


@pytest.mark.parametrize("kind", ITEMS)
def test_every_judge_finds_what_it_needs(reference: LanguageModel, kind: str) -> None:
    found = read(reference, ITEMS[kind], Passes(reasoning_tokens=4))
    assert found.ids == tuple(item.id for item in ITEMS[kind])
    assert found.groups == tuple(item.group for item in ITEMS[kind])
    there = found.arrays.keys() | found.texts.keys()
    for name, seat in seated(kind).items():
        if not seat.pointwise:
            assert set(seat.judge.needs) <= there, name


@pytest.mark.parametrize("kind", ITEMS)
def test_a_judge_scores_alike_on_what_it_asked_for(
    reference: LanguageModel, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the passes that a judge needs are run, and they give it the same verdicts."""
    calls: list[str] = []
    for name in ("extract", "generate", "complete", "read_and_write"):
        real = getattr(verdict_pass, name)
        monkeypatch.setattr(
            verdict_pass, name, lambda *a, _real=real, _name=name, **k: (calls.append(_name), _real(*a, **k))[1]
        )
    everything = read(reference, ITEMS[kind], Passes(reasoning_tokens=4))
    passes = {"trace": 2, "rating": 2, "choice": 1, "pair": 1}[kind]
    assert calls == ["read_and_write", "complete"] + ["extract"] * (passes - 1), "verdicts and logits are one pass"
    for name, seat in seated(kind).items():
        if seat.pointwise or seat.judge.learns:
            continue
        calls.clear()
        part = read(reference, ITEMS[kind], Passes(reasoning_tokens=4), judges=[seat.judge])
        texts = {"direct", "reasoned"}.intersection(seat.judge.needs)
        assert len(calls) - calls.count("extract") == len(texts), name
        assert calls.count("extract") == (set(seat.judge.needs) > texts and "direct" not in texts), name
        one, two = seat.judge.verdicts(everything), seat.judge.verdicts(part)
        assert [v.unscored for v in one] == [v.unscored for v in two]
        for a, b in zip(one, two, strict=True):
            if a.score is not None and b.score is not None:
                np.testing.assert_allclose(a.score, b.score, atol=1e-4)


def test_labels_that_the_tokenizer_splits_leave_the_rest(reference: LanguageModel, monkeypatch: Any) -> None:
    why = "given the labels no, yes, expected each to be one token"

    def encode(tokenizer: Any, item_id: str, group: str, prompt: Any, **how: Any) -> Any:
        if prompt.labels == ("no", "yes") and not how["reasoned"]:
            raise UnreadableError(why)
        return encode_prompt(tokenizer, item_id, group, prompt, **how)

    monkeypatch.setattr(verdict_pass, "encode_prompt", encode)
    found = read(reference, ITEMS["trace"], Passes(reasoning_tokens=4))
    for name, seat in seated("trace").items():
        there = found.present(*seat.judge.needs)
        assert not there.any() if "logits/score" in seat.judge.needs else there.all(), name
    assert {v.unscored for v in LAGER(values=(0, 1)).verdicts(found)} == {why}


def test_a_scale_that_the_tokenizer_splits_is_refused(reference: LanguageModel, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        verdict_pass, "encode_prompt", lambda *_a, **_k: (_ for _ in ()).throw(UnreadableError("split"))
    )
    with pytest.raises(InnerjudgeError, match="split"):
        read(reference, ITEMS["rating"])


def test_what_a_fit_needs_is_read_too(reference: LanguageModel) -> None:
    judge = QKScore(select="unlabelled")
    features = read(reference, ITEMS["choice"], judges=[judge])
    assert judge.fit(features).heads_


def test_slips_in_a_notebook_are_told(reference: LanguageModel) -> None:
    items: Any = ITEMS["trace"]
    for call, words in (
        (lambda: read(reference, items[0]), "given a Trace, expected a list of items"),
        (lambda: read(reference, items, judges=CLUE()), r"judges=CLUE\(\), expected a list"),
        (lambda: read(reference.model, items), "given a LlamaForCausalLM to read with, expected what load"),
        (lambda: read(reference, ["hello"]), "given a list of str, expected a list of items; items_from"),
        (lambda: Passes(needs=frozenset({"reasoned"}), reasoning_tokens=0), "reasoning_tokens=0"),
    ):
        with pytest.raises(InnerjudgeError, match=words):
            call()


def test_choices_without_abstain_lines(reference: LanguageModel) -> None:
    found = read(reference, ITEMS["choice"], Passes(abstain=False, reasoning_tokens=0))
    assert found["labels"].tolist() == [2.0, 3.0]
    assert found.provenance.prompt == WITHOUT_ABSTAIN
    with pytest.raises(InnerjudgeError, match="prompt"):
        found.join(read(reference, ITEMS["choice"], Passes(reasoning_tokens=0)))


def test_sums_while_the_model_runs_give_the_centroids_of_one_fit(reference: LanguageModel) -> None:
    traces: Any = ITEMS["trace"]
    labels = [True, False, True]
    whole = CLUE().fit(read(reference, traces, judges=[CLUE()]), labels)
    for chunk in (1, 2, 99):
        found = fit_stream(CLUE(), reference, traces, labels, chunk=chunk)
        np.testing.assert_allclose(found.centroids_, whole.centroids_, atol=1e-4)
        assert found.n_seen_.tolist() == [1, 2]
    for judge, known in ((LAGER(), labels), (CLUE(), [])):
        with pytest.raises(InnerjudgeError, match="expected"):
            fit_stream(judge, reference, traces, known)  # type: ignore[arg-type]


def test_a_swapped_pair_is_the_pair_of_swapped_responses(reference: LanguageModel) -> None:
    pairs = [item for item in ITEMS["pair"] if isinstance(item, Pair)]
    turned = [replace(p, response_a=p.response_b, response_b=p.response_a) for p in pairs]
    passes = Passes(needs=frozenset({"logits/score"}))
    swapped = pair_features(reference, pairs, passes, swapped=True)
    by_hand = pair_features(reference, turned, passes, swapped=False)
    np.testing.assert_array_equal(swapped["logits/score"], by_hand["logits/score"])
    plain = pair_features(reference, pairs, passes, swapped=False)
    asked = [pair_prompt(p.prompt, p.response_a, p.response_b) for p in pairs]
    encoded = [encode_prompt(reference.tokenizer, p.id, p.id, q) for p, q in zip(pairs, asked, strict=True)]
    as_given = extract(reference, encoded, [LabelLogits()])
    np.testing.assert_allclose(plain["logits/score"], as_given["logits/score"], atol=1e-4)
    assert np.abs(plain["logits/score"] - swapped["logits/score"]).max() > 1e-3


def test_a_scale_gives_as_many_labels(reference: LanguageModel) -> None:
    found = read(reference, ITEMS["rating"], Passes(scale=(2, 4), needs=frozenset({"logits/score"})))
    assert found["logits/score"].shape[-1] == 3
    assert found["labels"].tolist() == [3, 3, 3]


def test_ranges_over_a_shared_prompt_are_those_of_each_text_alone(reference: LanguageModel) -> None:
    prompt = "Say how you found it. " * 30
    said = [f"<think>1+1={k}\n\nWait, {k}{' more' * k}</think>{k}" for k in range(4)]
    traces = [Trace(question_id="q", candidate_id=str(k), prompt=prompt, response=s) for k, s in enumerate(said)]
    passes = Passes(needs=frozenset({"hidden/text.mean", "hidden/text.none", "hidden/reasoning/chunk.last"}))
    together = read(reference, traces, passes)
    for k, trace in enumerate(traces):
        alone = read(reference, [trace], passes)
        np.testing.assert_allclose(together["hidden/text.mean"][k], alone["hidden/text.mean"][0], atol=1e-4)
        tokens = together.ragged["hidden/text.none"][k]
        np.testing.assert_allclose(together["hidden/text.mean"][k], tokens.mean(axis=0), atol=1e-4)
        ends = together.ragged["hidden/reasoning/chunk.last"][k]
        assert len(ends) == 2
        np.testing.assert_allclose(ends, alone.ragged["hidden/reasoning/chunk.last"][0], atol=1e-4)


def test_judges_on_request_read_what_they_ask_for(reference: LanguageModel) -> None:
    every = panel("trace", between=BETWEEN, scale=(1, 5))
    asked = [seat.judge for seat in every.values() if asks(seat.judge)]
    together = read(reference, ITEMS["trace"], judges=asked)
    read_too = {need for judge in asked for need in judge.needs}
    assert {*together.arrays, *together.ragged} == read_too - {"steps", "own_text"}  # which are texts
    scored = set()
    for judge in asked:
        alone = read(reference, ITEMS["trace"], judges=[judge])
        assert {*alone.arrays, *alone.ragged} == {*judge.needs} - {"steps", "own_text"}
        for name in {*judge.needs} - {"steps", "own_text"}:
            one, other = (f.ragged[name].values if name in f.ragged else f[name] for f in (alone, together))
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        assert {*judge.fit_needs} <= together.texts.keys()
        if judge.learns:
            continue
        for one, other in zip(judge.verdicts(alone), judge.verdicts(together), strict=True):
            assert one.unscored == other.unscored
            assert one.score == (None if other.score is None else pytest.approx(other.score, rel=1e-4))
            scored |= {type(judge).__name__} if one.score is not None else set()
    assert scored == {"EigenScore", "PTrue", "TokenConfidence", "Trajectory"}


def test_p_true_is_asked_in_its_own_prompt_beside_the_others(reference: LanguageModel) -> None:
    judges = [PTrue(), EScore(values=(0, 1))]
    together = read(reference, ITEMS["trace"], judges=judges)
    asked = [JudgePrompt.of("p-true").ask(item) for item in ITEMS["trace"]]
    assert "(A) true" in asked[0].user
    for k, prompt in enumerate(asked):
        one = encode_prompt(reference.tokenizer, "", "", prompt)
        with torch.no_grad():
            logits = reference.model(torch.tensor([one.ids])).logits[0, -1, list(one.label_ids)]
        np.testing.assert_allclose(together["logits/p-true"][k], logits, atol=1e-4)
        score = torch.softmax(logits.double(), 0)[1].item()  # B false, A true
        assert judges[0].decision_function(together)[k] == pytest.approx(score, abs=1e-4)
    costs = CostCounter(reference, ITEMS["trace"], Passes()).of(judges[0].needs, together)
    lengths = [len(encode_prompt(reference.tokenizer, "", "", prompt).ids) for prompt in asked]
    assert (costs.prompts, costs.tokens) == (1, np.mean(lengths)), "of its own prompt"
    assert together.seconds["logits/p-true"] > 0
    alone = read(reference, ITEMS["trace"], judges=judges[1:])
    np.testing.assert_allclose(together["logits/score"], alone["logits/score"], atol=1e-4)
