"""What is remembered of texts that are alike changes none of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.models import positions as module
from innerjudge.models.errors import UnreadableError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Alike, encode_prompt, encode_trace
from innerjudge.models.prompts import Prompt, rating_prompt, verdict_prompt
from innerjudge.models.tokens import LabelTokens
from transformers import AutoTokenizer

NAMES = ("deepseek-r1-distill-qwen", "gpt2", "mistral-7b-v0.1", "qwen2.5-instruct", "qwen3", "smollm2-instruct")
#: Ends that might merge with what follows them, and words that a template or the vocabulary has for itself.
RESPONSES = ("hi", "Score:", "3 4 5", "5", " ", "", "\n\n", "<think>7</think>", "<|im_end|>", "ends in <|im_start|>",
             "[/INST]", "</s>", "¿qué?", "1" * 9, "a\nb", "\n \nb", "it's\n'll", "\r\n", "\u2028x")  # fmt: skip


def _encoded(tokenizer: Any, prompt: Prompt, alike: Alike | None) -> Any:
    """The encoded prompt, or why there is none."""
    try:
        return encode_prompt(tokenizer, "i", "g", prompt, alike=alike)
    except UnreadableError as error:
        return str(error)


@pytest.mark.parametrize("name", NAMES)
def test_texts_encoded_together_are_those_encoded_alone(name: str, shared: Any) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / name)
    alike = Alike(tokenizer)
    for response in RESPONSES:
        asked = [rating_prompt("Say hi.", response), rating_prompt("Say hi.", response, scale=(0, 3))]
        asked += [verdict_prompt("2 + 2?", response)] if name != "mistral-7b-v0.1" else []
        for prompt in asked:
            alone, together = (_encoded(tokenizer, prompt, one) for one in (None, alike))
            assert together == alone
        free = encode_prompt(tokenizer, "i", "g", asked[0], reasoned=True, alike=alike)
        assert free == encode_prompt(tokenizer, "i", "g", asked[0], reasoned=True)
        trace = Trace(question_id="q", candidate_id="0", prompt="Say hi.", response=response)
        assert encode_trace(tokenizer, trace, alike=alike) == encode_trace(tokenizer, trace)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_any_texts(reference: LanguageModel, texts: list[str]) -> None:
    alike = Alike(reference.tokenizer)
    for text in texts:
        prompt = rating_prompt("Say hi.", text)
        found = encode_prompt(reference.tokenizer, "i", "g", prompt, alike=alike)
        assert found == encode_prompt(reference.tokenizer, "i", "g", prompt)


def test_labels_are_looked_for_once(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real = LabelTokens._found
    monkeypatch.setattr(LabelTokens, "_found", lambda self, stem, *a: (calls.append(stem), real(self, stem, *a))[1])
    alike = Alike(reference.tokenizer)
    for response in ("a", "b", "c"):
        encode_prompt(reference.tokenizer, "i", "g", rating_prompt("?", response), alike=alike)
    assert len(calls) == 1
    encode_prompt(reference.tokenizer, "i", "g", rating_prompt("?", "a", scale=(0, 3)), alike=alike)
    assert len(calls) == 2, "other labels"
    encode_prompt(reference.tokenizer, "i", "g", Prompt("?", "Grade:", ("1", "2", "3", "4", "5")), alike=alike)
    assert len(calls) == 3, "another cue"
    encode_prompt(reference.tokenizer, "i", "g", rating_prompt("?", "a"))
    assert len(calls) == 4, "alone"


def test_labels_after_a_line_of_their_own(tinystories: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template without added tokens: GPT-2's expression cuts between the end of a line and a letter."""
    tokenizer = tinystories.tokenizer
    calls: list[str] = []
    real = LabelTokens._found
    monkeypatch.setattr(LabelTokens, "_found", lambda self, stem, *a: (calls.append(stem), real(self, stem, *a))[1])
    alike = Alike(tokenizer)
    for response in RESPONSES:
        prompt = rating_prompt("?", response)
        assert encode_prompt(tokenizer, "i", "g", prompt, alike=alike) == encode_prompt(tokenizer, "i", "g", prompt)
    assert len(calls) == 1 + len(RESPONSES), "once, and once each alone"


def test_a_template_that_changes_with_time(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hour turns between two texts: what stood around the first stands around no other."""
    tokenizer = reference.tokenizer
    monkeypatch.setattr(tokenizer, "chat_template", f"8 o'clock. {tokenizer.chat_template}")
    alike = Alike(tokenizer)
    encode_prompt(tokenizer, "i", "g", rating_prompt("?", "a"), alike=alike)
    monkeypatch.setattr(tokenizer, "chat_template", tokenizer.chat_template.replace("8 o'clock", "It is nine"))
    prompt = rating_prompt("?", "b")
    assert encode_prompt(tokenizer, "i", "g", prompt, alike=alike) == encode_prompt(tokenizer, "i", "g", prompt)
    assert module.render(tokenizer, "?", thinking=False, frames=alike.frames).text.startswith("It is nine")
