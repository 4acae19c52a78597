"""What is fed to a model is what its own chat template writes for the conversation."""

from __future__ import annotations

import threading
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, given, settings, strategies as st
from innerjudge.experiments.reading.ways import Question, encode_question
from innerjudge.models.chat import THINK, render
from innerjudge.models.conversation import Conversation
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.positions import Alike, Encoding, encode_prompt, encode_trace
from innerjudge.models.prompts import rating_prompt
from innerjudge.models.template import check_tokenizer
from innerjudge.models.tokens import tokens
from innerjudge.models.unfit import bound_texts
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from .test_chat import tokenizer, turns

#: How small templates of each family put a user turn and an answer.
FAMILIES = {
    "harmony": "{% for m in messages %}{% if m.role == 'user' %}<|start|>user<|message|>{{ m.content }}<|end|>"
    "{% else %}{% if m.thinking %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif %}"
    "<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|return|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}",
    "switch named thinking": "{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% elif thinking and m.reasoning_content %}<A>"
    "<think>{{ m.reasoning_content }}</think>{{ m.content }}<E>{% else %}<A></think>{{ m.content }}<E>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<A>{% if thinking %}<think>{% else %}</think>{% endif %}{% endif %}",
    "no generation prompt": "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}",
    "another generation prompt": "{% for m in messages %}[{{ m.role }}: {{ m.content }}]{% endfor %}"
    "{% if add_generation_prompt %}[reply as the assistant] {% endif %}",
    "llama 2": "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} "
    "{{ m.content }} </s>{% endif %}{% endfor %}",
    "gemma": "{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}"
    "<end>\n{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}",
    "parts": "{% for m in messages %}<|{{ m.role }}|>{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    "empty block": "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% else %}<A>\n<think>\n"
    "{{ m.reasoning_content }}\n</think>\n\n{{ m.content }}<E>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<A>\n<think>\n{% endif %}",
}
#: Templates that open a block in the generation prompt, and do not write it in the turn of an answer without reasoning.
#: There the block is closed, as nothing tells the model otherwise that it is not reasoning.
OPENED = ("deepseek_r1_distill", "deepseekv3", "deepseek-r1-distill-qwen")
SWITCHES = ("enable_thinking", "thinking")
WORDS = st.text("abc é7?.🙂", min_size=1, max_size=10).map(str.strip).filter(bool)


def _trl() -> dict[str, str]:
    spec = find_spec("trl")
    folder = Path(spec.origin).parent / "chat_templates" if spec and spec.origin else None
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.jinja"))} if folder else {}


@pytest.fixture(scope="module")
def every(shared: Path, reference: Any) -> dict[str, Any]:
    """Tokenizers with a template: small ones, those of TRL where it is installed, real ones, the built-in one."""
    small = {name: tokenizer(text) for name, text in {**FAMILIES, **_trl()}.items()}
    for tok in small.values():
        tok.bos_token, tok.eos_token = "<s>", "</s>"
    folders = [*(shared / "tokenizers").iterdir(), shared / "models" / "tinystories-chat-3M"]
    real = {f.name: AutoTokenizer.from_pretrained(f) for f in folders if (f / "tokenizer_config.json").is_file()}
    return small | {n: t for n, t in real.items() if t.chat_template} | {"reference": reference.tokenizer}


def own(tok: Any, user: str, answer: str, reasoning: str | None = None) -> str:
    """The conversation as the template writes it, in its own words for reasoning."""
    fields = dict.fromkeys(("reasoning_content", "thinking", "reasoning"), reasoning) if reasoning else {}
    said: list[dict[str, Any]] = [{"role": "user", "content": user}, {"role": "assistant", "content": answer, **fields}]
    if any(name in str(tok.chat_template) for name in (".text", "['text']", "content'][0]", "part.text")):
        parts = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in said]
        strings = "is string" in str(tok.chat_template)
        said = said if strings else parts
    return str(tok.apply_chat_template(said, tokenize=False, **dict.fromkeys(SWITCHES, reasoning is not None)))


def trace(response: str, prompt: str = "2+2?", **extra: Any) -> Trace:
    return Trace(question_id="q", candidate_id="0", prompt=prompt, response=response, extra=extra)


def fed(tok: Any, response: str, prompt: str = "2+2?") -> str:
    return str(tok.decode(list(encode_trace(tok, trace(response, prompt)).ids)))


def beginning(tok: Any, text: str) -> str:
    """A text after a way through the tokenizer, which may add a space (sentencepiece)."""
    return str(tok.decode(tokens(tok, text)[0]))


@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(user=WORDS, answer=WORDS)
def test_an_answer_stands_where_the_template_puts_it(every: dict[str, Any], user: str, answer: str) -> None:
    for name, tok in every.items():
        whole, ours = beginning(tok, own(tok, user, answer)), fed(tok, answer, user)
        if name.removesuffix("_training") in OPENED:
            assert "<think>" in ours
            ours = "".join(ours.rpartition("<think>")[::2]).replace("\n\n</think>\n\n", "")
        assert whole.startswith(ours), name
        assert ours.endswith(answer), name
        cue = tok.decode(list(encode_prompt(tok, "i", "g", rating_prompt(user, answer, scale=(1, 2))).ids))
        whole = beginning(tok, own(tok, rating_prompt(user, answer, scale=(1, 2)).user, "Score: 1"))
        if name.removesuffix("_training") not in OPENED:
            assert whole.startswith(cue.rstrip()), name


@settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(user=WORDS, answer=WORDS)
def test_reasoning_stands_where_the_template_puts_it(every: dict[str, Any], user: str, answer: str) -> None:
    """White space around the markers is as the response has it: that is how it was sampled.

    Exceptions: templates that leave reasoning out of a turn, where it follows what the answer would follow; and one
    whose generation prompt is not how a turn begins, where it follows the prompt that it was sampled from.
    """
    reasoning = "Because of two."
    for name, tok in every.items():
        if name == "another generation prompt":
            continue
        whole = "".join(beginning(tok, own(tok, user, answer, reasoning)).split())
        ours = "".join(fed(tok, f"<think>\n{reasoning}\n</think>\n\n{answer}", user).split())
        if "".join(reasoning.split()) not in whole:
            assert ours.count("<think>") == ours.count("</think>"), name
            ours = ours.replace("<think>Becauseoftwo.</think>", "")
        assert whole.startswith(ours), name


def between(tok: Any, encoded: Encoding) -> str:
    start, end = (encoded.positions[f"reasoning_{which}"][0] for which in ("start", "end"))
    return str(tok.decode(list(encoded.ids[start + 1 : end + 1])))


def test_reasoning_in_a_channel_of_its_own() -> None:
    tok = tokenizer(FAMILIES["harmony"])
    encoded = encode_trace(tok, trace("<think>\ntwo and two\n</think>\n\n4"))
    assert between(tok, encoded) == "two and two<|end|><|start|>assistant<|channel|>final<|message|>"
    raw = "<|channel|>analysis<|message|>two<|end|><|start|>assistant<|channel|>final<|message|>4"
    assert fed(tok, raw).endswith("<|end|><|start|>assistant" + raw)
    stored = tok(raw, add_special_tokens=False)["input_ids"]
    replayed = encode_trace(tok, trace("4", response_ids=stored, sampled_by="me"), sampled_by="me")
    assert between(tok, replayed).startswith("two<|end|>")
    assert tok.decode(list(encode_trace(tok, trace("")).ids)).endswith("<|end|><|start|>assistant")


@pytest.mark.parametrize("response", ["why</think>4", "<think>why</think>4"])
def test_a_block_that_a_switch_or_the_template_closed_is_open_for_reasoning(response: str) -> None:
    assert fed(tokenizer(FAMILIES["switch named thinking"]), response).endswith("2+2?<A><think>why</think>4")
    closed = tokenizer(turns() + "{% if add_generation_prompt %}<think>\n\n</think>\n\n{% endif %}")
    assert fed(closed, response).endswith("[assistant]<think>why</think>4")
    assert fed(closed, "4").endswith("<think>\n\n</think>\n\n4")


def test_a_response_that_mentions_the_markers() -> None:
    opens = tokenizer(turns() + "{% if add_generation_prompt %}<think>\n{% endif %}")
    for response in (
        "What <think> does.\n</think>It opens.",
        "Tags.\n</think>Write <think>.",
        "Tags</think><think>a</think>",
    ):
        encoded = encode_trace(opens, trace(response))
        assert between(opens, encoded) == "\n" + response.partition("</think>")[0] + "</think>"
    plain = tokenizer(turns())
    assert encode_trace(plain, trace("Models write <think> first.")).missing.keys() == {
        "reasoning_start",
        "reasoning_end",
    }
    closing = encode_trace(plain, trace("Tags.\n</think>Models write <think> and </think>."))
    assert closing.positions["reasoning_start"] == closing.positions["prompt_end"]
    assert between(plain, closing) == "Tags.\n</think>"


def test_markers_at_the_end_of_the_question_are_not_the_models() -> None:
    bare = tokenizer("{% for m in messages %}{{ m.content }}{% endfor %}")
    assert render(bare, "What is <think>", thinking=False).text == "What is <think>"
    assert fed(bare, "<think>a</think>b", "What is <think>") == "What is <think><think>a</think>b"
    assert encode_trace(bare, trace("It opens.", "What is <think>")).missing.keys() >= {"reasoning_start"}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("hello", "a text without the user turn in it"),
        ("{% for m in messages %}{{ m.role }}{% endfor %}", "a text without the user turn in it"),
        ("{{ messages[0].content }}{{ 'x' * 999999 * 2 }}", "2,000,0"),
    ],
)
def test_a_template_that_leaves_out_what_it_was_given(template: str, said: str) -> None:
    with pytest.raises(InnerjudgeError, match=said) as caught:
        check_tokenizer(tokenizer(template), 64)
    assert "\n" not in str(caught.value)


ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
#: Where a template may loop for ever: for a text, another turn, an answer, reasoning, or text in parts only.
LOOPS = {
    "a word": "{% if 'loop' in messages[0].content %}" + ENDLESS + "{% endif %}",
    "a system turn": "{% if messages[0].role == 'system' %}" + ENDLESS + "{% endif %}",
    "an answer": "{% if messages[-1].role == 'assistant' %}" + ENDLESS + "{% endif %}",
    "reasoning": "{% if messages[-1].reasoning_content is defined %}" + ENDLESS + "{% endif %}",
    "a tool call": "{% if messages[-1].tool_calls is defined %}" + ENDLESS + "{% endif %}",
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("innerjudge.models.template._PATIENCE", 0.2)
    monkeypatch.setattr("innerjudge.models.template._stopped", Counter())
    return monkeypatch


def test_a_template_that_never_ends_is_stopped(impatient: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    with pytest.raises(InnerjudgeError, match="takes more than"):
        check_tokenizer(tokenizer(ENDLESS + "{{ messages[0].content }}"), 64)
    deadline = time.monotonic() + 30
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before, "what was stopped has ended"


@pytest.mark.parametrize("where", LOOPS)
def test_a_template_that_never_ends_for_some_conversations(where: str, impatient: pytest.MonkeyPatch) -> None:
    """It passes the check at load; the items that it loops for are unread and say why, the others are read."""
    tok = tokenizer(LOOPS[where] + turns())
    check_tokenizer(tok, 4096)
    user: Any = "loop" if where == "a word" else "2+2?"
    if where == "a system turn":
        user = Conversation.of([{"role": "system", "content": "s"}, {"role": "user", "content": "2+2?"}])
    response: Any = "4"
    if where == "reasoning":
        response = Conversation.of([{"role": "assistant", "content": "4", "reasoning_content": "two and two"}])
    if where == "a tool call":
        called = [{"function": {"name": "add", "arguments": {}}}]
        response = Conversation.of([{"role": "assistant", "content": "4", "tool_calls": called}])
    found = encode_trace(tok, Trace(question_id="q", candidate_id="0", prompt=user, response=response))
    assert "takes more than 0.2 s for a conversation" in found.missing["*"]
    if where != "an answer":
        assert encode_trace(tok, trace("4", prompt="Hi?")).missing.keys() == {"reasoning_start", "reasoning_end"}
    if where == "a word":
        asked = Question(item=trace("4"), prompt=rating_prompt("loop", "4"))
        lm: Any = SimpleNamespace(tokenizer=tok)
        assert "takes more than" in encode_question(lm, asked, "cue", Alike(tok)).missing["*"]
        assert "takes more than" in encode_prompt(tok, "i", "g", rating_prompt("loop", "4")).missing["*"]


def test_a_template_that_loops_often_gets_less_time(impatient: pytest.MonkeyPatch) -> None:
    """A minute in all for a dozen conversations; a run over thousands that it loops for still ends."""
    impatient.setattr("innerjudge.models.template._TIMES", 2)
    impatient.setattr("innerjudge.models.template._LATER", 0.05)
    tok = tokenizer(LOOPS["a word"] + turns())
    found = [encode_trace(tok, trace("4", prompt=f"loop {k}")).missing["*"] for k in range(4)]
    assert ["0.2 s" in why for why in found] == [True, True, False, False]
    assert all("0.05 s" in why for why in found[2:])


@pytest.mark.parametrize(
    "odd", ["9**9**9**9", "2 ** 3", "range(10**9)|list", "'x' * 999999999", "'x'|center(99999999)", "range(1_000_000)"]
)
def test_a_step_that_nothing_could_stop_is_refused(odd: str) -> None:
    with pytest.raises(InnerjudgeError, match="which may take for ever or all memory"):
        check_tokenizer(tokenizer(turns() + f"{{{{ {odd} }}}}"), 64)
    check_tokenizer(
        tokenizer(turns() + "{# a ** b #}{{ '**' ~ 999999 % 7 }} {{ dict(x, **y) if false }} 1000000000"), 64
    )


def test_a_template_that_writes_without_end_for_some_conversations() -> None:
    much = tokenizer("{% if 'much' in messages[0].content %}{{ 'x' * 999999 * 2 }}{% endif %}" + turns())
    check_tokenizer(much, None)
    assert "characters of turns of" in encode_trace(much, trace("4", prompt="much")).missing["*"]
    assert "*" not in encode_trace(much, trace("4")).missing


def test_templates_that_change_the_text_are_read(every: dict[str, Any]) -> None:
    for tok in (*every.values(), tokenizer(turns("m['content'] | upper")), tokenizer(None), tokenizer("{% for %}")):
        bound_texts(tok, None)


def test_a_slow_tokenizer_is_refused() -> None:
    with pytest.raises(InnerjudgeError, match="a slow tokenizer"):
        check_tokenizer(object(), 8)


def test_a_sequence_end_that_the_tokenizer_appends_is_not_the_texts() -> None:
    tok = tokenizer(None)
    tok.add_special_tokens({"eos_token": "</s>", "bos_token": "<s>"})
    inner: Tokenizer = tok.backend_tokenizer
    ends = [("<s>", tok.bos_token_id), ("</s>", tok.eos_token_id)]
    inner.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    assert tok("a")["input_ids"][-1] == tok.eos_token_id
    ids, spans = tokens(tok, "a b")
    assert (ids[0], len(ids), spans[-1]) == (tok.bos_token_id, 4, (2, 3))
    assert tokens(tok, "a</s>")[0][-1] == tok.eos_token_id, "one in the text stays"
    assert encode_prompt(tok, "i", "g", rating_prompt("?", "a")).missing == {}


def test_the_markers_that_a_template_writes() -> None:
    assert render(tokenizer(FAMILIES["gemma"]), "?", thinking=True).markers == THINK
    opening, closing = render(tokenizer(FAMILIES["harmony"]), "?", thinking=True).markers
    assert (opening, closing.partition(">")[0]) == ("<|channel|>analysis<|message|>", "<|end|")
