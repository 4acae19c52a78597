"""The text of a question and its answer, as the model's chat template writes it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from transformers import PreTrainedTokenizerFast

from .chat import ANSWER, ChatPrompt, Frames, render
from .conversation import Conversation, Message, Text, plain_text, turns_of
from .errors import UnreadableError
from .markers import in_format, reasons
from .template import format_of, knows_reasoning, rendered


@dataclass(frozen=True, slots=True)
class TraceText:
    """A prompt, header of the answer included, and what follows it.

    The conversation's last turn ends at ``user_end``; ``markers`` are those of the reasoning, if there is any.
    """

    prompt: str
    answer: str
    user_end: int
    markers: tuple[str, str]


def write_trace(
    tokenizer: PreTrainedTokenizerFast,
    prompt: Text,
    response: Text,
    sampled: str | None,
    *,
    markers: tuple[str, str],
    frames: Frames | None,
) -> TraceText:
    """Write a prompt and its response; ``sampled`` is the text of the response where its ids are replayed.

    ``UnreadableError`` if the template does not show all of the conversation.
    """
    last = Message("assistant", response) if isinstance(response, str) else response.messages[-1]
    if last.reasoning is not None and last.content.lstrip().startswith(markers[0]):
        last = replace(last, reasoning=None)  # some servers write it twice
    said = plain_text(Conversation((replace(last, shown=""),)), markers) if sampled is None else sampled
    named = format_of(tokenizer)
    thinking = sampled is not None or not (said or last.shown) or reasons(said, markers) or reasons(said, named)
    alone = isinstance(response, str) or len(response.messages) == 1
    asked = prompt if alone else Conversation(turns_of(prompt, response))
    chat = render(tokenizer, asked, thinking=thinking, markers=markers, frames=frames)
    head, glue, end = chat.text, chat.glue, chat.user_end
    own = chat.markers if chat.markers[0] in said else markers
    if sampled is not None:
        return TraceText(head, sampled, end, own)
    if last.reasoning is not None or last.shown:
        exact = answered(tokenizer, turns_of(asked), last, chat) if last.shown or knows_reasoning(tokenizer) else None
        if exact:
            return TraceText(*exact, end, chat.markers if chat.markers[0] in exact[1] else markers)
        if head.rstrip().endswith(own[0]):  # the prompt opened the block; white space as it has it
            space = head[len(head.rstrip()) :]
            return TraceText(head, f"{last.reasoning}{space}{own[1]}{space * 2}{last.content}", end, own)
    formed = in_format(said, markers, chat.markers)
    if formed != said or begins_with_header(said, glue):
        said, glue = formed, ""
    elif thinking and said:
        head = head[:end] + unclosed(head[end:], said, own)
    if said and glue.strip():  # a header belongs to the prompt
        header = glue.rstrip(" ")
        head, glue = head + header, glue[len(header) :]
    own = chat.markers if chat.markers[0] in said else markers
    return TraceText(head, glue + said if said else "", end, own)


def begins_with_header(response: str, glue: str) -> bool:
    """Whether a response given as text already has the header that the template would put before it."""
    tag = re.match(r"\s*[<\[|][^\s>\]]*[>\]]", glue)
    return tag is not None and response.lstrip().startswith(tag.group().strip())


def unclosed(rest: str, response: str, markers: tuple[str, str]) -> str:
    r"""The end of a prompt before a response that reasons: its block is neither closed already nor opened twice.

    ``rest`` is what the template puts behind the user turn.
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


def answered(
    tokenizer: PreTrainedTokenizerFast, turns: Sequence[Message], answer: Message, chat: ChatPrompt
) -> tuple[str, str] | None:
    """A prompt and the answer to it as the template writes them, for an answer with reasoning or tool calls apart.

    ``None`` if the template shows its reasoning nowhere; ``UnreadableError`` if it does not show its tool calls.
    """
    stand = Message("assistant", ANSWER, answer.reasoning)
    full, blank = (rendered(tokenizer, turns, one, answer.reasoning is not None) for one in (answer, stand))
    head, _, tail = blank.rpartition(ANSWER)
    prompt = chat.text if full.startswith(chat.text) else head if answer.reasoning is None else ""
    shown = [one.strip() for one in (answer.reasoning or "", answer.content)]
    body = full.removeprefix(prompt).removesuffix(tail)
    if prompt and full.startswith(prompt) and all(one in body for one in (*shown, *answer.calls)):
        return prompt, body
    if answer.calls:
        raise UnreadableError("the chat template does not show the tool calls of the response")
    return None
