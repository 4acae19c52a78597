"""A text whose reasoning is closed at a look has the marker there and goes on from it; nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.bench.coverage.shrink import small_config
from innerjudge.experiments.bench.coverage.small_model import small_model
from innerjudge.extraction import Features
from innerjudge.extraction.writing.answers import Generation
from innerjudge.extraction.writing.checks import Exit
from innerjudge.extraction.writing.generate import complete
from innerjudge.extraction.writing.progress import marker_ids
from innerjudge.extraction.writing.write_and_read import write_and_read
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding, encode_trace
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED
from transformers import AutoTokenizer

from .test_generating import READOUTS, WORDS, asked, check, spaced

THINK = ("<think>", "</think>")
SOLVE: dict[str, Any] = {"max_new_tokens": 100, "seed": 7, "batch_size": 6, "temperature": 1.0}
ROLE = "reasoning/segment(5)"
#: Looks: item -> how many tokens it had at each.
Looks = dict[str, list[int]]


def exits(
    lm: LanguageModel, questions: list[Trace], when: Callable[[str, int], Any], role: str = ROLE, **how: Any
) -> tuple[Generation, Looks]:
    """Answers where ``when`` (id, number of the look from 1) says what is done, and the looks at each."""
    looks: Looks = {}

    def act(features: Features) -> list[Any]:
        for item, n in zip(features.ids, features["logprob"][:, 1], strict=True):
            looks.setdefault(item, []).append(int(n))
        return [when(item, len(looks[item])) for item in features.ids]

    return write_and_read(lm, questions, READOUTS, reject=act, reject_at=[role], **how), looks


def ids_of(found: Generation) -> list[list[int]]:
    return [trace.extra["response_ids"] for trace in found.traces]


def test_the_marker_by_hand(reference: LanguageModel) -> None:
    """The second look is behind two segments of five tokens of the reasoning, which the first token opens: 11."""
    questions = asked([p.prompt for p in problems(3, seed=HELD_OUT_SEED)], 2)
    plain = write_and_read(reference, questions, READOUTS, **SOLVE)

    def second(item: str, look: int) -> Exit | None:
        return Exit("sure") if item.endswith("/1") and look == 2 else None

    found, looks = exits(reference, questions, second, **SOLVE)
    (closing,) = reference.tokenizer("</think>")["input_ids"]
    for trace, whole in zip(found.traces, plain.traces, strict=True):
        if trace.candidate_id == "0":
            assert trace == whole, "the others of the batch write what they would have written"
            continue
        ids, every = trace.extra["response_ids"], whole.extra["response_ids"]
        assert every[10] != closing, "it would have gone on"
        assert (ids[:11], ids[11]) == (every[:11], closing)
        assert (trace.extra["exited"], looks[trace.id]) == ("sure", [6, 11]), "nothing is asked any more"
        assert (trace.response.count("</think>"), "rejected" in trace.extra) == (1, False)
        assert len(ids) > 12, "the answer follows"
        assert trace.extra["finished"]
    assert found.replayed == 0
    check(reference, found, THINK)
    assert Trace(**{name: getattr(found.traces[1], name) for name in Trace.__dataclass_fields__}) == found.traces[1]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_answer_is_what_the_model_writes_after_the_marker(reference: LanguageModel, batch_size: int) -> None:
    """The naive way: the text up to the marker is a prompt, and the model goes on from there, greedily."""
    questions = asked([p.prompt for p in problems(4, seed=HELD_OUT_SEED)])
    how = SOLVE | {"temperature": 0.0, "batch_size": batch_size}
    found, looks = exits(reference, questions, lambda _item, look: Exit("sure") if look == 2 else None, **how)
    for question, trace in zip(questions, found.traces, strict=True):
        head = trace.extra["response_ids"][:12]
        assert looks[trace.id] == [6, 11]
        prompt = (*encode_trace(reference.tokenizer, question).ids, *head)
        begun = Encoding(id="a", group="a", ids=prompt, positions={"prompt_end": (len(prompt) - 1,)})
        (rest,) = complete(reference, [begun], max_new_tokens=88)
        assert not isinstance(rest, str)
        assert [*head, *rest.ids] == trace.extra["response_ids"]
    check(reference, found, THINK)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "phi3"])
@pytest.mark.parametrize("n", [1, 30])
def test_random_families_exit_with_a_marker_of_three_tokens(
    tiny: Callable[..., LanguageModel], family: str, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sixth word ends a text, also where the marker is forced; others leave the batch."""
    lm, markers = spaced(tiny(family).model), ("w7", "w9 w10 w11")
    assert marker_ids(lm.tokenizer, markers[1]) == [9, 10, 11]
    monkeypatch.setattr(lm.model.generation_config, "eos_token_id", [2, *range(30, 40)])
    how: dict[str, Any] = {"max_new_tokens": 40, "temperature": 1.5, "batch_size": 150, "markers": markers}

    def some(item: str, look: int) -> Any:
        return "no" if item.endswith(("3", "7")) else Exit("yes") if look == 1 and not item.endswith("0") else None

    stopped = exited = 0
    for seed in range(80 if n == 1 else 7):
        how["seed"] = seed
        questions = [one for one in asked(["w4 w8 w7 w13", "w5 w7", "w20 w21 w7"], n + 1) if one.candidate_id != "0"]
        questions = questions[seed % 3 :][:1] if n == 1 else questions
        plain = write_and_read(lm, questions, READOUTS, **how)
        found, looks = exits(lm, questions, some, "reasoning/segment(1)", **how)
        for trace, ids, every in zip(found.traces, ids_of(found), ids_of(plain), strict=True):
            if "rejected" in trace.extra:
                assert (ids, trace.extra["rejected"]) == (every[: looks[trace.id][0]], "no")
                stopped += 1
            elif "exited" in trace.extra:
                at = looks[trace.id][0]
                assert (ids[:at], ids[at : at + 3]) == (every[:at], [9, 10, 11])
                exited += 1
            else:
                assert ids == every
        check(lm, found, markers)
    assert exited > (0 if n == 1 else 4)
    assert stopped > 3 or n == 1


def test_a_real_model_and_a_marker_of_several_tokens(tinystories: LanguageModel) -> None:
    """Its vocabulary has no markers: the opening one is what it happens to write, and the closing one is in pieces."""
    lm, questions = tinystories, asked(["Tell me a story of a cat.", "Hello!"], 3)
    how: dict[str, Any] = {"max_new_tokens": 60, "temperature": 1.0, "seed": 4, "batch_size": 6}
    plain = write_and_read(lm, questions, READOUTS, **how)
    row = max(range(6), key=lambda k: len(ids_of(plain)[k]))
    ids = ids_of(plain)[row]
    opening = lm.tokenizer.decode(ids[8:10])
    markers = (opening, "</think>")
    closing = marker_ids(lm.tokenizer, "</think>")
    assert len(closing) > 2
    found, looks = exits(
        lm, questions, lambda _item, look: Exit("sure"), "reasoning/segment(3)", **how, markers=markers
    )
    written, at = ids_of(found)[row], looks[found.traces[row].id]
    assert len(at) == 1
    assert written[: at[0] + len(closing)] == ids[: at[0]] + closing
    assert found.replayed == 0
    check(lm, found, markers)


@pytest.mark.parametrize("limit", [11, 12, 13])
def test_the_limit_holds(reference: LanguageModel, limit: int) -> None:
    """The second look is known at token 12, in whose place the marker stands: 13 tokens have room for an answer."""
    questions = asked([p.prompt for p in problems(2, seed=HELD_OUT_SEED)])
    how = SOLVE | {"max_new_tokens": limit}
    plain = write_and_read(reference, questions, READOUTS, **how)
    found, _ = exits(reference, questions, lambda _item, look: Exit("sure") if look == 2 else None, **how)
    for trace, whole in zip(found.traces, plain.traces, strict=True):
        assert ("exited" in trace.extra) == (limit > 12)
        assert len(trace.extra["response_ids"]) <= limit
        assert not trace.response.endswith("</think>")
        assert limit > 12 or trace == whole
    check(reference, found, THINK)


def test_nothing_exits_outside_the_reasoning(reference: LanguageModel, tiny: Callable[..., LanguageModel]) -> None:
    """Asked to at every token of the response and at both markers, a text exits at the first one inside."""
    questions = asked([p.prompt for p in problems(3, seed=HELD_OUT_SEED)], 2)
    seen: Looks = {}

    def always(features: Features) -> Sequence[Exit]:
        for item, n in zip(features.ids, features["logprob"][:, 1], strict=True):
            seen.setdefault(item, []).append(int(n))
        return [Exit("now")] * len(features)

    at = ["reasoning_start", "segment(1)", "reasoning_end"]
    found = write_and_read(reference, questions, READOUTS, reject=always, reject_at=at, **SOLVE)
    assert all(trace.response.startswith("<think></think>") for trace in found.traces)
    check(reference, found, THINK)
    late = SOLVE | {"reject_at": ["reasoning_end", "segment(7)"]}
    plain = write_and_read(reference, questions, READOUTS, **SOLVE)

    def behind(features: Features) -> list[Any]:
        closed = features["hidden/reasoning_end"].any(axis=(1, 2)) & ~features.present("hidden/response_end")
        return [Exit("late") if features["logprob"][k, 1] > 40 else None for k in range(len(closed))]

    found = write_and_read(reference, questions, READOUTS, reject=behind, **late)
    for trace, whole in zip(found.traces, plain.traces, strict=True):
        place = whole.extra["response_ids"].index(1279) if "</think>" in whole.response else 100
        assert ("exited" in trace.extra) == (place > 42), "looks at 42, 49 and so on"
        assert place > 42 or trace == whole
    lm = spaced(tiny("llama").model)
    how: dict[str, Any] = {"max_new_tokens": 12, "temperature": 1.5, "seed": 2, "batch_size": 8, "markers": WORDS}
    bare = asked(["w5", "w20 w21"], 4)
    plain = write_and_read(lm, bare, READOUTS, **how)
    found = write_and_read(lm, bare, READOUTS, reject=always, reject_at=["segment(1)"], **how)
    without = [k for k, trace in enumerate(plain.traces) if "w7" not in trace.response.split()]
    assert without
    for k in without:
        assert found.traces[k] == plain.traces[k]


def test_a_model_whose_steps_differ_is_refused() -> None:
    lm = spaced(small_model(small_config("zamba2")))
    with pytest.raises(InnerjudgeError, match="whose steps read as one pass does"):
        exits(lm, asked(["w4"]), lambda _item, _look: Exit("sure"), max_new_tokens=4)


@pytest.mark.parametrize("marker", ["</think>", "[/THINK]", "Here is my response:", "\u25c1/think\u25b7"])
@pytest.mark.parametrize("name", ["deepseek-r1-distill-qwen", "gpt2", "mistral-7b-v0.1", "qwen3", "smollm2-instruct"])
def test_the_tokens_of_a_marker(shared: Path, name: str, marker: str) -> None:
    """Behind any text they write the marker and nothing else (Mistral puts a space before a text that begins so)."""
    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / name)
    before = tokenizer("7 + 5 = 12.\nSo", add_special_tokens=False)["input_ids"]
    ids = marker_ids(tokenizer, marker)
    assert tokenizer.decode(before + ids) == tokenizer.decode(before) + marker
    assert len(ids) == 1 or name != "qwen3" or marker != "</think>"


def test_a_marker_that_cannot_be_written_is_refused(tiny: Callable[..., LanguageModel]) -> None:
    lm = spaced(tiny("llama").model)
    with pytest.raises(InnerjudgeError, match="given the marker 'x1', expected one that this tokenizer can write"):
        marker_ids(lm.tokenizer, "x1")


def test_who_closes_the_reasoning_at_the_look_has_not_exited(reference: LanguageModel) -> None:
    """The reasoning of the second has one segment of so many tokens; the look at its end is known by its own marker."""
    questions = asked([p.prompt for p in problems(4, seed=HELD_OUT_SEED)])
    plain = write_and_read(reference, questions, READOUTS, **SOLVE)
    closing = marker_ids(reference.tokenizer, "</think>")[0]
    length = ids_of(plain)[1].index(closing) - 1
    found, looks = exits(
        reference, questions, lambda _item, look: Exit("sure"), f"reasoning/segment({length})", **SOLVE
    )
    assert looks[found.traces[1].id]
    assert found.traces[1] == plain.traces[1]
