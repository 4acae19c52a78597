"""Conversations go through the chat template: what is fed is what the template writes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import Phase, given, settings, strategies as st
from innerjudge.experiments.data.kinds import hash_item, item_to_row, record_to_item
from innerjudge.experiments.data.records import Record
from innerjudge.experiments.reading.judge_prompt import JudgePrompt
from innerjudge.models.chat import format_of
from innerjudge.models.conversation import Conversation, as_prompt, as_response, plain_text
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Choice, Pair, Rating, Trace
from innerjudge.models.markers import FORMATS
from innerjudge.models.positions import Alike, encode_prompt, encode_trace
from innerjudge.models.prompts import checklist_prompt, choice_prompt, pair_prompt, rating_prompt, verdict_prompt

from .test_chat import tokenizer, turns
from .test_templates import OPENED, SWITCHES, WORDS, beginning, between, every

__all__ = ["every"]
SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "2+2?"}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "add", "arguments": '{"a": 2}'}}]}
RESULT = {"role": "tool", "content": "four"}


def trace(prompt: Any, response: Any) -> Trace:
    return Trace(question_id="q", candidate_id="0", prompt=prompt, response=response)


def fed(tok: Any, prompt: Any, response: Any) -> str:
    encoded = encode_trace(tok, trace(prompt, response))
    assert "*" not in encoded.missing, encoded.missing
    return str(tok.decode(list(encoded.ids)))


def own(tok: Any, said: list[dict[str, Any]], thinking: bool) -> str | None:
    """What the template writes, strings or parts, whichever it shows; ``None`` if it refuses or loses a turn."""
    texts = [turn["content"] for turn in said]
    for parts in (False, True):
        given = [{**t, "content": [{"type": "text", "text": t["content"]}]} for t in said] if parts else said
        try:
            whole = str(tok.apply_chat_template(given, tokenize=False, **dict.fromkeys(SWITCHES, thinking)))
        except Exception:
            continue
        if all(text in whole for text in texts):
            return whole
    return None


def bare(text: str) -> str:
    return "".join(text.split())


TALKS = st.tuples(st.booleans(), st.lists(WORDS, min_size=1, max_size=5).filter(lambda some: len(some) % 2 == 1), WORDS)


@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(talk=TALKS, reasoned=st.booleans())
def test_a_conversation_is_what_the_template_writes(every: dict[str, Any], talk: Any, reasoned: bool) -> None:
    """With and without a system turn, of several turns, the answer with its reasoning apart or without any.

    White space aside, as in the tests of single turns; a template that refuses the conversation leaves it unscored.
    """
    system, texts, answer = talk
    said: list[dict[str, Any]] = [SYSTEM] if system else []
    said += [{"role": ("user", "assistant")[k % 2], "content": f"{text} {k}"} for k, text in enumerate(texts)]
    reasoning = "Because of two."
    fields = dict.fromkeys(("reasoning_content", "thinking", "reasoning"), reasoning) if reasoned else {}
    read = 0
    for name, tok in every.items():
        if name in ("another generation prompt", "switch named thinking") and reasoned:
            continue
        response = {"role": "assistant", "content": answer, "reasoning_content": reasoning} if reasoned else answer
        whole = own(tok, [*said, {"role": "assistant", "content": answer, **fields}], reasoned)
        encoded = encode_trace(tok, trace(said, response))
        if "*" in encoded.missing:
            assert "chat template" in encoded.missing["*"], name
            assert len(said) > 1, name
            assert own(tok, [{**t, "content": f"turn-{k}"} for k, t in enumerate(said)], reasoned) is None, name
            continue
        if whole is None:
            continue
        read += 1
        ours = str(tok.decode(list(encoded.ids)))
        if reasoned and bare(reasoning) not in bare(whole):
            assert ours.count("<think>") == ours.count("</think>"), name
            ours = (
                bare(ours)
                .replace(f"<think>{bare(reasoning)}</think>", "")
                .replace(f"<|START_THINKING|>{bare(reasoning)}<|END_THINKING|>", "")
            )
        elif name.removesuffix("_training") in OPENED and not reasoned:
            ours = "".join(ours.rpartition("<think>")[::2]).replace("\n\n</think>\n\n", "")
        assert bare(beginning(tok, whole)).startswith(bare(ours)), name
        assert ours.endswith(answer) or bare(ours).endswith(bare(answer)), name
    assert read >= 10


#: A template that opens the block, names both markers, and is given reasoning inside the content or not at all.
OPENS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content if m.role != 'assistant' else m.content.split('CLOSE')[-1] }}\n"
    "{% endfor %}{% if add_generation_prompt %}[assistant]OPEN\n{% endif %}"
)
#: A system text that asks for the two, as Magistral's and Granite's templates have it.
ASKS = "Write OPEN your thoughts CLOSE and then the answer.\n" + turns()


@pytest.mark.parametrize("template", [OPENS, ASKS], ids=["opened by the template", "asked for"])
@pytest.mark.parametrize("name", FORMATS)
def test_reasoning_formats_are_found_by_themselves(name: str, template: str) -> None:
    """The user writes markers of this format and of another; neither is the model's."""
    opening, closing = FORMATS[name]
    tok = tokenizer(template.replace("OPEN", opening).replace("CLOSE", closing))
    assert format_of(tok) == (opening, closing)
    asked = [SYSTEM, {"role": "user", "content": f"What do {opening} a {closing} and <think> b </think> mean?"}]
    apart = encode_trace(tok, trace(asked, {"content": "4", "reasoning_content": "why"}))
    assert between(tok, apart).strip() == f"why{closing}" or between(tok, apart).split() == ["why", *closing.split()]
    as_text = encode_trace(tok, trace(asked, f"{opening}why{closing}4"))
    assert between(tok, as_text) == f"why{closing}"
    empty = encode_trace(tok, trace(asked, f"{opening}{closing}4"))
    assert between(tok, empty) == closing
    plain = encode_trace(tok, trace(asked, "4"))
    assert not {"reasoning_start", "reasoning_end"} & set(plain.positions) or template is OPENS
    assert tok.decode(list(plain.ids)).endswith("4")


def test_a_pair_of_markers_of_ones_own() -> None:
    tok, pair = tokenizer(turns()), ("Reasoning starts", "Reasoning ends")
    said = {"content": "4", "reasoning": "why"}
    encoded = encode_trace(tok, trace("What is Reasoning starts?", said), markers=pair)
    assert between(tok, encoded) == "whyReasoning ends"
    assert tok.decode(list(encoded.ids)).endswith("[assistant]Reasoning startswhyReasoning ends4")


def test_tool_calls_are_shown_or_refused(every: dict[str, Any]) -> None:
    talk = trace([USER], [CALL, RESULT, {"role": "assistant", "content": "4"}])
    shown = str(every["qwen2.5-instruct"].decode(list(encode_trace(every["qwen2.5-instruct"], talk).ids)))
    call = '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call>'
    assert call in shown
    assert shown.endswith("<|im_start|>assistant\n4")
    last = encode_trace(every["qwen2.5-instruct"], trace([USER], [CALL]))
    assert every["qwen2.5-instruct"].decode(list(last.ids)).endswith(call)
    reason = "the chat template leaves out a tool call of this conversation"
    assert encode_trace(every["smollm2-instruct"], talk).missing == {"*": reason}
    reason = "the chat template does not show the tool calls of the response"
    assert encode_trace(every["smollm2-instruct"], trace([USER], [CALL])).missing == {"*": reason}


def test_a_template_without_a_system_turn_refuses_it_unless_it_is_merged() -> None:
    drops = tokenizer(
        "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}"
    )
    refuses = tokenizer(
        "{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}" + turns()
    )
    talk = Conversation.of([SYSTEM, USER])
    for tok in (drops, refuses):
        for encoded in (
            encode_trace(tok, trace(talk, "4")),
            encode_prompt(tok, "i", "g", choice_prompt(talk, ["3", "4"])),
        ):
            assert "merge_system=True" in encoded.missing["*"]
        assert "Be brief.\n\n2+2?" in fed(tok, talk.merged(), "4")
    assert (
        encode_trace(tokenizer(None), trace(talk, "4")).missing["*"].startswith("a conversation needs a chat template")
    )


def test_the_turns_before_a_question_with_options_stay_turns() -> None:
    tok = tokenizer(turns())
    prompt = choice_prompt(Conversation.of([SYSTEM, {"role": "user", "content": "Which?"}]), ["3", "4"], abstain=False)
    encoded = encode_prompt(tok, "i", "g", prompt)
    text = tok.decode(list(encoded.ids))
    assert text.startswith("[system]Be brief.\n[user]Question: Which?\nOptions:\nA. 3\n")
    assert [tok.decode(list(encoded.ids[: end + 1])).splitlines()[-1] for end in encoded.positions["option_end"]] == [
        "A. 3",
        "B. 4",
    ]


def test_the_judge_sees_a_conversation_inside_its_own_turn() -> None:
    shown = rating_prompt(as_prompt([SYSTEM, USER]), as_response({"content": "4", "reasoning_content": "two"})).user
    assert shown.startswith("System:\nBe brief.\n\nUser:\n2+2?\n\nResponse:\n<think>two</think>4\n\nRate the response")
    assert plain_text(as_response([CALL])) == '{"name": "add", "arguments": {"a": 2}}'


def test_one_plain_message_is_its_text() -> None:
    assert as_prompt([USER]) == "2+2?"
    assert as_response([{"role": "assistant", "content": "4"}]) == as_response({"content": "4"}) == "4"
    told = Trace(question_id="q", candidate_id="0", prompt="2+2?", response="4")
    assert hash_item(trace([USER], [{"role": "assistant", "content": "4"}])) == hash_item(told)
    assert hash_item(told) == "9ec76fb0ecdb2e42"


@pytest.mark.parametrize(
    "item",
    [
        trace([SYSTEM, USER], {"content": "4", "reasoning": "two"}),
        Rating(item_id="r", prompt=[SYSTEM, USER], response=[CALL, RESULT, {"role": "assistant", "content": "4"}]),
        Choice(question_id="c", question=[SYSTEM, USER], options=("3", "4")),
        Pair(pair_id="p", prompt=[SYSTEM, USER], response_a="4", response_b={"content": "5", "thinking": "t"}),
    ],
)
def test_items_with_conversations_are_written_and_read(item: Any) -> None:
    row = item_to_row(item)
    kind = type(item).__name__.lower()
    again = record_to_item(Record.of(row, "line 1"), kind)
    assert again == item
    assert hash_item(again) == hash_item(item)
    assert hash_item(again) != hash_item(
        record_to_item(Record.of({**row, "prompt": "other", "question": "x"}, "l"), kind)
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "expected at least one"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "a part of type 'image_url'"),
        ([{"role": "wizard", "content": "a"}], "the role 'wizard'"),
        ([{"role": "user", "content": "a", "audio": "b"}], "the field 'audio'"),
        ([{"role": "user"}], "no content"),
        ([USER, {"role": "assistant", "content": "4"}], "end with the assistant's"),
        (["2+2?"], "message 1: given a str"),
        (7, "given a int"),
        ([{**CALL, "tool_calls": [{"id": 1}]}, USER], "a tool call without a function's name"),
        ([{**CALL, "tool_calls": [{"function": {"name": "f", "arguments": {"a": {1}}}}]}], "JSON cannot hold"),
    ],
)
def test_what_is_no_conversation_is_refused(given: Any, said: str) -> None:
    with pytest.raises(InnerjudgeError, match=said):
        trace(given, "4")
    if given and given != 7:
        with pytest.raises(InnerjudgeError, match="line 1: field 'prompt'"):
            record_to_item(Record.of({"item_id": "r", "prompt": given, "response": "4"}, "line 1"), "rating")


def test_a_prompt_that_is_rendered_already_is_refused(every: dict[str, Any]) -> None:
    for name in ("qwen2.5-instruct", "deepseek-r1-distill-qwen", "mistral-7b-v0.1", "reference"):
        tok = every[name]
        text = tok.apply_chat_template([USER], tokenize=False, add_generation_prompt=True)
        assert "rendered by the chat template already" in encode_trace(tok, trace(text, "4")).missing["*"], name
        closed = tok.apply_chat_template([USER], tokenize=False)
        if name in ("qwen2.5-instruct", "reference"):  # the others add the end of the prompt to every user's turn
            assert encode_trace(tok, trace(closed, "4")).missing, name


def test_so_is_one_that_begins_with_a_system_turn(every: dict[str, Any]) -> None:
    for name in ("qwen2.5-instruct", "deepseek-r1-distill-qwen", "smollm2-instruct", "qwen3", "reference"):
        tok = every[name]
        turns = [{"role": "system", "content": "Be brief."}, USER]
        text = tok.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert "rendered by the chat template already" in encode_trace(tok, trace(text, "4")).missing["*"], name
    for text in ("<b>1</b> and <|user|> are tags", "<|system|> is a tag", "Why does <|im_end|>", "<|end|>"):
        assert "*" not in encode_trace(every["reference"], trace(text, "4")).missing, "tags in a text are text"


def test_every_kind_of_item_refuses_such_a_prompt(every: dict[str, Any]) -> None:
    for name in ("qwen2.5-instruct", "deepseek-r1-distill-qwen", "smollm2-instruct", "qwen3", "reference"):
        tok = every[name]
        text = tok.apply_chat_template([USER], tokenize=False, add_generation_prompt=True)
        for prompt, refused in ((text, True), ("Quote: " + text, False)):
            asked = [
                rating_prompt(prompt, "4"),
                rating_prompt(prompt, "4", reasoned=True),
                verdict_prompt(prompt, "4"),
                pair_prompt(prompt, "4", "5"),
                choice_prompt(prompt, ("4", "5")),
                checklist_prompt(prompt),
                JudgePrompt.of("prometheus").ask(Rating(item_id="r", prompt=prompt, response="4")),
            ]
            for one in asked:
                missing = encode_prompt(tok, "r", "r", one).missing
                assert ("rendered by the chat template already" in missing.get("*", "")) is refused, (name, one)
        said = encode_prompt(tok, "r", "r", rating_prompt("2+2?", text))
        assert "*" not in said.missing, "a response with such text in it is judged"


def test_looking_for_rendered_prompts_changes_nothing_else(every: dict[str, Any]) -> None:
    """It keeps no frame for others, who may have other markers; a template that fails on a turn alone stops nothing."""
    markers = ("<r>", "</r>")
    tagged, plain = trace("<b>hi</b> there", "yes"), trace("Hi.", "<r>think</r>yes")
    for name, tok in every.items():
        alike = Alike(tok)
        encode_trace(tok, tagged, markers=markers, alike=alike)
        after = encode_trace(tok, plain, markers=markers, alike=alike)
        assert after == encode_trace(tok, plain, markers=markers), name
    needy = copy.deepcopy(tok)
    needy.chat_template = (
        "{% if messages[0]['role'] != 'system' %}{{ raise_exception('system first') }}{% endif %}"
        "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    asked = [{"role": "system", "content": "s"}, {"role": "user", "content": "<b>hi</b>"}]
    assert "*" not in encode_trace(needy, trace(asked, "yes")).missing
