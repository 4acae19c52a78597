"""An item's own steps: what is refused, where they stand, and that roles take them; with real tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from innerjudge.models.conversation import Conversation, Message
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.positions import Encoding, encode_trace
from innerjudge.models.roles import Role, Tokens, ranges_within
from transformers import AutoTokenizer

NAMES = ("deepseek-r1-distill-qwen", "gpt2", "mistral-7b-v0.1", "qwen2.5-instruct", "qwen3", "smollm2-instruct")


def trace(response: Any, **fields: Any) -> Trace:
    return Trace(question_id="q", candidate_id="0", prompt="How many?", response=response, **fields)


def test_texts_stand_where_they_are_and_white_space_may_part_them() -> None:
    one = trace("  First.\n\nThen.\n", steps=["First.", "Then."])
    assert one.step_spans == ((2, 8), (10, 15))
    assert one.steps == one.step_texts == ("First.", "Then.")
    assert trace("ab\n\nc", steps=["ab\n\n", "c"]).step_spans == ((0, 4), (4, 5))
    assert trace("a a a", steps=["a", "a", "a"]).step_spans == ((0, 1), (2, 3), (4, 5))
    assert trace("a").step_spans == ()


def test_spans_leave_out_what_is_no_step() -> None:
    one = trace("<think>1+1=2;2*3=6</think>6", steps=[[7, 13], [13, 18]])
    assert one.step_texts == ("1+1=2;", "2*3=6")
    assert one.step_spans == one.steps == ((7, 13), (13, 18))


@pytest.mark.parametrize(
    ("given", "labels", "first"),
    [
        ({"first_error": 1}, (True, False, None), 1),
        ({"first_error": -1}, (True, True, True), -1),
        ({"step_labels": [1, 0, 1]}, (True, False, True), 1),
        ({"step_labels": [True, True, True]}, (True, True, True), -1),
        ({"step_labels": [True, None, False]}, (True, None, False), None),  # the second may be wrong as well
        ({"step_labels": [True, None, None]}, (True, None, None), None),
        ({"step_labels": [None, None, False], "first_error": 2}, (None, None, False), 2),
        ({}, None, None),
    ],
)
def test_labels_and_first_error_follow_from_one_another(given: Any, labels: Any, first: Any) -> None:
    one = trace("a b c", steps=["a", "b", "c"], **given)
    assert (one.step_labels, one.first_error) == (labels, first)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"step_labels": [True]}, "field 'steps': given None"),
        ({"first_error": -1}, "field 'steps'"),
        ({"steps": []}, "field 'steps'"),
        ({"steps": "a"}, "field 'steps'"),
        ({"steps": ["a", "c"]}, "step 1 in the response"),
        ({"steps": ["a"]}, "the end of the response, ' b'"),
        ({"steps": ["a", " ", "b"]}, "step 1 in the response"),
        ({"steps": [[0, 1], [0, 3]]}, "step 1 in the response"),
        ({"steps": [[0, 9]]}, "step 0 in the response"),
        ({"steps": [[1, 2]]}, "with some text in it"),
        ({"steps": [[0, "x"]]}, "step 0 in the response"),
        ({"steps": [3]}, "step 0 in the response"),
        ({"steps": ["a", "b"], "step_labels": [True]}, "field 'step_labels'"),
        ({"steps": ["a", "b"], "step_labels": [True, "no"]}, "field 'step_labels'"),
        ({"steps": ["a", "b"], "step_labels": [True, [0]]}, "field 'step_labels'"),
        ({"steps": ["a", "b"], "first_error": 2}, "from 0 to 1, or -1"),
        ({"steps": ["a", "b"], "first_error": True}, "field 'first_error'"),
        ({"steps": ["a", "b"], "first_error": -1, "step_labels": [True, False]}, "field 'first_error'"),
        ({"steps": ["a", "b"], "first_error": 1, "step_labels": [False, False]}, "field 'first_error'"),
        ({"steps": ["a", "b"], "first_error": 0, "step_labels": [True, None]}, "field 'first_error'"),
    ],
)
def test_what_does_not_fit_is_refused(fields: Any, said: str) -> None:
    with pytest.raises(InnerjudgeError, match="expected") as caught:
        trace("a b", **fields)
    assert said in str(caught.value)


def test_the_bare_question_has_no_steps() -> None:
    bare = trace("a b", steps=["a", "b"], first_error=0, correct=False).bare(candidate_id="1")
    assert (bare.response, bare.steps, bare.step_labels, bare.first_error, bare.correct) == ("", None, None, None, None)
    assert bare.candidate_id == "1"


def pieces(role: str, text: str, steps: list[tuple[int, int]], spans: list[tuple[int, int]] | None = None) -> list[str]:
    tokens = Tokens(text, spans or [(k, k + 1) for k in range(len(text))], steps=steps)
    found = ranges_within(Role.parse(role), tokens, (0, len(tokens.spans)))
    return [text[tokens.spans[a][0] : tokens.spans[b - 1][1]] for a, b in found]


def test_roles_take_them_in_the_place_of_delimiters() -> None:
    text, own = "ab\n\ncd. ef\n", [(0, 2), (4, 7), (8, 10)]
    assert pieces("step", text, own) == ["ab\n\n", "cd. ", "ef\n"]
    assert pieces("step_end", text, own) == ["\n", " ", "\n"]
    assert pieces("before_step", text, own) == ["b", ".", "f"]
    assert pieces("prompt/step", text, own) == ["ab\n\n", "cd. ef\n"]
    assert pieces("before_step", "\n\na", [(2, 3)]) == ["a"]
    # What stands behind the last step and is no white space is none of it.
    assert pieces("step", "<1;2>3", [(1, 3), (3, 4)]) == ["1;", "2"]


def test_a_token_belongs_to_the_step_of_its_first_character_that_is_no_white_space() -> None:
    # ab|\n\n|cd.| ef : the third step's token begins with the white space before it.
    assert pieces("step", "ab\n\ncd. ef", [(0, 2), (4, 7), (8, 10)], [(0, 2), (2, 4), (4, 7), (7, 10)]) == [
        "ab\n\n",
        "cd.",
        " ef",
    ]
    # a|.b|c : the second token straddles two steps, and ends the first.
    assert pieces("step", "a.bc", [(0, 2), (2, 4)], [(0, 1), (1, 3), (3, 4)]) == ["a.b", "c"]
    # A step without a token of its own: the item has none of its steps.
    assert pieces("step", "ab", [(0, 1), (1, 2)], [(0, 2)]) == []


@given(st.lists(st.text(alphabet="ab. \n", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=6))
def test_steps_whose_texts_make_up_the_response_cover_it(texts: list[str]) -> None:
    text = "".join(texts)
    spans = trace(text, steps=texts).step_spans
    found = pieces("step", text, list(spans))
    assert len(found) == len(texts)
    assert "".join(found).strip() == text.strip()
    assert [one.strip() for one in found] == [one.strip() for one in texts]


@pytest.mark.parametrize("name", NAMES)
def test_real_tokenizers(shared: Path, name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / name)
    steps = ("First, 12 + 7 = 19.", "Then \N{FACE WITH TEARS OF JOY} 19 * 2 = 38.", "So 38.")
    roles = ("step", "step_end", "before_step", "reasoning/step_end", "step_end@-1")
    item = encode_trace(tokenizer, trace("\n\n".join(steps), steps=steps), roles=roles)
    said = [tokenizer.decode(item.ids[a:b]).strip() for a, b in item.ranges["step"]]
    assert said == list(steps)
    assert item.ranges["step_end"] == tuple((b - 1, b) for _, b in item.ranges["step"])
    assert item.ranges["reasoning/step_end"] == item.ranges["step_end"]  # they are the answer's, wherever they stand
    assert len(item.ranges["before_step"]) == 3
    assert item.ranges["step_end@-1"] == tuple((a - 1, b - 1) for a, b in item.ranges["step_end"])


def test_a_template_that_writes_reasoning_in_its_own_format(shared: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / "qwen3")
    said = Conversation((Message("assistant", "So 6.", reasoning="1+1=2;2*3=6"),))
    one = trace(said, steps=[[7, 13], [13, 18], [26, 31]])
    assert one.step_texts == ("1+1=2;", "2*3=6", "So 6.")
    item: Encoding = encode_trace(tokenizer, one, roles=("step",))
    texts = [tokenizer.decode(item.ids[a:b]) for a, b in item.ranges["step"]]
    assert [text.strip() for text in texts] == ["1+1=2;", "2*3=6", "So 6."]


def test_replayed_ids_have_the_same_steps(shared: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / "smollm2-instruct")
    text = "One.\n\nTwo."
    ids = [token for part in ("One", ".", "\n\n", "Two", ".") for token in tokenizer(part).input_ids]
    one = trace(text, steps=["One.", "Two."], extra={"response_ids": ids, "sampled_by": "m"})
    item = encode_trace(tokenizer, one, sampled_by="m", roles=("step",))
    begin = len(item.ids) - len(ids)
    assert item.ranges["step"] == ((begin, begin + 3), (begin + 3, begin + 5))


def test_a_step_without_a_token_is_a_reason(shared: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / "gpt2")
    item = encode_trace(tokenizer, trace("and", steps=[[0, 1], [1, 3]]), roles=("step_end",))
    assert item.missing["step_end"] == "a step of the item has no token of its own"
