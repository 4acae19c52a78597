"""Put a prompt into a model's chat template, as text in which every part has a known place."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from .arguments import checked
from .errors import InnerjudgeError

#: Reasoning markers, as Qwen3, DeepSeek-R1 and the built-in model write them.
THINK = ("<think>", "</think>")

#: Stand-ins that show where a template puts the two turns.
_USER, _ASSISTANT = "user-turn-8f3c", "assistant-turn-8f3c"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt as the model sees it.

    Args:
        text: The rendered conversation up to the point where the assistant writes.
        user_start: Character at which the user turn begins in ``text``; -1 if the template changed its text.
        user_end: Character after the user turn.
        glue: White space that the template puts between ``text`` and what the assistant writes.
    """

    text: str
    user_start: int
    user_end: int
    glue: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chat template puts before and after a user turn, and before what the assistant writes.

    Args:
        before: Text before the user turn.
        after: Text after it.
        glue: White space between that and what the assistant writes.
    """

    before: str
    after: str
    glue: str


@checked
def render(
    tokenizer: PreTrainedTokenizerFast,
    user: str,
    *,
    thinking: bool,
    markers: tuple[str, str] = THINK,
    frames: dict[bool, Frame] | None = None,
) -> Rendered:
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
        return Rendered(f"{user}\n", 0, len(user), "")
    text = _rendered(tokenizer, user, None, thinking)
    known = {} if frames is None else frames
    frame = known.get(thinking)
    if frame is None or text != frame.before + user + frame.after:  # a template may write the time of day
        frame = known[thinking] = _frame(tokenizer, thinking)
    kept = text == frame.before + user + frame.after
    glue = frame.glue if kept else _glue(text, _rendered(tokenizer, user, _ASSISTANT, thinking))
    start, end = len(frame.before), len(text) - len(frame.after)
    opening, closing = markers
    if not thinking and text.rstrip().endswith(opening):
        text = f"{text.rstrip()}\n\n{closing}\n\n"
    return Rendered(text, start if kept else -1, end, glue)


def _frame(tokenizer: PreTrainedTokenizerFast, thinking: bool) -> Frame:
    text = _rendered(tokenizer, _USER, None, thinking)
    before, _, after = text.partition(_USER)
    return Frame(before, after, _glue(text, _rendered(tokenizer, _USER, _ASSISTANT, thinking)))


def _glue(text: str, full: str) -> str:
    glue = full[len(text) : full.rfind(_ASSISTANT)] if full.startswith(text) else ""
    return glue if glue.isspace() else ""


def _rendered(tokenizer: PreTrainedTokenizerFast, user: str, assistant: str | None, thinking: bool) -> str:
    turns = [{"role": "user", "content": user}]
    if assistant is not None:
        turns.append({"role": "assistant", "content": assistant})
    try:
        return str(
            tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=assistant is None, enable_thinking=thinking
            )
        )
    except Exception as error:  # jinja raises its own and whatever the template raises
        reason = " ".join(str(error).split())
        raise InnerjudgeError(
            f"given a chat template that fails ({reason}), expected one that renders a user turn"
        ) from None
