"""Tokens that end a marker are noticed while a text is written, and are those that the finished text names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from innerjudge.extraction.writing.progress import MarkerWatch
from innerjudge.models.items import Trace
from innerjudge.models.positions import encode_trace
from transformers import AutoTokenizer

THINK = ("<think>", "</think>")
PIECES = (
    "<think>",
    "</think>",
    "<",
    "think",
    ">",
    "</",
    "x",
    " a>b",
    "\n",
    "7 + 5",
    "é",
    "🙂",
    "<think",
    " ",
    "think>",
)
NAMES = ("deepseek-r1-distill-qwen", "gpt2", "mistral-7b-v0.1", "qwen3", "smollm2-instruct", "minimind")


@pytest.fixture(scope="module", params=NAMES)
def tokenizer(request: pytest.FixtureRequest, shared: Path) -> Any:
    return AutoTokenizer.from_pretrained(shared / "tokenizers" / request.param)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12))
def test_every_token_that_a_replay_names_was_noticed(tokenizer: Any, pieces: list[str]) -> None:
    """Pieces are coded one by one, so that markers come whole, split and joined with their neighbours."""
    ids = [i for piece in pieces for i in tokenizer(piece, add_special_tokens=False)["input_ids"]]
    trace = Trace(question_id="q", candidate_id="", prompt="1+1?", response="")
    start = len(encode_trace(tokenizer, trace, markers=THINK).ids)
    watch = MarkerWatch(tokenizer, THINK)
    noticed = {start + k for k in range(len(ids)) if watch.ends_marker(ids[: k + 1])}
    said = {"response_ids": ids, "sampled_by": "me"}
    whole = encode_trace(
        tokenizer, Trace(question_id="q", candidate_id="", prompt="1+1?", response="x", extra=said), sampled_by="me"
    )
    for role in ("reasoning_start", "reasoning_end"):
        at = whole.positions.get(role, (0,))[0]
        assert at < start or at in noticed
    assert len(noticed) <= 3


def test_a_marker_in_other_letters_is_looked_for_at_every_token(tokenizer: Any) -> None:
    markers = ("◁think▷", "◁/think▷")
    ids = tokenizer("x◁think▷ so ◁/think▷ y", add_special_tokens=False)["input_ids"]
    watch = MarkerWatch(tokenizer, markers)
    ends = [tokenizer.decode(ids[: k + 1]).strip() for k in range(len(ids)) if watch.ends_marker(ids[: k + 1])]
    assert [end[-len(marker) :] for end, marker in zip(ends, markers, strict=True)] == list(markers)
