"""Chat templates that do unusual things."""

from __future__ import annotations

import pytest
from innerjudge.models.chat import render
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.positions import encode_prompt, encode_trace
from innerjudge.models.prompts import choice_prompt
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast


def tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    """Every byte is a token."""
    inner = Tokenizer(BPE({byte: i for i, byte in enumerate(sorted(ByteLevel.alphabet()))}, []))
    inner.pre_tokenizer, inner.decoder = ByteLevel(add_prefix_space=False), ByteDecoder()
    return PreTrainedTokenizerFast(tokenizer_object=inner, chat_template=template)


def turns(content: str = "m['content']", end: str = "\n") -> str:
    return (
        f"{{% for m in messages %}}[{{{{ m['role'] }}}}]{{{{ {content} }}}}{end}{{% endfor %}}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )


def test_without_a_template_the_plain_text() -> None:
    rendered = render(tokenizer(None), "Hi?", thinking=True)
    assert (rendered.text, rendered.user_start, rendered.user_end, rendered.glue) == ("Hi?\n", 0, 3, "")


@pytest.mark.parametrize("user", ["Hi?", "user", "assistant", "]", "", " spaced ", "<think>", "[assistant]"])
def test_the_user_turn_is_found_in_its_own_place(user: str) -> None:
    rendered = render(tokenizer(turns()), user, thinking=True)
    assert rendered.text == f"[user]{user}\n[assistant]"
    assert (rendered.user_start, rendered.user_end) == (6, 6 + len(user))


def test_white_space_that_the_template_puts_before_the_answer() -> None:
    assert render(tokenizer(turns()), "Hi?", thinking=True).glue == ""
    spaced = turns("(' ' if m['role'] == 'assistant' else '') + m['content']")
    assert render(tokenizer(spaced), "Hi?", thinking=True).glue == " "
    worded = turns("('Answer: ' if m['role'] == 'assistant' else '') + m['content']")
    assert render(tokenizer(worded), "Hi?", thinking=True).glue == "Answer: "  # a header is part of the turn


def test_a_template_that_changes_the_user_turn() -> None:
    """Its own stand-in comes back changed as well, and no position is invented."""
    rendered = render(tokenizer(turns("m['content'] | upper")), "hi", thinking=True)
    assert rendered.user_start == -1
    assert rendered.user_end == len(rendered.text)


def test_options_that_the_template_changed_are_missing_with_a_reason() -> None:
    changed = tokenizer(turns("m['content'] | replace('pear', 'PEAR')"))
    prompt = choice_prompt("Which?", ["iron", "pear"], abstain=False)
    encoded = encode_prompt(changed, "i", "g", prompt)
    assert [changed.decode(token) for token in encoded.label_ids] == ["A", "B"]
    assert encoded.missing == {"option_end": "the chat template changed the text of the options"}


def test_trimmed_user_text_keeps_the_end_of_the_turn() -> None:
    trims = tokenizer(turns("m['content'] | trim"))
    rendered = render(trims, " Hi?\n", thinking=True)
    assert rendered.user_start == -1
    assert rendered.text[: rendered.user_end] == "[user]Hi?"


def test_an_open_reasoning_block_is_closed_when_not_wanted() -> None:
    opens = tokenizer(turns() + "{% if add_generation_prompt %}<think>\n{% endif %}")
    assert render(opens, "Hi?", thinking=True).text.endswith("[assistant]<think>\n")
    assert render(opens, "Hi?", thinking=False).text.endswith("[assistant]<think>\n\n</think>\n\n")
    switch = tokenizer(turns() + "{% if enable_thinking %}<think>{% endif %}")
    assert "think" not in render(switch, "Hi?", thinking=False).text


def test_other_markers() -> None:
    opens = tokenizer(turns() + "{% if add_generation_prompt %}<reason>{% endif %}")
    markers = ("<reason>", "</reason>")
    assert render(opens, "Hi?", thinking=False, markers=markers).text.endswith("<reason>\n\n</reason>\n\n")
    trace = Trace(question_id="q", candidate_id="0", prompt="Hi?", response="why</reason>2")
    assert encode_trace(opens, trace).missing.keys() == {"reasoning_start", "reasoning_end"}
    encoded = encode_trace(opens, trace, markers=markers)
    assert encoded.missing == {}
    start, end = (encoded.positions[role][0] for role in ("reasoning_start", "reasoning_end"))
    assert opens.decode(list(encoded.ids[start + 1 : end + 1])) == "why</reason>"


@pytest.mark.parametrize("template", ["{{ raise_exception('no\nsystem turn') }}", "{% for %}", "{{ messages[7].x.y }}"])
def test_a_template_that_fails_is_one_line(template: str) -> None:
    with pytest.raises(InnerjudgeError, match="given a chat template that fails") as caught:
        render(tokenizer(template), "Hi?", thinking=True)
    assert "\n" not in str(caught.value)
