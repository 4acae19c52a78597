"""Reasoning markers and ends of traces, with the real tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.models.chat import render
from innerjudge.models.items import Trace
from innerjudge.models.positions import Encoding, encode_trace
from transformers import AutoTokenizer

#: Tokenizers by what their markers and templates do.
ADDED = ("qwen3", "minimind", "deepseek-r1-distill-qwen")
SPLIT = ("qwen2.5-instruct", "smollm2-instruct", "mistral-7b-v0.1", "gpt2", "gpt-neox-20b-pythia")
USER = "<\uff5cUser\uff5c>"  # DeepSeek's mark, with its full-width bars
RESPONSE = "<think>One and one.\nThat is 2.</think>The answer is 2."


@pytest.fixture(scope="session")
def tokenizers(shared: Path) -> dict[str, Any]:
    return {name: AutoTokenizer.from_pretrained(shared / "tokenizers" / name) for name in (*ADDED, *SPLIT)}


@pytest.fixture(params=[*ADDED, *SPLIT])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def trace(response: str, prompt: str = "What is 1 + 1?", **extra: Any) -> Trace:
    return Trace(question_id="q", candidate_id="0", prompt=prompt, response=response, extra=extra)


def upto(tokenizer: Any, encoded: Encoding, role: str) -> str:
    """Text up to and including the token of a role."""
    return str(tokenizer.decode(list(encoded.ids[: encoded.positions[role][0] + 1])))


def test_positions_of_a_whole_trace(name: str, tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[name]
    encoded = encode_trace(tokenizer, trace(RESPONSE))
    assert encoded.missing == {}
    assert (encoded.id, encoded.group) == ("q/0", "q")
    assert upto(tokenizer, encoded, "response_end").endswith("The answer is 2.")
    assert encoded.positions["response_end"] == (len(encoded.ids) - 1,)
    if name in ADDED:
        for role, marker in (("reasoning_start", "<think>"), ("reasoning_end", "</think>")):
            assert encoded.ids[encoded.positions[role][0]] == tokenizer.convert_tokens_to_ids(marker)
    else:  # the last token of a marker may hold text after it
        assert "<think" in upto(tokenizer, encoded, "reasoning_start")[-12:]
        assert "</think>" in upto(tokenizer, encoded, "reasoning_end")[-12:]
        earlier = encoded.ids[: encoded.positions["reasoning_end"][0]]
        assert "</think>" not in tokenizer.decode(list(earlier))
    prompt = upto(tokenizer, encoded, "prompt_end")
    assert "1 + 1" in prompt
    assert "One" not in prompt
    order = [encoded.positions[r][0] for r in ("prompt_end", "reasoning_start", "reasoning_end", "response_end")]
    assert order == sorted(order)


def test_a_block_that_the_template_opened(tokenizers: dict[str, Any]) -> None:
    """DeepSeek's template ends in an open <think>: the response holds only the closing marker, or repeats it."""
    tokenizer = tokenizers["deepseek-r1-distill-qwen"]
    assert render(tokenizer, "Hi", thinking=True).text.endswith("<think>\n")
    opened, closed = (tokenizer.convert_tokens_to_ids(m) for m in ("<think>", "</think>"))
    for response in ("One and one.</think>2", RESPONSE):
        encoded = encode_trace(tokenizer, trace(response))
        assert list(encoded.ids).count(opened) == 1
        assert encoded.ids[encoded.positions["reasoning_start"][0]] == opened
        assert encoded.ids[encoded.positions["reasoning_end"][0]] == closed
    inside = encode_trace(tokenizer, trace("One and one.</think>2"))
    assert inside.positions["reasoning_start"][0] <= inside.positions["prompt_end"][0]


def test_an_empty_block_of_the_template_is_not_the_reasoning(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["minimind"]
    assert render(tokenizer, "Hi", thinking=True).text.endswith("<think>\n\n</think>\n\n")
    plain = encode_trace(tokenizer, trace("It is 2."))
    assert set(plain.missing) == {"reasoning_start", "reasoning_end"}
    full = encode_trace(tokenizer, trace(RESPONSE))
    assert full.positions["reasoning_start"][0] > full.positions["prompt_end"][0]


def test_thinking_off_closes_every_block(tokenizers: dict[str, Any]) -> None:
    for name in ADDED:
        text = render(tokenizers[name], "Hi", thinking=False).text
        assert text.count("<think>") == text.count("</think>") == 1, name
        assert text.rstrip().endswith("</think>")
    for name in SPLIT:
        assert "think" not in render(tokenizers[name], "Hi", thinking=False).text


def test_markers_in_the_question_are_not_the_reasoning(name: str, tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[name]
    question = "What does <think>this</think> or <think> mean?"
    encoded = encode_trace(tokenizer, trace(RESPONSE, question))
    assert encoded.positions["reasoning_end"][0] > encoded.positions["reasoning_start"][0]
    assert encoded.positions["reasoning_start"][0] > encoded.positions["prompt_end"][0]
    without = encode_trace(tokenizer, trace("It is a marker.", question))
    assert set(without.missing) == {"reasoning_start", "reasoning_end"}


def test_the_first_closing_marker_after_the_opening_counts(name: str, tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[name]
    encoded = encode_trace(tokenizer, trace("</think>Well. <think>One</think>2</think><think>Two</think>3"))
    text = upto(tokenizer, encoded, "reasoning_end")
    if name == "deepseek-r1-distill-qwen":  # its prompt opened the block, and the response closes it at once
        assert text.endswith("<think>\n</think>")
        return
    assert "One</think>" in text
    assert "Two" not in text


@pytest.mark.parametrize(
    ("response", "missing"),
    [
        ("It is 2.", {"reasoning_start": "no <think> in the response", "reasoning_end": "no </think> in the response"}),
        ("<think>It is", {"reasoning_end": "no </think> in the response"}),
        (
            "",
            {
                "reasoning_start": "no <think> in the response",
                "reasoning_end": "no </think> in the response",
                "response_end": "the response is empty",
            },
        ),
    ],
)
def test_what_a_trace_lacks_has_a_reason(response: str, missing: dict[str, str], tokenizers: dict[str, Any]) -> None:
    for name in ("qwen3", "gpt2", "mistral-7b-v0.1", "smollm2-instruct"):
        encoded = encode_trace(tokenizers[name], trace(response))
        assert encoded.missing == missing, name
        assert encoded.positions.keys().isdisjoint(missing)


def test_reasoning_that_is_only_closed_starts_at_the_prompt(name: str, tokenizers: dict[str, Any]) -> None:
    """R1 style: written for a template that opened the block, read through one that did not."""
    encoded = encode_trace(tokenizers[name], trace("One and one.</think>2"))
    assert encoded.missing == {}
    assert "One and one.</think>" in upto(tokenizers[name], encoded, "reasoning_end")
    if name != "deepseek-r1-distill-qwen":
        assert encoded.positions["reasoning_start"] == encoded.positions["prompt_end"]


@pytest.mark.parametrize("name", ["deepseek-r1-distill-qwen", "qwen3"])
def test_an_answer_without_markers_is_not_reasoning(name: str, tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[name]
    plain = encode_trace(tokenizer, trace("It is 2."))
    assert set(plain.missing) == {"reasoning_start", "reasoning_end"}
    assert upto(tokenizer, plain, "prompt_end").rstrip().endswith("</think>")
    bare = encode_trace(tokenizer, trace(""))  # what answers are sampled from
    assert "</think>" not in tokenizer.decode(list(bare.ids))
    stored = tokenizer("It is", add_special_tokens=False)["input_ids"]
    cut = encode_trace(tokenizer, trace("It is", response_ids=stored, sampled_by="me"), sampled_by="me")
    assert cut.ids == (*bare.ids, *stored)  # replayed after the very prompt that it was sampled from


@settings(max_examples=25, deadline=None)
@given(prompt=st.text("think<>/a ntuser:", max_size=8), response=st.text("ab. é🙂", min_size=1, max_size=12))
def test_any_short_question_keeps_its_place(tokenizers: dict[str, Any], prompt: str, response: str) -> None:
    """A question that also occurs inside the template ('n', 'user', 'think') must not be taken for it."""
    deepseek = tokenizers["deepseek-r1-distill-qwen"]
    rendered = render(deepseek, prompt, thinking=True)
    if rendered.user_start >= 0:
        assert rendered.text[rendered.user_start : rendered.user_end] == prompt
        assert rendered.text[: rendered.user_start].endswith(USER)
    encoded = encode_trace(deepseek, trace(f"{response}</think>2", prompt))
    assert encoded.missing == {}
    assert encoded.ids[encoded.positions["reasoning_start"][0]] == deepseek.convert_tokens_to_ids("<think>")
    assert upto(deepseek, encoded, "prompt_end").endswith("<think>\n")


def test_stored_ids_are_replayed_only_for_their_own_model(name: str, tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[name]
    # Sampled text need not be cut as the tokenizer would: one token a character here.
    pieces = ["<think>", "1", "+", "1", "=", "2", "</think>", "t", "h", "e", " ", "2"]
    stored = [i for piece in pieces for i in tokenizer(piece, add_special_tokens=False)["input_ids"]]
    item = trace("<think>1+1=2</think>the 2", response_ids=stored, sampled_by="me")
    encoded = encode_trace(tokenizer, item, sampled_by="me")
    first = encoded.positions["prompt_end"][0] + 1
    assert list(encoded.ids[first:]) == stored
    assert encoded.positions["response_end"] == (len(encoded.ids) - 1,)
    opening = len(tokenizer("<think>", add_special_tokens=False)["input_ids"])
    closing = len(tokenizer("</think>", add_special_tokens=False)["input_ids"])
    before = len([i for p in pieces[:6] for i in tokenizer(p, add_special_tokens=False)["input_ids"]])
    assert encoded.positions["reasoning_start"] == (first + opening - 1,)
    assert encoded.positions["reasoning_end"] == (first + before + closing - 1,)
    plain = encode_trace(tokenizer, trace(item.response))
    for other in ("another", None):
        assert encode_trace(tokenizer, item, sampled_by=other) == plain


def test_replay_goes_by_the_ids_and_not_by_the_text(tokenizers: dict[str, Any]) -> None:
    """The template's own open marker stays where the sampled ids go on from it, whatever the text says."""
    tokenizer = tokenizers["deepseek-r1-distill-qwen"]
    stored = tokenizer("One.</think>2", add_special_tokens=False)["input_ids"]
    item = trace("<think>\nOne.</think>2", response_ids=stored, sampled_by="me")
    encoded = encode_trace(tokenizer, item, sampled_by="me")
    opened = tokenizer.convert_tokens_to_ids("<think>")
    assert list(encoded.ids).count(opened) == 1
    assert encoded.missing == {}
