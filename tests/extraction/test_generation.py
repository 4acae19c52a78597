"""Generated text: batched as one by one, new tokens only, and replayed in the pass token for token."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import read
from innerjudge.experiments.reading.verdict_pass import sample_traces
from innerjudge.extraction import extract
from innerjudge.extraction.readouts import HiddenStates
from innerjudge.extraction.writing.answers import Completion
from innerjudge.extraction.writing.decoding import Draws
from innerjudge.extraction.writing.generate import Limits, complete, generate
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.positions import Encoding, encode_trace
from innerjudge.models.reference.solve import Problem, problems
from innerjudge.models.reference.words import HELD_OUT_SEED
from innerjudge.probes import TextJudge

NEW = 12
WORDS = ["Once upon a time", "Hello! How are you today, my friend?", "Tell me a story of a cat, a dog and a red ball."]


@pytest.fixture(params=["reference", "tinystories"])
def lm(request: pytest.FixtureRequest) -> LanguageModel:
    """Rotary positions and grouped queries; absolute positions and local attention."""
    found: LanguageModel = request.getfixturevalue(request.param)
    return found


def asked(lm: LanguageModel, prompts: list[str]) -> list[Encoding]:
    traces = [Trace(question_id=f"q{k}", candidate_id="0", prompt=p, response="") for k, p in enumerate(prompts)]
    return [encode_trace(lm.tokenizer, trace) for trace in traces]


def test_batched_is_one_by_one_and_new_tokens_only(lm: LanguageModel) -> None:
    items = asked(lm, WORDS)
    assert len({len(item.ids) for item in items}) == 3, "nothing is padded"
    together = complete(lm, items, max_new_tokens=NEW, batch_size=3)
    assert together == [complete(lm, [item], max_new_tokens=NEW)[0] for item in items]
    for item, one in zip(items, together, strict=True):
        assert isinstance(one, Completion)
        ids = list(item.ids)  # greedy by hand: no cache, no padding, no generate()
        with torch.inference_mode():
            for token in one.ids:
                assert int(lm.model(torch.tensor([ids])).logits[0, -1].argmax()) == token
                ids.append(token)
        assert one.text == lm.tokenizer.decode(list(one.ids))
        assert len(one.ids) <= NEW
        assert one.finished == (len(one.ids) < NEW) or one.finished


def test_ids_that_only_pad_the_vocabulary_are_never_written(reference: LanguageModel) -> None:
    """A copy of the model with 40 ids more, which are the likeliest everywhere: texts and verdicts are the model's."""
    model = copy.deepcopy(reference.model)
    model.resize_token_embeddings(reference.n_ids + 40, mean_resizing=False)
    padded = wrap(model, reference.tokenizer)
    head: Any = model.get_output_embeddings()
    head.register_forward_hook(lambda _module, _given, logits: logits + 99 * (torch.arange(logits.shape[-1]) >= known))
    known = reference.n_known
    assert (padded.n_known, padded.n_ids) == (known, reference.n_ids + 40)
    with torch.inference_mode():
        assert int(padded.model(torch.tensor([[5, 6]])).logits[0, -1].argmax()) >= known
    items = asked(reference, WORDS)
    for temperature in (0.0, 1.0):
        how: dict[str, Any] = {"max_new_tokens": NEW, "batch_size": 3, "temperature": temperature}
        written = complete(padded, items, **how)
        assert all(isinstance(one, Completion) and max(one.ids, default=0) < known for one in written)
        assert temperature or written == complete(reference, items, **how)
    data = load_data("builtin:choose", limit=4).items
    needs = Passes(needs=frozenset({"direct", "labels", "logits/score"}))
    judge, ours, theirs = TextJudge.choice(), read(padded, data, needs), read(reference, data, needs)
    assert judge.verdicts(ours) == judge.verdicts(theirs)
    assert any(verdict.unscored is None for verdict in judge.verdicts(ours))


def test_the_end_token_is_cut(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    items = asked(lm, WORDS[:2])
    before = complete(lm, items, max_new_tokens=NEW)
    first = before[0]
    assert isinstance(first, Completion)
    end = first.ids[4]
    cut = first.ids.index(end)
    monkeypatch.setattr(lm.model.generation_config, "eos_token_id", end)
    stopped, other = complete(lm, items, max_new_tokens=NEW)
    assert isinstance(stopped, Completion)
    assert (stopped.ids, stopped.finished) == (first.ids[:cut], True)
    assert isinstance(other, Completion)
    assert end not in other.ids


def test_the_config_of_the_model_does_not_bend_the_text(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    items = asked(lm, WORDS[:2])
    plain = complete(lm, items, max_new_tokens=NEW)
    sampled = complete(lm, items, max_new_tokens=NEW, temperature=1.0, seed=1)
    for name, value in (("repetition_penalty", 9.0), ("no_repeat_ngram_size", 1), ("min_p", 0.9), ("do_sample", True)):
        monkeypatch.setattr(lm.model.generation_config, name, value)
    own = lm.model.generation_config
    assert complete(lm, items, max_new_tokens=NEW) == plain
    assert complete(lm, items, max_new_tokens=NEW, temperature=1.0, seed=1) == sampled
    assert lm.model.generation_config is own


def test_no_room_is_a_reason(reference: LanguageModel) -> None:
    context = reference.anatomy.context
    assert context is not None
    item = asked(reference, ["Hi."])[0]
    fits = replace(item, id="fits", ids=(item.ids * context)[: context - NEW])
    long = replace(item, id="long", ids=(item.ids * context)[: context - NEW + 1])
    lost = replace(item, id="lost", missing={"*": "lost it"})
    told: list[int] = []
    found = generate(
        reference, [long, item, lost, fits], name="direct", max_new_tokens=NEW, on_batch=told.append, batch_size=1
    )
    assert sum(told) == 4
    assert found.texts["direct"][0] == found.texts["direct"][2] == ""
    assert set(found.missing["direct"]) == {"long", "lost"}
    assert f"leave no room for {NEW} new ones" in found.missing["direct"]["long"]
    assert found.missing["direct"]["lost"] == "lost it"
    everything = generate(reference, [long], name="direct", max_new_tokens=NEW)
    assert everything.texts["direct"] == ("",)


def test_sampling_repeats_and_keeps_the_callers_random_state(reference: LanguageModel) -> None:
    items = asked(reference, ["Start with 7. Add 5."] * 1) * 6
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    once = complete(reference, items, max_new_tokens=NEW, temperature=1.0, seed=7)
    assert torch.rand(1) == expected
    assert complete(reference, items, max_new_tokens=NEW, temperature=1.0, seed=7) == once
    assert complete(reference, items, max_new_tokens=NEW, temperature=1.0, seed=8) != once
    assert len({one.ids for one in once if isinstance(one, Completion)}) > 1, "six samples, all the same"
    with pytest.raises(InnerjudgeError, match="max_new_tokens=0"):
        complete(reference, items, max_new_tokens=0)


def test_sampled_traces_are_replayed_token_for_token(reference: LanguageModel) -> None:
    asked_for = problems(2, seed=HELD_OUT_SEED)
    traces = sample_traces(reference, asked_for, n_candidates=3, max_new_tokens=20, seed=1)
    assert [t.id for t in traces] == [f"{p.question_id}/{k}" for p in asked_for for k in range(3)]
    for trace in traces:
        prompt = encode_trace(reference.tokenizer, replace(trace, response="", extra={}))
        whole = encode_trace(reference.tokenizer, trace, sampled_by=reference.fingerprint)
        assert whole.ids == (*prompt.ids, *trace.extra["response_ids"])
        assert whole.positions["prompt_end"] == (len(prompt.ids) - 1,)
        if not trace.extra["finished"]:
            assert (trace.answer, trace.correct) == (None, False)


def test_a_sampled_token_has_its_own_state_and_not_its_neighbours(reference: LanguageModel) -> None:
    """hidden_states[j] of generate() predicts token j; the state *at* token j is hidden_states[j + 1]."""
    trace = sample_traces(reference, problems(1, seed=HELD_OUT_SEED), n_candidates=1, max_new_tokens=16, seed=2)[0]
    whole = encode_trace(reference.tokenizer, trace, sampled_by=reference.fingerprint)
    prompt_end = whole.positions["prompt_end"][0]
    written = whole.ids[prompt_end + 1 :]
    start = torch.tensor([whole.ids[: prompt_end + 1]])
    with torch.inference_mode():
        forced = reference.model.generate(
            start,
            max_new_tokens=len(written),
            do_sample=False,
            return_dict_in_generate=True,
            output_hidden_states=True,
            eos_token_id=None,
            logits_processor=[lambda seen, scores: _only(scores, whole.ids[seen.shape[1]])],
        )
    assert tuple(forced.sequences[0].tolist()) == whole.ids
    j = len(written) // 2
    item = replace(whole, positions={"here": (prompt_end + 1 + j,)}, missing={})
    replayed = extract(reference, [item], [HiddenStates("here")])["hidden/here"][0]
    captured = [
        np.stack([states[0, -1].float().numpy() for states in forced.hidden_states[k]]) for k in (j, j + 1, j + 2)
    ]
    rows = [*range(len(captured[0]) - 1), len(captured[0])]  # transformers has the normed state in place of h[L]
    np.testing.assert_allclose(replayed[rows], captured[1], atol=2e-4)
    for neighbour in (captured[0], captured[2]):
        assert np.abs(replayed[rows] - neighbour).max() > 0.01


def _only(scores: torch.Tensor, token: int) -> torch.Tensor:
    forced = torch.full_like(scores, -torch.inf)
    forced[:, token] = 0
    return forced


def test_a_prompt_without_room_is_neither_right_nor_wrong(reference: LanguageModel) -> None:
    context = reference.anatomy.context
    assert context is not None
    problem = problems(1, seed=HELD_OUT_SEED)[0]
    assert isinstance(problem, Problem)
    trace = sample_traces(reference, [problem], n_candidates=1, max_new_tokens=context)[0]
    assert (trace.response, trace.answer, trace.correct) == ("", None, None)
    assert "no room" in trace.extra["not_sampled"]


def test_draws_belong_to_the_text(reference: LanguageModel) -> None:
    """Whatever else is written, in which order and in which batches, a text is what it is alone."""
    words = ["Start with 7. Add 5.", "Start with 70. Add 5. Multiply by 3.", "Hi.", "Start with 7. Add 5."]
    items = [replace(item, id=str(k)) for k, item in enumerate(asked(reference, words))]
    how: dict[str, Any] = {"max_new_tokens": 24, "temperature": 1.0, "seed": 3}
    whole = complete(reference, items, **how)
    assert whole[0] != whole[3], "one prompt, two ids"
    for batch_size in (1, 2, 3):
        assert complete(reference, items, batch_size=batch_size, **how) == whole
    assert complete(reference, items[::-1], **how) == whole[::-1]
    assert [complete(reference, [item], **how)[0] for item in items] == whole
    same = [replace(item, id="one") for item in (items[0], items[0], items[1])]
    first, second, _ = complete(reference, same, **how)
    assert first != second, "texts of one id draw apart"
    assert complete(reference, same[:1], **how) == [first]


def test_draws_follow_the_distribution() -> None:
    """Chances 1/2, 1/4, 1/8, 1/8; at temperature 1/2 their squares, 16 to 4 to 1 to 1. Of 4,000 draws."""
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125]).log()
    for temperature, parts in ((1.0, [4, 2, 1, 1]), (0.5, [16, 4, 1, 1])):
        keys = Limits(max_new_tokens=1).keys([Encoding(id="q", group="", ids=(1,), positions={})] * 400)
        draws = Draws(temperature, keys, range(400))
        steps = torch.stack([draws(None, logits.expand(400, 4)).argmax(-1) for _ in range(10)])
        expected = torch.tensor(parts) / sum(parts)
        for some, n in ((steps.flatten(), 4000), (steps[0], 400), (steps[:, :40].flatten(), 400)):
            found = some.bincount(minlength=4) / n
            # Four standard errors of a share are at most 4 * sqrt(1 / 4 / n).
            assert (found - expected).abs().max() < 2 / n**0.5
        repeats = (steps[1:] == steps[:-1]).float().mean()  # a step tells nothing of the next: chance sum(p^2)
        assert abs(float(repeats - (expected**2).sum())) < 2 / 3600**0.5
