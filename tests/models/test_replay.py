"""Spans of sampled ids: linear, monotone, and those of decoded prefixes wherever these are beginnings of the text."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.models.tokens import replayed_spans
from transformers import AutoTokenizer

NAMES = ("qwen3", "mistral-7b-v0.1", "gpt2", "minimind", "smollm2-instruct", "gpt-neox-20b-pythia")


@pytest.fixture(scope="session")
def tokenizers(shared: Path) -> dict[str, Any]:
    return {name: AutoTokenizer.from_pretrained(shared / "tokenizers" / name) for name in NAMES}


def check(tokenizer: Any, ids: list[int]) -> None:
    text, spans = tokenizer.decode(ids), replayed_spans(tokenizer, ids, 7)
    assert len(spans) == len(ids)
    at = 7
    for start, end in spans:
        assert start == at <= end
        at = end
    assert at == 7 + len(text)
    for k, (_, end) in enumerate(spans, 1):
        prefix = tokenizer.decode(ids[:k])
        if text.startswith(prefix) and not prefix.endswith("\ufffd"):
            assert end - 7 == len(prefix), (k, prefix)


@settings(max_examples=30, deadline=None)
@given(text=st.text(max_size=30), cut=st.booleans())
def test_any_text(tokenizers: dict[str, Any], text: str, cut: bool) -> None:
    for tokenizer in tokenizers.values():
        pieces = text if cut else [text]  # sampled ids need not be cut as the tokenizer would
        check(tokenizer, [i for p in pieces for i in tokenizer(p, add_special_tokens=False)["input_ids"]])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), most=st.sampled_from([260, 6400]))
def test_any_ids(tokenizers: dict[str, Any], seed: int, most: int) -> None:
    """The lowest ids are single bytes: broken characters all over."""
    for tokenizer in tokenizers.values():
        check(tokenizer, random.Random(seed).choices(range(most), k=60))


def test_a_character_belongs_to_the_token_that_completes_it(tokenizers: dict[str, Any]) -> None:
    for name in ("gpt2", "mistral-7b-v0.1"):
        ids = tokenizers[name]("\U0001f9ff", add_special_tokens=False)["input_ids"]
        spans = replayed_spans(tokenizers[name], ids, 0)
        assert len(ids) > 2, name
        assert spans[-1] == (0, 1)
        assert set(spans[:-1]) == {(0, 0)}


def test_long_texts_end_where_they_should(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen3"]
    ids = tokenizer("So 2 + 2 is 4, \u4f60\u597d. " * 600, add_special_tokens=False)["input_ids"]
    assert replayed_spans(tokenizer, ids, 0)[-1][1] == len(tokenizer.decode(ids))
