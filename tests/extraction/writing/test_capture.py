"""What is kept of ranges while answers are written is what a pass over the answers reads of them."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.judges.sample_and_judge import sample_and_judge
from innerjudge.experiments.reading.read import read
from innerjudge.extraction import (
    AttentionSpans,
    AttentionWeights,
    Features,
    HiddenStates,
    Lens,
    QueryKey,
    ResponseLogProb,
    States,
    TokenStats,
    extract,
)
from innerjudge.extraction.readout_names import roles_of
from innerjudge.extraction.readouts import STATISTICS
from innerjudge.extraction.taps.lens import find_parts
from innerjudge.extraction.writing import attention
from innerjudge.extraction.writing.answers import Generation
from innerjudge.extraction.writing.drafts import Drafts
from innerjudge.extraction.writing.write_and_read import write_and_read
from innerjudge.models.attention_calls import AttentionCall
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.positions import encode_trace
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED
from innerjudge.probes import PooledProbe, TokenConfidence
from innerjudge.probes.description import Task
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXLayer

from ..test_generating import WORDS, asked, spaced
from .test_drafts import Dying

RANGES: list[Any] = [
    States("response"),
    States("response", "none", (-1, 0)),
    States("response", "logdet"),
    States("reasoning", "max", (1,)),
    States("response/nth_last(1)"),
    States("response/segment(5)", "last"),
    States("reasoning/step(line)@-1"),
    States("reasoning/step_end(sentence)", "none", (-1,)),
    States("response/cue(wait)"),
    *(TokenStats("response", what) for what in (*STATISTICS, "top(3)", "probability(2)")),
    TokenStats("reasoning/step(sentence)", "mean(entropy)"),
    TokenStats("reasoning/segment(4)", "mean(probability(4))"),
    States("response", "mean", (-1, 2), 6),
    States("reasoning/token@-1", "last", (1,), 3),
    Lens("response"),
    Lens("response/start(3)@-1", what="divergence_to_last"),
    Lens("reasoning/step(line)", what="divergence_to_last"),
    Lens("response/nth_last(1)", what="labels"),  # of which a trace has none
    Lens("response", "attention"),
    Lens("response/segment(5)@-1", "mlp", "divergence_to_last"),
    Lens("reasoning/step(line)", "middle", "divergence"),
    Lens("response/start(3)", what="divergence"),
    States("response_end"),  # positions are ranges of one token
    States("reasoning_end@-1", "none", (-1,)),
    States("prompt_end"),
    Lens("response_end", "mlp"),
    TokenStats("reasoning_end", "entropy"),
]
#: Of tokens before them, and before the first: the prompt's last one.
ATTENTION: list[Any] = [
    AttentionSpans(),
    AttentionSpans("reasoning/step(sentence)", ("prompt/segment(2)", "reasoning"), "ratio"),
    AttentionSpans("response", (), "diagonal"),
    AttentionSpans("response/segment(4)@-1", (), "own(5)"),
    AttentionSpans("response", ("prompt",), "copied"),
    AttentionSpans("reasoning_end", ("prompt",)),
    QueryKey("before", "reasoning_end", "prompt/token"),
    QueryKey("before", "response/segment(4)@-1", "response/start(3)"),
    QueryKey("after", "response/token", "prompt_end"),
    AttentionWeights("response_end", "prompt/token"),
    AttentionWeights("reasoning/step_end(sentence)", "response/start(2)"),
    AttentionWeights("response_end"),  # of options, which a trace has not
]
POINTS: list[Any] = [HiddenStates("response_end"), HiddenStates("reasoning_end"), ResponseLogProb()]
READOUTS = [*RANGES, *ATTENTION, *POINTS]
QUESTIONS = asked([p.prompt for p in problems(3, seed=HELD_OUT_SEED)], 2)


def replay(lm: LanguageModel, found: Generation, readouts: list[Any], markers: tuple[str, str]) -> Features:
    """The naive way: the finished answers passed through the model, one by one."""
    how: Any = {"markers": markers, "sampled_by": lm.fingerprint, "roles": roles_of(readouts)}
    encoded = [encode_trace(lm.tokenizer, trace, **how) for trace in found.traces]
    return extract(lm, encoded, readouts, batch_size=1, share_prompts=False)


def same(found: Features, right: Features) -> None:
    assert (found.ids, found.missing, found.provenance) == (right.ids, right.missing, right.provenance)
    assert (found.arrays.keys(), found.ragged.keys()) == (right.arrays.keys(), right.ragged.keys())
    for name in right.ragged:
        assert np.array_equal(found.ragged[name].offsets, right.ragged[name].offsets), name
    held = [(f.arrays | {name: one.values for name, one in f.ragged.items()}) for f in (found, right)]
    for name, own in held[1].items():
        size = 2e-4 * max(1.0, np.abs(own).max(initial=0))
        np.testing.assert_allclose(held[0][name], own, atol=size, err_msg=name)


@pytest.mark.parametrize(("batch_size", "limit", "temperature"), [(1, 30, 1.0), (5, 120, 1.0), (6, 3, 0.0)])
def test_the_built_in_model(reference: LanguageModel, batch_size: int, limit: int, temperature: float) -> None:
    """Prompts are shared; texts end by themselves and at the limit, and the shortest have no reasoning, so no steps."""
    how: dict[str, Any] = {"max_new_tokens": limit, "temperature": temperature, "seed": 5, "batch_size": batch_size}
    found = write_and_read(reference, QUESTIONS, READOUTS, **how)
    assert found.replayed == 0
    same(found.features, replay(reference, found, READOUTS, ("<think>", "</think>")))
    steps = found.features.ragged["hidden/reasoning/step_end(sentence).none[-1]"].counts
    assert steps.any() == found.features.present("hidden/reasoning.max[1]").any() == (limit > 3)
    finished = [trace.extra["finished"] for trace in found.traces]
    assert any(finished) == (limit > 3)


@pytest.mark.parametrize(
    "one",
    [States("response"), States("response/segment(2)@-1"), TokenStats("response", "entropy"), Lens("response/token"),
     Lens("response", "mlp"), AttentionSpans(), QueryKey("before", "response_end", "prompt/token")],
)  # fmt: skip
def test_alone_up_to_the_limit(reference: LanguageModel, one: Any) -> None:
    """The last token's states take a step of their own where a range has them, though nothing else is read there."""
    found = write_and_read(reference, QUESTIONS, [one], max_new_tokens=5, batch_size=6)
    assert found.replayed == 0
    same(found.features, replay(reference, found, [one], ("<think>", "</think>")))


def test_a_template_that_opens_the_reasoning(reference: LanguageModel) -> None:
    """And writes a line end behind the marker: the reasoning begins with the first token that is written."""
    template = f"{reference.tokenizer.chat_template}{{% if add_generation_prompt %}}<think>\n{{% endif %}}"
    tokenizer = copy.deepcopy(reference.tokenizer)
    tokenizer.chat_template = template
    lm = wrap(reference.model, tokenizer)
    readouts = [
        TokenStats("reasoning", "log_probability"),
        TokenStats("reasoning/segment(4)", "mean(entropy)"),
        States("reasoning/step(sentence)@-1"),
        States("reasoning/segment(4)@-1", "first"),
        States("reasoning", "none", (0, -1)),
    ]
    found = write_and_read(lm, QUESTIONS, readouts, max_new_tokens=60, seed=5, batch_size=4)
    assert found.replayed == 0
    assert found.features.present(readouts[2].name).any()
    same(found.features, replay(lm, found, readouts, ("<think>", "</think>")))
    first = [trace.extra["response_ids"] for trace in found.traces]
    reasoned = found.features.ragged[readouts[0].name].counts
    assert all(n <= len(ids) for n, ids in zip(reasoned, first, strict=True))


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "gemma3", "cohere2", "opt", "qwen3"])
def test_small_random_families(tiny: Any, family: str) -> None:
    """Soft-caps, windows, norms and columns that only pad; left padding, early ends and shared prompts in one batch."""
    lm = spaced(tiny(family).model)
    questions = asked(["w4 w8 w10 w11 w12", "w5", "w20 w21 w22 w23 w24 w25 w26 w27 w28"], 4)
    how: dict[str, Any] = {"max_new_tokens": 40, "temperature": 1.5, "seed": 2, "batch_size": 8}
    found = write_and_read(lm, questions, READOUTS, markers=WORDS, **how)
    assert found.replayed == 0
    same(found.features, replay(lm, found, READOUTS, WORDS))
    assert found.features.present("hidden/reasoning/step(line)@-1.mean").any()


def test_attention_that_a_kernel_does_not_give_is_read_again(tiny: Any) -> None:
    """A family outside the registry of kernels is heard by its softmax, of which no queries and keys are kept."""
    lm = spaced(tiny("gpt_neo").model)
    assert not any(one.registered for block in lm.anatomy.heads for one in block)
    questions = asked(["w4 w8 w10 w11 w12", "w5"], 2)
    found = write_and_read(lm, questions, [*ATTENTION, *POINTS], markers=WORDS, max_new_tokens=12, temperature=1.5)
    assert found.replayed == len(questions)
    same(found.features, replay(lm, found, [*ATTENTION, *POINTS], WORDS))


def test_beside_what_is_read_again_answers_are_stopped_and_drafts_kept(tiny: Any, tmp_path: Path) -> None:
    lm = spaced(tiny("gpt_neo").model)
    readouts: list[Any] = [AttentionSpans(), States("response"), *POINTS]
    looks = []

    def reject(features: Features) -> list[str | None]:
        looks.append(set(features.arrays))
        return ["no"] * len(features)

    questions, how = asked(["w4 w8", "w5"]), {"max_new_tokens": 12, "markers": WORDS}
    found = write_and_read(lm, questions, readouts, reject=reject, reject_at=["response/segment(4)"], **how)
    assert looks
    assert all(trace.extra["rejected"] == "no" for trace in found.traces)
    assert found.replayed == 2
    same(found.features, replay(lm, found, readouts, WORDS))
    with pytest.raises(KeyboardInterrupt):
        write_and_read(lm, questions, readouts, drafts=Dying(tmp_path / "drafts", 3), **how)
    assert len(Drafts(tmp_path / "drafts", "job").begun) == 2


def test_what_was_not_heard_is_read_again(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention.AttentionRecord, "keep", lambda record, _present: setattr(record, "whole", False))
    found = write_and_read(reference, QUESTIONS, READOUTS, max_new_tokens=30, seed=5, batch_size=6)
    assert found.replayed == len(QUESTIONS)
    same(found.features, replay(reference, found, READOUTS, ("<think>", "</think>")))


def test_what_a_model_never_gives_is_refused_before_it_writes(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it gives something else: then only that readout is missing."""
    lm = spaced(tiny("llama").model)
    monkeypatch.setattr("innerjudge.extraction.taps.lens.find_parts", lambda *_: ({},) * 3)
    readouts = [Lens("response", "mlp"), Lens("response", "middle")]
    written: list[int] = []
    how: dict[str, Any] = {"max_new_tokens": 4, "markers": WORDS, "on_batch": written.append}
    with pytest.raises(InnerjudgeError, match="whose blocks do not add"):
        write_and_read(lm, asked(["w4"]), readouts, **how)
    assert not written
    found = write_and_read(lm, asked(["w4"]), [*readouts, States("response")], **how)
    assert found.replayed == 1
    names = [one.name for one in (*readouts, States("response"))]
    assert [found.features.present(name).tolist() for name in names] == [[False], [False], [True]]


def test_parts_of_some_blocks(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first block without two parts: nothing is left of a step when the next one comes."""
    lm = spaced(tiny("llama").model)
    parts = find_parts(lm.model, lm.anatomy.stream)
    monkeypatch.setattr("innerjudge.extraction.taps.lens.find_parts", lambda *_: ({}, *parts[1:]))
    readouts = [Lens("response", "mlp"), Lens("response", "middle", "divergence")]
    found = write_and_read(lm, asked(["w4 w5", "w6"], 2), readouts, max_new_tokens=6, markers=WORDS)
    assert found.replayed == 0
    same(found.features, replay(lm, found, readouts, WORDS))


def test_parts_that_run_in_the_other_order(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parallel MLP may be computed before the attention; each part still gives its own."""

    def forward(block: GPTNeoXLayer, hidden_states: torch.Tensor, **more: Any) -> torch.Tensor:
        early = block.mlp(block.post_attention_layernorm(hidden_states))
        return early + block.attention(block.input_layernorm(hidden_states), **more)[0] + hidden_states

    monkeypatch.setattr(GPTNeoXLayer, "forward", forward)
    lm = spaced(tiny("gpt_neox", seed=9).model)
    readouts = [Lens("response", "mlp"), Lens("response", "attention"), Lens("response", "middle")]
    found = write_and_read(lm, asked(["w4 w5", "w6"], 2), readouts, max_new_tokens=6, markers=WORDS)
    assert found.replayed == 0
    same(found.features, replay(lm, found, readouts, WORDS))


def test_masks_that_hide_keys_among_others_are_read_again(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a line only where it begins is kept, so that memory is linear; here one more key is hidden."""
    lm, own = spaced(tiny("llama").model), attention._first_seen
    seen: list[Any] = []

    def holed(call: AttentionCall, keys: int) -> Any:
        mask = torch.zeros(len(call.query), 1, call.query.shape[2], keys)
        mask[..., 1] = torch.finfo(mask.dtype).min
        seen.append(own(replace(call, mask=mask), keys))
        return seen[-1]

    monkeypatch.setattr(attention, "_first_seen", holed)
    found = write_and_read(lm, asked(["w4 w5 w6", "w7"]), [AttentionSpans()], max_new_tokens=4, markers=WORDS)
    assert seen[0] is None
    assert found.replayed == 2


def test_stopped_texts_leave_and_looks_see_positions_only(reference: LanguageModel) -> None:
    seen = []

    def every_other(features: Features) -> list[str | None]:
        seen.append({*features.arrays, *features.ragged})
        return ["no" if k % 2 else None for k in range(len(features))]

    how: dict[str, Any] = {"max_new_tokens": 120, "seed": 5, "batch_size": 6, "reject": every_other}
    found = write_and_read(reference, QUESTIONS, READOUTS, **how)
    assert {name for names in seen for name in names} == {"hidden/response_end", "hidden/reasoning_end", "logprob"}
    assert any("rejected" in trace.extra for trace in found.traces)
    same(found.features, replay(reference, found, READOUTS, ("<think>", "</think>")))


def test_what_a_killed_run_began_is_read_again(reference: LanguageModel, tmp_path: Path) -> None:
    how: dict[str, Any] = {"max_new_tokens": 90, "seed": 5, "batch_size": 4}
    whole = write_and_read(reference, QUESTIONS, READOUTS, **how)
    with pytest.raises(KeyboardInterrupt):
        write_and_read(reference, QUESTIONS, READOUTS, drafts=Dying(tmp_path / "drafts", 20), **how)
    drafts = Drafts(tmp_path / "drafts", "job")
    found = write_and_read(reference, QUESTIONS, READOUTS, drafts=drafts, **how)
    assert found.replayed == len(drafts.begun) == 4
    assert found.traces == whole.traces
    same(found.features, whole.features)


@pytest.mark.parametrize(
    "other",
    [TokenStats("response@-1"), States("prompt"), States("text/step"), States("score"), States("own_text(step)"),
     AttentionSpans("prompt"), AttentionWeights("reasoning_start", "prompt"), Lens("prompt"), QueryKey(),
     TokenStats("prompt_end"), TokenStats("response_end@-1"), States("prompt_end@-1")],
)  # fmt: skip
def test_what_no_generation_gives_is_refused(reference: LanguageModel, other: Any) -> None:
    with pytest.raises(InnerjudgeError, match="expected what a generation carries"):
        write_and_read(reference, QUESTIONS, [other], max_new_tokens=4)


def test_judges_of_tokens_and_steps_read_the_sampling(reference: LanguageModel) -> None:
    """In one go, as from the finished answers; not where rows counted from the end would be others."""
    how: dict[str, Any] = {"n": 2, "max_new_tokens": 90, "seed": 5}
    prompts = [question.prompt for question in QUESTIONS[::2]]
    traces = sample_and_judge(reference, prompts, TokenConfidence(), **how).traces
    right = [k % 2 == 0 for k in range(len(traces))]
    steps = PooledProbe(role="reasoning/step(sentence)@-1", reduce="mean", epochs=2)
    reprobe = PooledProbe.presets(Task("trace"))["reprobe"]
    swift = PooledProbe(readouts=("hidden/response.none[-1,0]~8",), how="gated", epochs=2)
    attention = PooledProbe.presets(Task("trace"))["reprobe-attention"]
    for judge in (TokenConfidence(), steps, reprobe, swift, attention):
        if judge.learns:
            judge.fit(read(reference, traces, judges=[judge]), right)
        found = sample_and_judge(reference, prompts, judge, **how)
        assert found.replayed == 0
        again = judge.verdicts(read(reference, found.traces, judges=[judge]))
        assert [one.unscored for one in found.verdicts] == [one.unscored for one in again]
        scores = [[np.nan if one.score is None else one.score for one in own] for own in (found.verdicts, again)]
        np.testing.assert_allclose(*scores, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "one", [States("response", rows=(-1,)), AttentionSpans(), AttentionWeights("response_end", "prompt_end")]
)  # row -1 is h[2]
def test_of_a_judge_fitted_on_passes_that_stopped_early_ranges_are_read_again(
    reference: LanguageModel, one: Any
) -> None:
    traces = [
        Trace(question_id=f"q{k}", candidate_id="a", prompt="1+1?", response=f"<think>{k}</think>{k}") for k in range(4)
    ]
    encoded = [encode_trace(reference.tokenizer, trace, roles=roles_of([one])) for trace in traces]
    early = extract(reference, encoded, [one], last_block=2)
    judge = PooledProbe(readouts=(one.name,), reduce="mean", epochs=2).fit(early, [True, False, True, False])
    found = sample_and_judge(reference, ["Start with 7. Add 5."], judge, n=2, max_new_tokens=40)
    assert found.replayed == 2
    again = judge.verdicts(read(reference, found.traces, judges=[judge]))
    assert [one.score for one in found.verdicts] == pytest.approx([one.score for one in again])
