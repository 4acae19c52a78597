"""Roles as token ranges: by hand on single characters, and with real tokenizers."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.positions import Encoding, encode_own_text, encode_trace
from innerjudge.models.roles import Role, Tokens, ranges_within
from transformers import AutoTokenizer

NAMES = ("deepseek-r1-distill-qwen", "gpt2", "mistral-7b-v0.1", "qwen2.5-instruct", "qwen3", "smollm2-instruct")


def pieces(role: str, text: str, first: int = 0) -> list[str]:
    """What a role picks of a text whose tokens are its characters."""
    tokens = Tokens(text, [(k, k + 1) for k in range(len(text))])
    return [text[a:b] for a, b in ranges_within(Role.parse(role), tokens, (first, len(text)))]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("One.\n\nTwo.", ["One.\n\n", "Two."]),
        ("One.\r\n\r\nTwo.\r\n\r\n", ["One.\r\n\r\n", "Two.\r\n\r\n"]),
        ("One.\n \t\n\nTwo.", ["One.\n \t\n\n", "Two."]),
        ("One long step.\nIts second line.", ["One long step.\nIts second line."]),
        ("\n\nOne.\n\n   ", ["\n\nOne.\n\n   "]),
        ("A\n\n```py\nx = 1\n\ny = 2\n```\n\nB", ["A\n\n", "```py\nx = 1\n\ny = 2\n```\n\n", "B"]),
        ("A\r\n\r\n```\r\n\r\n```\r\n\r\nB", ["A\r\n\r\n", "```\r\n\r\n```\r\n\r\n", "B"]),
        ("A\n\n````\n```\n\n```\n\n````\n\nB", ["A\n\n", "````\n```\n\n```\n\n````\n\n", "B"]),
        ("A\n\n~~~\nopen\n\nto the end", ["A\n\n", "~~~\nopen\n\nto the end"]),
        ("\n\n \n", []),
    ],
)
def test_steps(text: str, steps: list[str]) -> None:
    assert pieces("step", text) == steps
    assert pieces("step_end", text) == [step[-1] for step in steps]


def test_other_delimiters() -> None:
    assert pieces("step(line)", "a\nb\n\nc") == ["a\n", "b\n\n", "c"]
    assert pieces("step(sentence)", 'He said "No." Then 3.5 km.\n1. Go! End') == [
        'He said "No." ',
        "Then 3.5 km.\n",
        "1. Go! ",
        "End",
    ]


def test_before_a_step_is_the_token_before_its_delimiter() -> None:
    assert pieces("before_step", "ab\n\ncd\n\ne") == ["b", "d", "e"]
    text = "a.\n\nb"  # as tokens: a|.\n\n|b, where the second straddles the delimiter's begin
    tokens = Tokens(text, [(0, 1), (1, 4), (4, 5)])
    assert ranges_within(Role.parse("before_step"), tokens, (0, 3)) == ((0, 1), (2, 3))
    assert ranges_within(Role.parse("step"), tokens, (0, 3)) == ((0, 2), (2, 3))


def test_a_token_over_a_delimiter_belongs_to_the_step_before() -> None:
    tokens = Tokens("a\n\nbc", [(0, 1), (1, 4), (4, 5)])  # a|\n\nb|c
    assert ranges_within(Role.parse("step"), tokens, (0, 3)) == ((0, 2), (2, 3))


def test_segments_ends_and_cues() -> None:
    assert pieces("segment(3)", "abcdefg") == ["abc", "def", "g"]
    assert pieces("nth_last(2)", "abc") == ["b"]
    assert pieces("nth_last(4)", "abc") == []
    assert pieces("segment(2)", "pppabc", first=3) == ["ab", "c"]
    assert pieces("token", "pppabc", first=3) == ["a", "b", "c"]
    assert Role.parse("prompt/token@-1") == replace(Role.parse("prompt/segment(1)"), shift=-1)
    assert Role.parse("token").many
    text = "Wait, awaiting. hmm wait"  # awaiting is another word
    tokens = Tokens(text, [(k, k + 1) for k in range(len(text))])
    ends = [b for _, b in ranges_within(Role.parse("cue(wait, hmm)"), tokens, (0, len(text)))]
    assert ends == [match.end() for match in re.finditer(r"Wait\b|\bwait\b|hmm", text)]


def test_chunks_begin_where_a_new_path_does() -> None:
    text = "Add.\n\nIt is 4.\n\nWait, no.\n\nIt is 5.\n\nLet me verify: 5.\n\nawaiting\n\n"
    add, wait, verify = (text.index(word) for word in ("Add", "Wait", "Let me"))
    assert pieces("chunk", text) == [text[add:wait], text[wait:verify], text[verify:]]
    assert pieces("chunk(no)", text) == [text[add:wait], text[wait:]]
    assert pieces("chunk(five;line)", "one\nfive\n\n```\nfive\n```\ntwo") == [
        "one\n",
        "five\n\n",
        "```\nfive\n```\ntwo",
    ]
    assert pieces("chunk", "wait") == ["wait"]
    assert pieces("chunk", " \n\n") == []


def test_named_spans_are_the_tokens_that_they_touch() -> None:
    tokens = Tokens("ab cd ef", [(0, 2), (2, 5), (5, 8)], [("x", (6, 7)), ("x", (3, 4)), ("y", (1, 3)), ("z", (0, 8))])
    assert ranges_within(Role.parse("named(x)"), tokens, (0, 3)) == ((1, 2), (2, 3))
    assert ranges_within(Role.parse("named(y)"), tokens, (0, 3)) == ((0, 2),)
    assert ranges_within(Role.parse("named(z)"), tokens, (1, 2)) == ((1, 2),)
    assert ranges_within(Role.parse("named(w)"), tokens, (0, 3)) == ()
    assert len(ranges_within(Role.parse("named"), tokens, (0, 3))) == 4


@given(st.text(alphabet="ab.\n `", max_size=60), st.sampled_from(["step", "step(line)", "step(sentence)"]))
def test_steps_follow_one_another_and_cover_the_text(text: str, role: str) -> None:
    steps = pieces(role, text)
    assert "".join(steps) == (text if text.strip() else "")
    assert all(step.strip() for step in steps)


@pytest.mark.parametrize(
    "role",
    [
        "step(word)",
        "chunk(a;word)",
        "chunk(a,)",
        "chunk(;line)",
        "named( )",
        "segment",
        "segment(0)",
        "nth_last(x)",
        "cue",
        "cue(a,)",
        "score(2)",
        "token(2)",
        "a b",
        "prompt/response",
    ],
)
def test_what_is_no_role_is_refused(role: str) -> None:
    with pytest.raises(InnerjudgeError, match="given the role"):
        Role.parse(role)


def test_long_runs_take_linear_time() -> None:
    for text in (" " * 200_000, "\n" + " " * 200_000, "!" + "'" * 200_000, "`" * 200_000, "\n```" * 20_000):
        for role in ("step", "step(line)", "step(sentence)", "cue(wait)"):
            pieces(role, text)


@pytest.fixture(scope="module", params=NAMES)
def tokenizer(shared: Path, request: pytest.FixtureRequest) -> Any:
    return AutoTokenizer.from_pretrained(shared / "tokenizers" / request.param)


def encoded(
    tokenizer: Any, response: str, *roles: str, prompt: str = "Sum?\n\nOnly\n\nthat.", **extra: Any
) -> Encoding:
    trace = Trace(question_id="q", candidate_id="0", prompt=prompt, response=response, extra=extra)
    return encode_trace(tokenizer, trace, roles=roles, sampled_by=extra.get("sampled_by"))


def read(tokenizer: Any, item: Encoding, role: str) -> list[str]:
    return [tokenizer.decode(item.ids[a:b]).strip() for a, b in item.places(role)]


def test_steps_of_real_tokens(tokenizer: Any) -> None:
    item = encoded(tokenizer, "So 2 + 2.\n\nIt is\n4.\n\nDone 🧑‍🚀.\n\n", "step", "step_end", "before_step", "response")
    steps = item.places("step")
    [(start, end)] = item.places("response")
    assert read(tokenizer, item, "step") == ["So 2 + 2.", "It is\n4.", "Done 🧑‍🚀."]
    assert (steps[0][0], steps[-1][1]) == (start, end) == (item.positions["prompt_end"][0] + 1, len(item.ids))
    assert all(a[1] == b[0] for a, b in pairwise(steps))
    assert [b for _, b in item.places("step_end")] == [b for _, b in steps]
    assert all(start <= a < end for a, _ in item.places("before_step"))


def test_carriage_returns_and_code_in_real_tokens(tokenizer: Any) -> None:
    item = encoded(tokenizer, "One.\r\n\r\nTwo.\n\n```\na\n\nb\n```", "step")
    assert [text.replace("\r", "") for text in read(tokenizer, item, "step")] == ["One.", "Two.", "```\na\n\nb\n```"]


def test_one_long_step_and_none(tokenizer: Any) -> None:
    item = encoded(tokenizer, "All in one step.", "step", "step_end", "reasoning/step", "nth_last(99)", "cue(wait)")
    assert item.places("step") == item.places("response")
    assert item.places("step_end") == item.places("response_end")
    for role in ("reasoning/step", "nth_last(99)", "cue(wait)"):
        assert item.places(role) == ()
        assert role in item.missing
    nothing = encoded(tokenizer, "", "step", "response")
    assert nothing.places("step") == ()
    assert nothing.missing["step"] == "the response is empty"


def test_reasoning_lies_between_its_markers(tokenizer: Any) -> None:
    item = encoded(tokenizer, "<think>First.\n\nWait, second.</think>So 4.", "reasoning", "reasoning/step", "cue(wait)")
    [(start, end)] = item.places("reasoning")
    assert item.positions["reasoning_start"][0] + 1 == start
    assert end <= item.positions["reasoning_end"][0]
    assert "think" not in read(tokenizer, item, "reasoning")[0]
    # A token such as ".</" belongs where its first character lies.
    steps = [text.removesuffix("</") for text in read(tokenizer, item, "reasoning/step")]
    assert steps == ["First.", "Wait, second."]
    [(at, _)] = item.places("cue(wait)")
    assert tokenizer.decode([item.ids[at]]).strip().lower().endswith("wait")


def test_shift_is_the_token_before(tokenizer: Any) -> None:
    item = encoded(tokenizer, "A b.\n\nC d.", "step", "step@-1", "response@-1", "response_end@-1", "prompt@-1")
    assert item.places("step@-1") == tuple((a - 1, b - 1) for a, b in item.places("step"))
    assert item.places("response@-1")[0][0] == item.positions["prompt_end"][0]
    assert item.places("response_end@-1")[0][0] == len(item.ids) - 2
    assert item.places("prompt@-1") == ()


def test_special_tokens_lie_in_the_last_step(shared: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / "qwen3")
    ids = tokenizer("One.\n\nTwo 🧑‍🚀.", add_special_tokens=False)["input_ids"]
    stored = [*ids, tokenizer.convert_tokens_to_ids("<|im_end|>")]
    item = encoded(tokenizer, "", "step", response_ids=stored, sampled_by="x")
    assert read(tokenizer, item, "step") == ["One.", "Two 🧑‍🚀.<|im_end|>"]
    assert item.places("step")[-1][1] == len(item.ids)


def test_a_special_token_within_a_step_ends_nothing(tokenizer: Any) -> None:
    special = tokenizer.eos_token_id
    if special is None:
        pytest.skip("the tokenizer has no special token")
    before, after = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("So 2", " + 2.\n\nDone."))
    stored = [*before, special, *after]
    item = encoded(tokenizer, "", "step", "token", "before_step", response_ids=stored, sampled_by="x")
    [(first, last)] = item.places("response")
    assert item.ids[first:last] == tuple(stored)
    one, two = item.places("step")
    at = first + len(before)
    assert item.ids[at] == special
    assert (one[0], one[1], two[1]) == (first, two[0], last)
    assert one[0] < at < one[1] - 1, "it lies within the step"
    assert read(tokenizer, item, "step")[1] == "Done."
    assert item.places("token") == tuple((k, k + 1) for k in range(first, last))


def test_a_range_may_end_within_a_character_of_several_tokens(tokenizer: Any) -> None:
    response, sign = "Done 🧑‍🚀 now.", "🧑‍🚀"
    start = response.index(sign)
    spans = {"sign": [[start, start + 3]], "person": [[0, start + 1]], "rocket": [[start + 2, start + 3]]}
    item = encoded(tokenizer, response, "named(sign)", "named(person)", "named(rocket)", "segment(1)", spans=spans)
    [(first, last)], [(begin, cut)], [(rest, end)] = (item.places(f"named({name})") for name in spans)
    assert last - first >= 4, "of all of these tokenizers"
    assert begin == item.places("response")[0][0]
    assert first < cut < last == end
    assert cut <= rest < last
    assert read(tokenizer, item, "named(sign)") == [sign]
    assert tokenizer.decode(item.ids[begin:cut]).strip() == "Done 🧑"
    assert tokenizer.decode(item.ids[rest:end]).strip() == "🚀"
    inside = [(a, b) for a, b in item.places("segment(1)") if first <= a < last]
    assert inside == [(k, k + 1) for k in range(first, last)]
    assert any("\ufffd" in tokenizer.decode([item.ids[k]]) for k in range(first, last)), (
        "a token is part of a character"
    )


def test_spans_of_an_item_in_real_tokens(tokenizer: Any) -> None:
    response = "Paris 🧑‍🚀 lies in France."
    spans = {"place": [[0, 5], [18, 24]], "sign": [[6, 9]]}
    assert [response[a:b] for a, b in (*spans["place"], *spans["sign"])] == ["Paris", "France", "🧑‍🚀"]
    item = encoded(tokenizer, response, "named(place)", "named(sign)", "named", "text", spans=spans)
    assert read(tokenizer, item, "named(place)") == ["Paris", "France"]
    assert read(tokenizer, item, "named(sign)") == ["🧑‍🚀"]
    assert len(item.places("named")) == 3
    assert item.places("text") == ((0, len(item.ids)),)
    assert encoded(tokenizer, response, "named").missing["named"] == "no named in the response"


@pytest.mark.parametrize("spans", [[[0, 99]], [[3, 3]], "x", [[1]], {"a": [["0", 2]]}, 7])
def test_spans_that_are_none_are_the_reason_of_their_item(tokenizer: Any, spans: Any) -> None:
    found = encoded(tokenizer, "four", "named", "named(a)", "step", spans=spans)
    for role in ("named", "named(a)"):
        assert found.missing[role].startswith(f"its spans {spans!r} are not [start, end] characters")
    assert not found.places("named")
    assert found.places("step")


@pytest.mark.parametrize("said", ["<think>\nA step.\n\nOne 🧑‍🚀 more.</think> Answer: B", "Answer: B. So it is\n\n"])
def test_what_the_judge_wrote_has_roles_of_its_own(tokenizer: Any, said: str) -> None:
    prompt = tokenizer("Think.\n\nNow answer. Answer: ?\n", add_special_tokens=False)["input_ids"]
    places = {"prompt_end": (len(prompt) - 1,), "option_end": (1,)}
    asked = Encoding(id="a", group="g", ids=tuple(prompt), positions=places)
    own = tokenizer(said, add_special_tokens=False)["input_ids"]
    roles = [f"own_text({role})" for role in ("response", "step", "response_end", "score", "reasoning/step_end")]
    whole = tokenizer.decode(own)
    found = encode_own_text(tokenizer, asked, own, verdict=whole.rindex("B"), roles=[*roles, "prompt"])
    assert found.places("prompt") == ((0, len(prompt)),)
    assert found.ids == (*prompt, *own)
    assert (found.group, found.positions["option_end"]) == ("g", (1,))
    assert found.places(roles[0]) == ((len(prompt), len(found.ids)),)
    assert found.places(roles[1])[0][0] == len(prompt), "no step begins in the prompt"
    assert found.places(roles[1])[-1][1] == len(found.ids)
    assert found.positions[roles[2]] == (len(found.ids) - 1,)
    ((at, end),) = found.places(roles[3])
    assert (end, found.positions[roles[3]]) == (at + 1, (at,))
    assert tokenizer.decode(found.ids[len(prompt) : end]).rstrip().endswith("Answer:")
    assert tokenizer.decode(found.ids[end:]).lstrip().startswith("B")
    if "<think>" in said:
        assert len(found.places(roles[4])) == 2
    else:
        assert roles[4] in found.missing


def test_own_text_without_a_verdict_or_any_text(tokenizer: Any) -> None:
    asked = Encoding(id="a", group="g", ids=(1, 2), positions={"prompt_end": (1,)})
    roles = ["own_text(score)", "own_text(response_end)"]
    found = encode_own_text(tokenizer, asked, [], verdict="no verdict", roles=roles)
    assert [found.missing[role] for role in roles] == ["no verdict", "the response is empty"]
    cued = encode_own_text(tokenizer, asked, [], verdict="no verdict", roles=roles[:1], cue="Answer:")
    assert cued.positions["own_text(score)"] == (len(cued.ids) - 1,)
    assert tokenizer.decode(cued.ids[2:]).strip() == "Answer:"
    for wrong in ("own_text(step_end)@-1", "response/own_text(step)", "own_text(cue())", "own_text(own_text(step))"):
        with pytest.raises(InnerjudgeError, match="given the role"):
            Role.parse(wrong)
    assert Role.parse("own_text(step)").many
    assert not Role.parse("own_text(response)").many
