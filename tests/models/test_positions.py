"""Token positions with the real tokenizers: each is checked against the text that its tokens cover."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.models.chat import render
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.positions import Encoding, encode_prompt, encode_trace
from innerjudge.models.prompts import Prompt, choice_prompt, pair_prompt, rating_prompt, verdict_prompt
from transformers import AutoTokenizer

NAMES = (
    "deepseek-r1-distill-qwen",
    "gpt-neox-20b-pythia",
    "gpt2",
    "minimind",
    "mistral-7b-v0.1",
    "qwen2.5-instruct",
    "qwen3",
    "smollm2-instruct",
)
PROMPTS = {
    "rating": rating_prompt("Say hi.", "hi", criterion="It is kind.", reference="hello"),
    "verdict": verdict_prompt("2 + 2?", "4"),
    "choice": choice_prompt("Which is a fruit?", ["an iron bar.", "pear (x)", "the sea", "¿qué?"]),
    "pair": pair_prompt("Say hi.", "hi", "no"),
}
#: Label pieces that end each prompt, space included where it is part of the token.
SPACE_INSIDE = {"rating": ("gpt-neox-20b-pythia", "gpt2", "minimind")}


@pytest.fixture(scope="session")
def tokenizers(shared: Path) -> dict[str, Any]:
    return {name: AutoTokenizer.from_pretrained(shared / "tokenizers" / name) for name in NAMES}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tokenizer(name: str, tokenizers: dict[str, Any]) -> Any:
    return tokenizers[name]


def text_of(tokenizer: Any, ids: Any) -> str:
    return str(tokenizer.decode(list(ids)))


def test_the_tokenizers_are_the_expected_ones(name: str, tokenizer: Any, shared: Path) -> None:
    expected = json.loads((shared / "tokenizers" / "expected.json").read_text())[name]
    for text, coded in expected["encode"].items():
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == coded["ids"], text
    user = "Rate it. Options:\n(A) good\n(B) bad"
    rendered = render(tokenizer, user, thinking=True)
    assert rendered.text == (expected["chat"] or f"{user}\n")
    assert rendered.text[rendered.user_start : rendered.user_end] == user


def askable(name: str, kind: str) -> bool:
    """MiniMind's 6,400 entries hold no ' yes'."""
    return (name, kind) != ("minimind", "verdict")


@pytest.mark.parametrize("kind", PROMPTS)
def test_labels_are_the_single_tokens_that_spell_them(name: str, tokenizer: Any, kind: str) -> None:
    prompt = PROMPTS[kind]
    if not askable(name, kind):
        with pytest.raises(InnerjudgeError, match=r"'yes' is \['Ġy', 'es'\]"):
            encode_prompt(tokenizer, "i", "g", prompt)
        return
    encoded = encode_prompt(tokenizer, "i", "g", prompt)
    assert encoded.missing == {}
    assert encoded.positions["score"] == (len(encoded.ids) - 1,)
    assert len(encoded.label_ids) == len(set(encoded.label_ids)) == len(prompt.labels)
    stem = text_of(tokenizer, encoded.ids)
    assert stem.rstrip().endswith(prompt.cue)
    for label, token in zip(prompt.labels, encoded.label_ids, strict=True):
        # The continuation that is scored is a text which the tokenizer itself cuts in just this way.
        whole = text_of(tokenizer, (*encoded.ids, token))
        assert whole.endswith(f"{prompt.cue} {label}"), (name, whole[-20:])
        again = tokenizer(whole, add_special_tokens=False)["input_ids"]
        # Mistral's decoder adds a space after its beginning token: compared from the next token on.
        assert again[2:] == [*encoded.ids, token][2:]
        assert len(again) == len(encoded.ids) + 1


def test_score_of_a_digit_with_or_without_its_space(tokenizers: dict[str, Any]) -> None:
    """Facts of `expected.json`: GPT-2's ' 5' is one token, Qwen's is a space and a digit."""
    for name, tokenizer in tokenizers.items():
        encoded = encode_prompt(tokenizer, "i", "g", PROMPTS["rating"])
        pieces = tokenizer.convert_ids_to_tokens(list(encoded.label_ids))
        one_token = name in SPACE_INSIDE["rating"]
        assert pieces == [("Ġ" if one_token else "") + digit for digit in "12345"], name
        last = tokenizer.convert_ids_to_tokens(encoded.ids[-1])
        assert last == (":" if one_token else "▁" if name.startswith("mistral") else "Ġ"), name


def test_options_end_where_their_lines_end(name: str, tokenizer: Any) -> None:
    prompt = PROMPTS["choice"]
    encoded = encode_prompt(tokenizer, "i", "g", prompt)
    lines = [prompt.user[a:b] for a, b in prompt.option_spans]
    assert len(encoded.positions["option_end"]) == len(lines) == 6
    starts = [0, *(end + 1 for end in encoded.positions["option_end"][:-1])]
    for line, start, end in zip(lines, starts, encoded.positions["option_end"], strict=True):
        covered = text_of(tokenizer, encoded.ids[start : end + 1])
        assert covered.endswith(line), (name, covered, line)
    merged = tokenizer.convert_ids_to_tokens(encoded.ids[encoded.positions["option_end"][0]])
    newline = {"qwen": ".Ċ", "deep": ".Ċ", "mist": "<0x0A>"}.get(name[:4], "Ċ")
    assert merged == newline


@pytest.mark.parametrize("kind", PROMPTS)
def test_the_beginning_token_comes_once(name: str, tokenizer: Any, kind: str) -> None:
    begin = tokenizer.bos_token_id
    if not askable(name, kind):
        pytest.skip("refused: see the labels")
    encoded = encode_prompt(tokenizer, "i", "g", PROMPTS[kind])
    trace = encode_trace(tokenizer, Trace(question_id="q", candidate_id="0", prompt="Hi?", response="Yes."))
    for ids in (encoded.ids, trace.ids):
        if name in ("deepseek-r1-distill-qwen", "mistral-7b-v0.1"):
            assert ids[0] == begin
            assert list(ids).count(begin) == 1
        elif tokenizer.chat_template is None:
            assert begin not in ids
    if tokenizer.chat_template:
        turn = [{"role": "user", "content": "Hi?"}]
        empty = encode_trace(tokenizer, Trace(question_id="q", candidate_id="0", prompt="Hi?", response=""))
        for coded, thinking in ((empty, True), (trace, False)):
            official = tokenizer.apply_chat_template(turn, add_generation_prompt=True, enable_thinking=thinking)
            shared = list(official["input_ids"])
            if name.startswith("deepseek") and not thinking:  # its template has no switch: the block is closed
                shared[-1:] = tokenizer("\n\n</think>\n\n", add_special_tokens=False)["input_ids"]
            assert list(coded.ids[: coded.positions["prompt_end"][0] + 1]) == shared


@pytest.mark.parametrize("labels", [tuple(str(s) for s in range(1, 11)), ("good", "antidisestablishment")])
def test_a_label_that_splits_is_named(name: str, tokenizer: Any, labels: tuple[str, ...]) -> None:
    """10 is one token in GPT-2, GPT-NeoX and minimind; the long word is one in none."""
    prompt = Prompt("Rate it.", "Score:", labels)
    if labels[-1] == "10" and name in SPACE_INSIDE["rating"]:
        found = encode_prompt(tokenizer, "i", "g", prompt).label_ids
        assert text_of(tokenizer, [found[-1]]).strip() == "10"
        return
    with pytest.raises(InnerjudgeError) as caught:
        encode_prompt(tokenizer, "i", "g", prompt)
    assert f"'{labels[-1]}' is [" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_label_that_is_another(tokenizers: dict[str, Any]) -> None:
    with pytest.raises(InnerjudgeError, match="two of them are the same token"):
        encode_prompt(tokenizers["gpt2"], "i", "g", Prompt("Rate it.", "Score:", ("1", "1")))


def test_reasoned_prompt_ends_where_the_assistant_writes(name: str, tokenizer: Any) -> None:
    encoded = encode_prompt(tokenizer, "i", "g", rating_prompt("Say hi.", "hi", reasoned=True), reasoned=True)
    assert encoded.positions == {"prompt_end": (len(encoded.ids) - 1,)}
    assert encoded.label_ids == ()
    if name.startswith("deepseek"):
        assert text_of(tokenizer, encoded.ids).endswith("<think>\n")


@settings(max_examples=20, deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12),
        min_size=2,
        max_size=5,
        unique_by=lambda text: unicodedata.normalize("NFC", " ".join(text.split())),
    )
)
def test_any_options_end_on_distinct_tokens(tokenizers: dict[str, Any], texts: list[str]) -> None:
    prompt = choice_prompt("Which?", texts)
    for name in ("qwen3", "gpt2", "smollm2-instruct"):
        encoded: Encoding = encode_prompt(tokenizers[name], "i", "g", prompt)
        ends = encoded.positions["option_end"]
        assert list(ends) == sorted(set(ends))
        assert len(ends) == len(texts) + 2
        for end in ends:
            assert "\n" in text_of(tokenizers[name], [encoded.ids[end]]), name
