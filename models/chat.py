"""Put a prompt into a model's chat template, as text in which every part has a known place.

What is fed is what the template itself writes for the conversation: the header of an answer (a channel, a role) comes
from rendering a conversation that has one, and so do the marks that the template puts around reasoning.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerFast

from .arguments import checked
from .errors import InnerjudgeError

#: Reasoning markers, as Qwen3, DeepSeek-R1 and the built-in model write them.
THINK = ("<think>", "</think>")

#: Stand-ins that show where a template puts the user turn, the answer, and the reasoning before it.
_USER, _ANSWER, _REASONING = "user-turn-8f3c", "assistant-turn-8f3c", "reasoning-8f3c"
#: Names that templates have for the reasoning of an assistant turn.
_FIELDS = ("reasoning_content", "thinking", "reasoning")
#: Characters that a template may write beside eight times the user turn (date, tools, system prompt).
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A prompt as the model sees it, up to the point where the assistant writes.

    The user turn is ``text[user_start:user_end]``, ``user_start`` -1 if the template changed its text. ``glue`` is what
    the template puts between ``text`` and an answer: white space, or the header of the answer. ``markers`` are the
    reasoning markers that the template itself writes; those given, if it has none.
    """

    text: str
    user_start: int
    user_end: int
    glue: str
    markers: tuple[str, str] = THINK


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chat template puts before and after a user turn, and before what the assistant writes.

    ``after`` is as the generation prompt has it, ``opening`` the same up to where the assistant writes: the two differ
    in templates whose generation prompt is not how their assistant turn begins. ``glue`` stands between that and an
    answer.
    """

    before: str
    after: str
    opening: str
    glue: str
    markers: tuple[str, str]


@checked
def render(
    tokenizer: PreTrainedTokenizerFast,
    user: str,
    *,
    thinking: bool,
    markers: tuple[str, str] = THINK,
    frames: dict[bool, Frame] | None = None,
) -> ChatPrompt:
    """Render one user turn with the generation prompt; without a chat template, the plain text and a newline.

    Args:
        tokenizer: Tokenizer whose chat template is used.
        user: Text of the user turn.
        thinking: Whether the assistant may reason. If not, templates with a switch turn it off, and a reasoning block
            that the template opened is closed at once.
        markers: Opening and closing reasoning marker.
        frames: Of this tokenizer, by ``thinking``: filled and looked at, so that the template is asked once and not for
            every text what it puts around a turn.
    """
    if not tokenizer.chat_template:
        return ChatPrompt(f"{user}\n", 0, len(user), "", markers)
    text = rendered(tokenizer, user, None, thinking)
    known = {} if frames is None else frames
    frame = known.get(thinking)
    if frame is None or text != frame.before + user + frame.after:  # a template may write the time of day
        frame = known[thinking] = _frame(tokenizer, thinking, markers)
    kept = text == frame.before + user + frame.after
    end = len(text) - len(frame.after)
    if text.endswith(frame.after):
        text = text[:end] + frame.opening
    opened = text[end:].rstrip().endswith(markers[0]) and markers[1] not in frame.glue
    if not thinking and opened:
        text = f"{text.rstrip()}\n\n{markers[1]}\n\n"
    return ChatPrompt(text, len(frame.before) if kept else -1, end, frame.glue, frame.markers)


def rendered(
    tokenizer: PreTrainedTokenizerFast, user: str, answer: Mapping[str, str] | None, thinking: bool, prompt: bool = True
) -> str:
    """What the template writes for a user turn, and an assistant turn or (if there is none) the generation prompt.

    ``InnerjudgeError`` if the template fails, or writes far more than it was given.
    """
    turns = [{"role": "user", "content": user}]
    if answer is not None:
        turns.append({"role": "assistant", **answer})
    switches: dict[str, Any] = dict.fromkeys(("enable_thinking", "thinking"), thinking)
    try:
        text = str(
            tokenizer.apply_chat_template(
                _in_parts(turns) if _wants_parts(tokenizer) else turns,
                tokenize=False,
                add_generation_prompt=answer is None and prompt,
                **switches,
            )
        )
        text.encode()  # halves of surrogate pairs are no text
    except Exception as error:  # jinja raises its own and whatever the template raises
        reason = " ".join(str(error).split())[:200]
        raise InnerjudgeError(
            f"given a chat template that fails ({reason}), expected one that renders a user turn"
        ) from None
    if len(text) > 8 * len(user) + _MOST:
        raise InnerjudgeError(
            f"given a chat template that makes {len(text):,} characters of a user turn of {len(user):,}, expected one "
            "that adds a header: use the template that came with the model"
        )
    return text


#: Chat template -> whether it reads content as a list of parts only, as those of models with images may.
_parts: dict[str, bool] = {}


def _wants_parts(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether a template leaves out text that is given as a string, and not what is given as a part."""
    template = str(tokenizer.chat_template)
    if template not in _parts:
        turn, kept = [{"role": "user", "content": _USER}], []
        for given in (turn, _in_parts(turn)):
            try:
                text = tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=True)
            except Exception:  # as in rendered(), where it is told
                text = ""
            kept.append(_USER in str(text))
        _parts[template] = kept == [False, True]
    return _parts[template]


def _in_parts(turns: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]


def begins_with_header(response: str, glue: str) -> bool:
    """Whether a response given as text already has the header that the template would put before it.

    Example:
        >>> begins_with_header("<|channel|>analysis<|message|>2+2", "<|channel|>final<|message|>")
        True
    """
    tag = re.match(r"\s*[<\[|][^\s>\]]*[>\]]", glue)
    return tag is not None and response.lstrip().startswith(tag.group().strip())


def unclosed(rest: str, response: str, markers: tuple[str, str]) -> str:
    r"""The end of a prompt before a response that reasons: its block is neither closed already nor opened twice.

    ``rest`` is what the template puts behind the user turn.

    Example:
        >>> unclosed("<A></think>", "why</think>4", THINK), unclosed("<A><think>\n", "<think>why</think>4", THINK)
        ('<A><think>', '<A>')
    """
    opening, closing = markers
    opens = response.lstrip().startswith(opening)
    bare = rest.rstrip()
    if bare.endswith(closing) and not response.lstrip().startswith(closing):
        rest = bare.removesuffix(closing)
        bare = rest.rstrip()
        if opens:
            return rest if not bare.endswith(opening) else bare.removesuffix(opening)
        return f"{rest}{opening}" if not bare.endswith(opening) else bare
    return bare.removesuffix(opening) if opens and bare.endswith(opening) else rest


def _frame(tokenizer: PreTrainedTokenizerFast, thinking: bool, markers: tuple[str, str]) -> Frame:
    text = rendered(tokenizer, _USER, None, thinking)
    before = text.partition(_USER)[0]
    after = text.rpartition(_USER)[2] if _USER in text else ""
    end = len(text) - len(after)
    try:
        full = rendered(tokenizer, _USER, {"content": _ANSWER}, thinking)
    except InnerjudgeError:  # a template that takes no assistant turn at the end has no header to add
        return Frame(before, after, after, "", markers)
    head = full[: max(full.rfind(_ANSWER), 0)]
    if head.startswith(text):
        opening, glue = after, head[len(text) :]
        if thinking and (marks := [at for marker in markers if (at := glue.find(marker)) >= 0]):
            glue = glue[: min(marks)]  # behind it the empty block of an answer without reasoning
            glue = glue if glue.strip() else ""
        if glue.strip() and text == rendered(tokenizer, _USER, None, thinking, prompt=False):
            opening += glue.rstrip(" ")  # no generation prompt at all: the assistant turn begins here
            glue = glue[len(glue.rstrip(" ")) :]
    elif thinking or text.startswith(head) or head[:end] != text[:end]:
        opening, glue = after, ""
    else:  # the prompt to generate from is not how an assistant turn begins
        opening = head[end:].rstrip(" ")
        glue = head[end + len(opening) :]
    own = _own_markers(tokenizer, before + _USER + opening, markers) if thinking else markers
    return Frame(before, after, opening, glue, own)


def _own_markers(tokenizer: PreTrainedTokenizerFast, text: str, markers: tuple[str, str]) -> tuple[str, str]:
    """What a template writes before and after reasoning that it is given apart (gpt-oss: two channels)."""
    answer = {"content": _ANSWER, **dict.fromkeys(_FIELDS, _REASONING)}
    try:
        full = rendered(tokenizer, _USER, answer, True)
    except InnerjudgeError:
        return markers
    head, _, rest = full.partition(_REASONING)
    closing, found, _ = rest.partition(_ANSWER)
    opening = head[len(text) :]
    if not head.startswith(text) or not found or _REASONING in closing or not opening.strip() or not closing.strip():
        return markers
    return markers if markers[0] in opening else (opening, closing)
