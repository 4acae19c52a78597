"""What a chat template writes for a conversation: the one place that runs it, within limits of time and length.

A template is a program that comes with a model. For some conversations it may take for ever, or write without end, so
the time and the length of its text are limited each time (its memory only through these). Whether it can be used at all
is checked once, when the model is loaded.
"""

import ctypes
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import pairwise
from threading import Thread
from typing import Any

from jinja2 import Environment, TemplateError

from .conversation import REASONING, Conversation, Message, plain_text, turns_of
from .errors import InnerjudgeError, UnreadableError, one_line
from .markers import FORMATS, THINK, Markers
from .tokens import FastTokenizer, tokens
from .unfit import bound_texts

_ODD = "given a chat template that {}, expected one that writes a header: use the template that came with the model"
#: User turns that share no word.
_TRIED = ("Which is larger, 7 or 12?", "Please name a green fruit.")
#: Stands for a user turn.
USER = "user-turn-8f3c"
#: What helps where a template has no system turn.
MERGE = ": merge_system=True (--merge-system) puts the system turn before the user's"
#: Characters that a template may write beside eight times what it is given (date, tools, system prompt).
_MOST = 1_000_000
#: Seconds that one conversation may take; after so many that took longer, the last number, until others end in time.
_PATIENCE, _TIMES, _LATER = 10.0, 6, 0.5
#: Digits that a number in a template may have.
_DIGITS = 6
#: Chat template -> for how many conversations it was stopped.
_stopped: Counter[str] = Counter()


class EndlessError(UnreadableError):
    """A chat template took too long for a conversation, or wrote far more than it was given."""


def rendered(
    tokenizer: FastTokenizer, turns: Sequence[Message], answer: Message | None, thinking: bool, prompt: bool = True
) -> str:
    """Render some turns, followed by an assistant turn or (if there is none) the generation prompt.

    ``InnerjudgeError`` if the template fails on a single turn, ``UnreadableError`` if it refuses a conversation,
    ``EndlessError`` if it takes too long for it, or writes far more than it was given.
    """
    said = [_fields(one, tokenizer) for one in (*turns, *([] if answer is None else [answer]))]
    switches: dict[str, Any] = dict.fromkeys(("enable_thinking", "thinking"), thinking)
    parts = _wants_parts(tokenizer)
    try:
        text = _written(tokenizer, _in_parts(said) if parts else said, answer is None and prompt, **switches)
        text.encode()  # halves of surrogate pairs are no text
    except EndlessError:
        raise
    except Exception as error:  # jinja raises its own and whatever the template raises
        reason = one_line(error)
        if len(turns) > 1:
            merge = any(one.role in ("system", "developer") for one in turns) and "system" in reason.lower()
            raise UnreadableError(
                f"the chat template refuses this conversation ({reason})" + (MERGE if merge else "")
            ) from None
        raise InnerjudgeError.of("models.template-fails", reason) from None
    length = sum(len(one.content) + len(one.reasoning or "") + len(one.shown) for one in (*turns, answer) if one)
    if len(text) > 8 * length + _MOST:
        raise EndlessError(_ODD.format(f"makes {len(text):,} characters of turns of {length:,}"))
    return text


def _written(tokenizer: FastTokenizer, said: Any, prompt: bool, **switches: Any) -> str:
    """What the template writes; whatever it raises. One that takes too long is stopped at its next step."""
    template = str(tokenizer.chat_template)
    seconds = _PATIENCE if _stopped[template] < _TIMES else _LATER
    found: Future[str] = Future()

    def run() -> None:
        try:
            given: Any = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=prompt, **switches)
            found.set_result(str(given))
        except BaseException as error:
            found.set_exception(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        text = found.result(seconds)
    except TimeoutError:
        if thread.is_alive():  # else another thread may have its number
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        _stopped[template] += 1
        raise EndlessError(_ODD.format(f"takes more than {seconds:g} s for a conversation")) from None
    _stopped[template] = max(0, _stopped[template] - 1)
    return text


def _fields(message: Message, tokenizer: FastTokenizer) -> dict[str, Any]:
    """A message as a template is given it: its reasoning under every name that there is, or else between markers."""
    own = message.to_json()
    if message.reasoning is None:
        return own
    if not knows_reasoning(tokenizer):
        content = plain_text(Conversation((replace(message, role="assistant", shown=""),)), format_of(tokenizer))
        return own | {"content": content}
    return own | dict.fromkeys(REASONING, message.reasoning)


def knows_reasoning(tokenizer: FastTokenizer) -> bool:
    """Whether a chat template reads reasoning from a field of its own."""
    return any(name in str(tokenizer.chat_template) for name in REASONING)


def format_of(tokenizer: FastTokenizer) -> Markers:
    """The reasoning markers that a chat template uses; those of ``<think>`` where it uses none that are known."""
    template = str(tokenizer.chat_template)
    return next((pair for pair in FORMATS.values() if all(one in template for one in pair)), THINK)


#: Chat template -> whether it reads content as a list of parts only, as those of models with images may.
_parts: dict[str, bool] = {}


def _wants_parts(tokenizer: FastTokenizer) -> bool:
    """Whether a template leaves out text that is given as a string, and not what is given as a part."""
    template = str(tokenizer.chat_template)
    if template not in _parts:
        turn, kept = [{"role": "user", "content": USER}], []
        for given in (turn, _in_parts(turn)):
            try:
                text = _written(tokenizer, given, True)
                kept.append(USER in text and not any(f"{quote}type{quote}" in text for quote in "'\""))  # no list
            except EndlessError:
                raise
            except Exception:  # as in rendered(), where it is told
                kept.append(False)
        _parts[template] = kept == [False, True]
    return _parts[template]


def _in_parts(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]


def check_tokenizer(tokenizer: Any, context: int | None) -> None:
    """Refuse a tokenizer without character offsets, and a chat template that hangs or leaves out what it is given.

    ``context`` is the longest input of its model in tokens, ``None`` if unknown. A template that fails is not refused
    here: not every judge uses it, and those that do report it.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InnerjudgeError.of("models.slow-tokenizer-given", type(tokenizer).__name__)
    bound_texts(tokenizer, context)
    if not tokenizer.chat_template:
        return
    try:
        signs = [(kind, sign) for _, kind, sign in Environment().lex(tokenizer.chat_template) if kind != "whitespace"]
    except TemplateError:
        return  # as one that fails
    # A power, or a number of millions, may be one step that nothing stops.
    for (_, before), (kind, odd) in pairwise(signs):
        power = kind == "operator" and odd == "**" and before not in ("(", ",")  # there it unpacks arguments
        large = (kind == "integer" and len(odd) > _DIGITS) or (kind == "float" and "e" in odd.lower())
        if power or large:
            raise InnerjudgeError(_ODD.format(f"has {odd:.20} in it, which may take for ever or all memory"))
    texts = []
    for user in _TRIED:
        try:
            texts.append(rendered(tokenizer, turns_of(user), None, True))
        except InnerjudgeError as error:
            if "that fails" in str(error):
                return
            raise
    kept = [_plain(user) in _plain(text) for user, text in zip(_TRIED, texts, strict=True)]
    if not all(kept) or tokens(tokenizer, texts[0])[0] == tokens(tokenizer, texts[1])[0]:
        what = "the same tokens for different user turns" if all(kept) else "a text without the user turn in it"
        raise InnerjudgeError.of("models.template-blind", what, texts[0][:40])


def _plain(text: str) -> str:
    """What a template that trims, folds or joins lines leaves of a text."""
    return "".join(text.split()).casefold()
