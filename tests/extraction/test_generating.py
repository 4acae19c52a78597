"""What a generation carries is what a pass over the finished answers reads."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.bench.coverage.shrink import small_config
from innerjudge.experiments.bench.coverage.small_model import small_model
from innerjudge.extraction import Features, HiddenStates, QueryKey, ResponseLogProb, extract
from innerjudge.extraction.writing.answers import Generation
from innerjudge.extraction.writing.decoding import carries_states, distinct, hands_on_prompts, leaves_batches
from innerjudge.extraction.writing.generate import complete
from innerjudge.extraction.writing.write_and_read import CARRIED, write_and_read
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.positions import Encoding, encode_trace
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

READOUTS: list[Any] = [*(HiddenStates(role) for role in CARRIED), ResponseLogProb()]
#: Two words of the random vocabulary as markers: random models write them now and then.
WORDS = ("w7", "w9")
NEW = 40


def spaced(model: Any) -> LanguageModel:
    """A model with a tokenizer of words between blanks."""
    size = int(model.config.get_text_config(decoder=True).vocab_size)
    inner = Tokenizer(WordLevel({f"w{i}": i for i in range(size)}, unk_token="w3"))
    inner.pre_tokenizer = WhitespaceSplit()
    return wrap(model, PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="w0"))


def asked(prompts: Sequence[str], n: int = 1) -> list[Trace]:
    return [
        Trace(question_id=f"q{k}", candidate_id=str(c), prompt=prompt, response="")
        for k, prompt in enumerate(prompts)
        for c in range(n)
    ]


def replay(lm: LanguageModel, found: Generation, markers: tuple[str, str]) -> Features:
    """The naive way: the finished answers passed through the model, one by one."""
    encoded = [encode_trace(lm.tokenizer, t, markers=markers, sampled_by=lm.fingerprint) for t in found.traces]
    return extract(lm, encoded, READOUTS, batch_size=1, share_prompts=False)


def check(lm: LanguageModel, found: Generation, markers: tuple[str, str], *, size: float = 2e-4) -> None:
    naive = replay(lm, found, markers)
    assert found.features.arrays.keys() == naive.arrays.keys()
    assert (found.features.ids, found.features.groups) == (naive.ids, naive.groups)
    assert found.features.missing == naive.missing
    assert found.features.provenance == naive.provenance
    for name, expected in naive.arrays.items():
        np.testing.assert_allclose(
            found.features[name], expected, atol=size * max(1.0, np.abs(expected).max()), err_msg=name
        )


def naive_ids(lm: LanguageModel, questions: list[Trace], markers: tuple[str, str], **how: Any) -> list[Any]:
    prompts = [encode_trace(lm.tokenizer, q, markers=markers) for q in questions]
    return [list(one.ids) for one in complete(lm, prompts, **how) if not isinstance(one, str)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("limit", [3, 30, 120])
def test_the_built_in_model(reference: LanguageModel, temperature: float, batch_size: int, limit: int) -> None:
    questions = asked([p.prompt for p in problems(3, seed=HELD_OUT_SEED)], 2)
    how: dict[str, Any] = {"max_new_tokens": limit, "temperature": temperature, "seed": 5, "batch_size": batch_size}
    told: list[int] = []
    found = write_and_read(reference, questions, READOUTS, on_batch=told.append, **how)
    assert (found.replayed, sum(told)) == (0, 6)
    written = [trace.extra["response_ids"] for trace in found.traces]
    assert written == naive_ids(reference, questions, ("<think>", "</think>"), **how)
    check(reference, found, ("<think>", "</think>"))
    finished = [trace.extra["finished"] for trace in found.traces]
    assert any(finished) == (limit > 3)
    assert all(len(ids) == limit for ids, ended in zip(written, finished, strict=True) if not ended)
    assert found.features.present("hidden/reasoning_end").any() == (limit > 3)


@pytest.mark.parametrize(
    "family", ["llama", "gpt2", "gpt_neo", "gemma2", "gemma3", "phi3", "cohere2", "qwen3", "opt", "yarn"]
)
def test_small_random_families(tiny: Callable[..., LanguageModel], family: str) -> None:
    """Rotary, absolute and sliding-window positions; left padding, early ends and shared prompts in one batch."""
    lm = spaced(tiny(family).model)
    questions = asked(["w4 w8 w10 w11 w12", "w5", "w20 w21 w22 w23 w24 w25 w26 w27 w28"], 4)
    assert carries_states(lm)
    assert hands_on_prompts(lm)
    how: dict[str, Any] = {"max_new_tokens": NEW, "temperature": 1.5, "seed": 2, "batch_size": 8}
    found = write_and_read(lm, questions, READOUTS, markers=WORDS, **how)
    assert found.replayed == 0
    assert [t.extra["response_ids"] for t in found.traces] == naive_ids(lm, questions, WORDS, **how)
    check(lm, found, WORDS)


def test_random_families_end_early_and_at_the_limit_and_write_markers(tiny: Callable[..., LanguageModel]) -> None:
    """The cases that the test above is about do occur in it."""
    lm = spaced(tiny("llama").model)
    found = write_and_read(
        lm, asked(["w4 w8", "w5 w6 w8 w4"], 24), READOUTS, max_new_tokens=NEW, seed=1, batch_size=48, markers=WORDS
    )
    finished = [trace.extra["finished"] for trace in found.traces]
    assert 3 < sum(finished) < 45
    assert {len(t.extra["response_ids"]) for t, f in zip(found.traces, finished, strict=True) if not f} == {NEW}
    for role in ("reasoning_start", "reasoning_end"):
        assert 3 < found.features.present(f"hidden/{role}").sum() < 48
    check(lm, found, WORDS)


@pytest.mark.parametrize("kind", ["lfm2", "falcon_h1", "qwen3_next", "mamba", "recurrent_gemma", "zamba2"])
def test_recurrent_and_hybrid_families(kind: str) -> None:
    """Those whose cache cannot be shared read each prompt; one whose steps differ from its pass is replayed."""
    lm = spaced(small_model(small_config(kind)))
    assert hands_on_prompts(lm) == (kind in ("lfm2", "falcon_h1", "qwen3_next"))
    assert carries_states(lm) == (kind != "zamba2")
    questions = asked(["w10 w11 w12", "w20 w21 w22 w23 w24"], 3)
    found = write_and_read(lm, questions, READOUTS, max_new_tokens=12, seed=3, batch_size=3, markers=WORDS)
    assert found.replayed == (6 if kind == "zamba2" else 0)
    check(lm, found, WORDS)


def test_a_marker_of_several_tokens(tinystories: LanguageModel) -> None:
    """A real model whose vocabulary has no markers: here they are what it happens to write."""
    lm, questions = tinystories, asked(["Tell me a story of a cat.", "Hello!"], 2)
    how: dict[str, Any] = {"max_new_tokens": 48, "temperature": 1.0, "seed": 4, "batch_size": 4}
    plain = write_and_read(lm, questions, READOUTS, **how)
    ids = max((trace.extra["response_ids"] for trace in plain.traces), key=len)
    row = [trace.extra["response_ids"] for trace in plain.traces].index(ids)
    ends = [len(lm.tokenizer.decode(ids[:n])) for n in range(len(ids) + 1)]
    quarter = len(ids) // 4
    assert quarter >= 4
    text = lm.tokenizer.decode(ids)
    marker, closing = text[ends[quarter] : ends[quarter + 3]], text[ends[2 * quarter] : ends[2 * quarter + 3] - 1]
    assert all(len(lm.tokenizer(one)["input_ids"]) > 1 for one in (marker, closing))
    found = write_and_read(lm, questions, READOUTS, markers=(marker, closing), **how)
    assert [t.extra["response_ids"] for t in found.traces] == [t.extra["response_ids"] for t in plain.traces]
    assert found.features.present("hidden/reasoning_end")[row]
    assert found.replayed == 0
    check(lm, found, (marker, closing))


@pytest.mark.parametrize("opened", ["<think>", "<think>\n", "<think>\n\n</think>\n"])
def test_a_template_that_opens_the_block(reference: LanguageModel, opened: str) -> None:
    template = f"{reference.tokenizer.chat_template}{{% if add_generation_prompt %}}{opened}{{% endif %}}"
    lm = wrap(reference.model, _with_template(reference, template))
    questions = asked([p.prompt for p in problems(2, seed=HELD_OUT_SEED)], 3)
    for share in (3, 1):
        found = write_and_read(lm, questions, READOUTS, max_new_tokens=60, seed=3, batch_size=2 * share)
        prompts = [encode_trace(lm.tokenizer, question) for question in questions]
        whole = [encode_trace(lm.tokenizer, t, sampled_by=lm.fingerprint) for t in found.traces]
        for prompt, one in zip(prompts, whole, strict=True):
            assert one.ids[: len(prompt.ids)] == prompt.ids, "a replay begins with the prompt that was answered"
        assert found.replayed == 0
        check(lm, found, ("<think>", "</think>"))


def _with_template(lm: LanguageModel, template: str) -> PreTrainedTokenizerFast:
    import copy

    tokenizer = copy.deepcopy(lm.tokenizer)
    tokenizer.chat_template = template
    return tokenizer


def test_an_end_at_once_leaves_an_empty_answer(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = asked([p.prompt for p in problems(2, seed=HELD_OUT_SEED)])
    first = write_and_read(reference, questions, READOUTS, max_new_tokens=4, temperature=0.0)
    end = first.traces[0].extra["response_ids"][0]
    monkeypatch.setattr(reference.model.generation_config, "eos_token_id", end)
    found = write_and_read(reference, questions, READOUTS, max_new_tokens=4, temperature=0.0)
    assert [trace.response for trace in found.traces] == ["", ""]
    assert found.features.missing["hidden/response_end"] == dict.fromkeys(found.features.ids, "the response is empty")
    check(reference, found, ("<think>", "</think>"))


def test_a_question_without_room_is_read_as_far_as_it_goes(reference: LanguageModel) -> None:
    context = reference.anatomy.context
    assert context is not None
    questions = asked(["Start with 7. Add 5.", "Start with 7." + " Add 5." * (context // 3 - 8)])
    found = write_and_read(reference, questions, READOUTS, max_new_tokens=60, temperature=0.0)
    assert "no room" in found.traces[1].extra["not_sampled"]
    assert (found.traces[1].response, found.replayed) == ("", 1)
    check(reference, found, ("<think>", "</think>"))


def test_rejected_at_a_marker(reference: LanguageModel) -> None:
    questions = asked([p.prompt for p in problems(3, seed=HELD_OUT_SEED)], 2)
    how: dict[str, Any] = {"max_new_tokens": 120, "seed": 9, "batch_size": 6}
    seen: list[Features] = []

    def every_other(features: Features) -> list[str | None]:
        seen.append(features)
        return ["not this one" if i.endswith("/1") else None for i in features.ids]

    plain = write_and_read(reference, questions, READOUTS, **how)
    found = write_and_read(reference, questions, READOUTS, reject=every_other, **how)
    ids = [i for features in seen for i in features.ids]
    assert sorted(ids) == sorted(found.features.ids), "asked once about each"
    for trace, whole in zip(found.traces, plain.traces, strict=True):
        if trace.candidate_id == "0":
            assert trace == whole
            continue
        assert (trace.extra["rejected"], trace.extra["finished"]) == ("not this one", False)
        assert trace.response == whole.response.partition("</think>")[0] + "</think>"
    check(reference, found, ("<think>", "</think>"))
    for features in seen:  # what the callback saw is what the finished answers have
        rows = [found.features.ids.index(i) for i in features.ids]
        for name in ("hidden/prompt_end", "hidden/reasoning_start", "hidden/reasoning_end"):
            assert np.array_equal(features[name], found.features[name][rows])


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "phi3"])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_rejected_answers_leave_their_batch(
    tiny: Callable[..., LanguageModel], family: str, temperature: float
) -> None:
    """Rows of several lengths, windows shorter than the text: those that stay write and read what they would have."""
    lm = spaced(tiny(family).model)
    assert leaves_batches(lm)
    questions = asked(["w4 w8 w10 w11 w12", "w5", "w20 w21 w22 w23 w24 w25 w26 w27 w28"], 4)
    how: dict[str, Any] = {"max_new_tokens": NEW, "temperature": temperature, "seed": 2, "batch_size": 12}
    how |= {"markers": WORDS, "reject_at": ("reasoning_start",)}
    plain = write_and_read(lm, questions, READOUTS, **how)
    rows: list[int] = []
    handle = lm.anatomy.blocks[0].register_forward_hook(lambda _m, args, _o: rows.append(len(args[0])))
    try:
        found = write_and_read(lm, questions, READOUTS, reject=lambda f: ["no"] * len(f), **how)
    finally:
        handle.remove()
    stopped = [trace.extra.get("rejected") == "no" for trace in found.traces]
    if temperature:
        assert 0 < sum(stopped) < len(stopped)
        assert 0 < min(rows) <= 9 < max(rows) == 12
    for trace, whole, gone in zip(found.traces, plain.traces, stopped, strict=True):
        ids, every = trace.extra["response_ids"], whole.extra["response_ids"]
        assert ids == every[: len(ids)]
        assert gone or ids == every
    check(lm, found, WORDS)


def test_a_model_whose_cache_cannot_be_cut_keeps_its_rows(
    reference: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AttributeError("no such thing")

    lm = replace(reference, model=copy.copy(reference.model))  # another model, which is tried anew
    with monkeypatch.context() as patch:
        patch.setattr("transformers.DynamicCache.batch_select_indices", refuse)
        assert not leaves_batches(lm)
    questions = asked([p.prompt for p in problems(1, seed=HELD_OUT_SEED)], 4)
    how: dict[str, Any] = {"max_new_tokens": 60, "temperature": 0.0}
    half = write_and_read(lm, questions, READOUTS, reject=lambda f: ["no"] * len(f), **how)
    assert [t.response for t in half.traces] == [
        t.response
        for t in write_and_read(reference, questions, READOUTS, reject=lambda f: ["no"] * len(f), **how).traces
    ]


def test_a_batch_of_rejected_answers_stops(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = asked([p.prompt for p in problems(1, seed=HELD_OUT_SEED)], 4)
    steps: list[int] = []
    handle = reference.anatomy.blocks[0].register_forward_hook(lambda *_: steps.append(1))
    try:
        lengths = []
        for reject in (None, lambda features: ["all of them"] * len(features)):
            steps.clear()
            write_and_read(
                reference,
                questions,
                READOUTS,
                max_new_tokens=120,
                temperature=0.0,
                reject=reject,
                reject_at=("reasoning_start",),
            )
            lengths.append(len(steps))
    finally:
        handle.remove()
    # The shared prompt, its last token, which writes <think>, and the step that reads <think>: three passes.
    assert lengths[1] == 3 < lengths[0]


def test_no_more_than_a_step_is_held(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60 tokens an answer, those that a readout may name are kept: prompt end, two markers and the last one."""
    from innerjudge.extraction.writing.watch import Watch

    questions = asked([p.prompt for p in problems(2, seed=HELD_OUT_SEED)])
    prompts = [encode_trace(reference.tokenizer, question) for question in questions]
    monkeypatch.setattr("innerjudge.extraction.writing.watch.end_ids", lambda _lm: frozenset())
    readouts = [HiddenStates("response_end")]
    watch = Watch(reference, prompts, limit=60, markers=("<think>", "</think>"), readouts=readouts)
    watch.run(0.0)
    assert all(len(ids) == 60 for ids in watch.texts.ids)
    assert all(len(states) <= 5 for states in watch.record.states)


def test_what_cannot_be_is_refused(reference: LanguageModel) -> None:
    questions = asked(["Start with 7. Add 5."])
    with pytest.raises(InnerjudgeError, match="hidden states at one of prompt_end"):
        write_and_read(reference, questions, [QueryKey()], max_new_tokens=4)  # type: ignore[list-item]
    with pytest.raises(InnerjudgeError, match="hidden states at one of prompt_end"):
        write_and_read(reference, questions, [HiddenStates("score")], max_new_tokens=4)
    with pytest.raises(InnerjudgeError, match="given 0 questions"):
        write_and_read(reference, [], READOUTS, max_new_tokens=4)
    with pytest.raises(InnerjudgeError, match="twice"):
        write_and_read(reference, questions * 2, READOUTS, max_new_tokens=4)
    with pytest.raises(InnerjudgeError, match="expected two marks that are not empty"):
        write_and_read(reference, questions, READOUTS, max_new_tokens=4, markers=("<think>", ""))
    with pytest.raises(InnerjudgeError, match="max_new_tokens=0"):
        write_and_read(reference, questions, READOUTS, max_new_tokens=0)
    lm = spaced(small_model(small_config("zamba2")))
    with pytest.raises(InnerjudgeError, match="leave reject out"):
        write_and_read(lm, questions, READOUTS, max_new_tokens=4, reject=lambda features: [None] * len(features))


def test_the_callers_random_state_and_config_stay(reference: LanguageModel) -> None:
    questions = asked(["Start with 7. Add 5."], 2)
    own = reference.model.generation_config
    # transformers leaves hooks of its own on a model that was once asked for all its hidden states.
    hooks = [(dict(b._forward_hooks), dict(b._forward_pre_hooks)) for b in reference.anatomy.blocks]
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    write_and_read(reference, questions, READOUTS, max_new_tokens=4)
    assert torch.rand(1) == expected
    assert reference.model.generation_config is own
    assert [(dict(b._forward_hooks), dict(b._forward_pre_hooks)) for b in reference.anatomy.blocks] == hooks


def test_equal_prompts_are_read_once(reference: LanguageModel) -> None:
    prompts = [
        encode_trace(reference.tokenizer, q) for q in asked(["Start with 7. Add 5.", "Start with 70. Add 5."], 3)
    ]
    assert distinct(prompts) == ([0, 3], [0, 0, 0, 1, 1, 1])
    read: list[tuple[int, ...]] = []
    block = reference.anatomy.blocks[0]
    handle = block.register_forward_hook(lambda _m, args, _o: read.append(tuple(args[0].shape[:2])))
    try:
        shared = complete(reference, prompts, max_new_tokens=4, batch_size=6)
    finally:
        handle.remove()
    width = max(len(prompt.ids) for prompt in prompts)
    assert read == [(2, width - 1), *[(6, 1)] * 4]
    alone = [complete(reference, [replace(prompt, id="x")], max_new_tokens=4)[0] for prompt in prompts]
    assert shared == alone


def test_features_of_any_encoding_are_refused_nothing(reference: LanguageModel) -> None:
    """An item of one token has no prompt to share, and is answered all the same."""
    one = Encoding(id="x", group="", ids=(20,), positions={"prompt_end": (0,)})
    assert len(complete(reference, [one, one], max_new_tokens=3)) == 2
