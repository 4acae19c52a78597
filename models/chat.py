"""Put a prompt into a model's chat template; the result is text in which the place of every part is known.

The model is given what the template itself writes for the conversation: the header of an answer (a channel, a role) is
found by rendering a conversation that has an answer, and so are the marks around reasoning.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .arguments import checked
from .conversation import Conversation, Message, Text, plain_text, turns_of
from .errors import InnerjudgeError, UnreadableError
from .items import Trace
from .markers import THINK, Markers, Span, in_format, reasons
from .template import MERGE, USER, EndlessError, format_of, knows_reasoning, rendered
from .tokens import FastTokenizer

#: Stand-ins that show where a template puts the answer, and the reasoning before it.
ANSWER, _REASONING = "assistant-turn-8f3c", "reasoning-8f3c"


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A prompt as the model sees it, up to the point where the assistant writes.

    The user turn is ``text[user_start:user_end]``; ``user_start`` is -1 if the template changed its text. ``glue`` is
    what the template puts between ``text`` and an answer: white space, or the header of the answer. ``markers`` are the
    reasoning markers that the template writes, or the given ones if it writes none. ``judged`` are the characters of
    the last turn, even where its text was changed.
    """

    text: str
    user_start: int
    user_end: int
    glue: str
    markers: Markers = THINK
    judged: Span = (0, 0)


class Frame(NamedTuple):
    """What a chat template puts before and after the last turn of a conversation, and before what the assistant writes.

    ``after`` follows the turn in the generation prompt, ``opening`` follows it where an assistant turn is written: the
    two differ in templates whose generation prompt is not the beginning of their assistant turn. ``glue`` stands
    between ``opening`` and the answer.
    """

    before: str
    after: str
    opening: str
    glue: str
    markers: Markers


#: What is put around the last turn of a conversation, by ``thinking`` and all that stands before it.
Frames = dict[tuple[bool, tuple[Message, ...]], Frame]


@checked
def render(
    tokenizer: FastTokenizer, user: Text, *, thinking: bool, markers: Markers = THINK, frames: Frames | None = None
) -> ChatPrompt:
    """Render a user turn or a conversation with the generation prompt; without a template: the text and a newline.

    A conversation ends with what the assistant answers. If the assistant may not reason (``thinking``), templates with
    a switch turn it off, and a reasoning block that the template opened, with the first of the ``markers``, is closed
    at once by the second. ``frames`` is a cache for this tokenizer, filled by the call, so that the template is not
    asked again for every text what it puts around a turn. ``UnreadableError`` if the template fails on a conversation,
    or leaves out one of its turns.
    """
    turns = turns_of(user)
    last = turns[-1]
    if not tokenizer.chat_template:
        if not isinstance(user, str):
            raise UnreadableError("a conversation needs a chat template, which this tokenizer does not have")
        return ChatPrompt(f"{user}\n", 0, len(user), "", markers, (0, len(user)))
    text = rendered(tokenizer, turns, None, thinking)
    known: Frames = {} if frames is None else frames
    key = thinking, (*turns[:-1], replace(last, content=""))
    frame = known.get(key)
    if frame is None or text != frame.before + last.content + frame.after:  # a template may write the time of day
        frame = known[key] = _frame(tokenizer, turns, thinking, markers)
    kept = text == frame.before + last.content + frame.after
    end = len(text) - len(frame.after)
    if text.endswith(frame.after):
        text = text[:end] + frame.opening
    for opening, closing in dict.fromkeys((markers, format_of(tokenizer))):
        if not thinking and text[end:].rstrip().endswith(opening) and closing not in frame.glue:
            text = f"{text.rstrip()}\n\n{closing}\n\n"
    start = len(frame.before)
    judged = (start, end) if text.startswith(frame.before) else (0, 0)
    return ChatPrompt(text, start if kept else -1, end, frame.glue, frame.markers, judged)


_TAG = re.compile(r"\s*(<[^\s<>]+>|\[/?\w+\])")


def require_unrendered(tokenizer: FastTokenizer, prompt: Text, frames: Frames | None = None) -> None:
    """Refuse an item's prompt that has been through the chat template already.

    Such a text begins with a tag and ends as the template's own output does, with reasoning on or off. Its first turn
    need not be the user's, unless the text ends without the generation prompt.
    """
    said = turns_of(prompt)[-1].content
    own = _TAG.match(said) if tokenizer.chat_template else None
    if own is None:
        return
    known: Frames = {} if frames is None else frames
    key = True, (Message("user", ""),)
    try:  # not kept: others may have other markers
        frame = known.get(key) or _frame(tokenizer, key[1], True, THINK)
    except EndlessError:
        raise
    except InnerjudgeError:  # a template that fails on a user's turn alone
        return
    tag, closing = _TAG.match(frame.before), _TAG.match(frame.after)
    if tag is None or closing is None:
        return
    said, end = said[own.end() :].rstrip(), frame.after.strip()
    tail = said[max(said.rfind(closing.group(1)), 0) :]
    alone = tail == closing.group(1) and own.group(1) == tag.group(1)
    if alone or tail.startswith(end) or (end.startswith(tail) and len(tail) > len(closing.group(1))):
        raise UnreadableError("the prompt is rendered by the chat template already: give its messages instead")


def _frame(tokenizer: FastTokenizer, turns: tuple[Message, ...], thinking: bool, markers: Markers) -> Frame:
    asked = (*turns[:-1], replace(turns[-1], content=USER))
    if len(asked) > 1 or asked[-1].role != "user":
        stands = [replace(one, content=f"turn-{k}-8f3c" if one.content else "") for k, one in enumerate(asked)]
        text = rendered(tokenizer, stands, None, thinking)
        for one in stands:
            if not all(name in text for name in (one.content, *one.calls)):
                what = "a tool call" if one.content in text else f"the {one.role} turn"
                merge = MERGE if one.role in ("system", "developer") else ""
                raise UnreadableError(f"the chat template leaves out {what} of this conversation{merge}")
    text = rendered(tokenizer, asked, None, thinking)
    before = text.partition(USER)[0]
    after = text.rpartition(USER)[2] if USER in text else ""
    end = len(text) - len(after)
    try:
        full = rendered(tokenizer, asked, Message("assistant", ANSWER), thinking)
    except EndlessError:
        raise
    except InnerjudgeError:  # a template that takes no assistant turn at the end has no header to add
        return Frame(before, after, after, "", markers)
    head = full[: max(full.rfind(ANSWER), 0)]
    if head.startswith(text):
        opening, glue = after, head[len(text) :]
        if thinking and (marks := [at for marker in markers if (at := glue.find(marker)) >= 0]):
            glue = glue[: min(marks)]  # behind it the empty block of an answer without reasoning
            glue = glue if glue.strip() else ""
        if glue.strip() and text == rendered(tokenizer, asked, None, thinking, prompt=False):
            opening += glue.rstrip(" ")  # no generation prompt at all: the assistant turn begins here
            glue = glue[len(glue.rstrip(" ")) :]
    elif thinking or text.startswith(head) or head[:end] != text[:end]:
        opening, glue = after, ""
    else:  # the prompt to generate from is not how an assistant turn begins
        opening = head[end:].rstrip(" ")
        glue = head[end + len(opening) :]
    own = _own_markers(tokenizer, asked, text[:end] + opening, markers) if thinking else markers
    return Frame(before, after, opening, glue, own)


def _own_markers(tokenizer: FastTokenizer, turns: Sequence[Message], text: str, markers: Markers) -> Markers:
    """What a template writes around reasoning that it is given apart (gpt-oss); else the known markers it names."""
    named = format_of(tokenizer) if markers == THINK else markers
    if not knows_reasoning(tokenizer):
        return named
    try:
        full = rendered(tokenizer, turns, Message("assistant", ANSWER, _REASONING), True)
    except EndlessError:
        raise
    except InnerjudgeError:
        return named
    head, _, rest = full.partition(_REASONING)
    closing, found, _ = rest.partition(ANSWER)
    opening = head[len(text) :]
    if not head.startswith(text) or not found or _REASONING in closing or not opening.strip() or not closing.strip():
        return named
    return next((pair for pair in (markers, named) if pair[0] in opening), (opening, closing))


def write_trace(
    tokenizer: FastTokenizer, trace: Trace, sampled: str | None, *, markers: Markers, frames: Frames | None
) -> tuple[str, str, int, Markers]:
    """Render a prompt and its response; ``sampled`` is the response's text where its stored ids are used again.

    The rendered prompt, up to and with the header of the answer, the answer that follows it, where the conversation's
    last turn ends, and the markers of the reasoning, if there is any. ``UnreadableError`` if the template does not show
    all of the conversation.
    """
    prompt, response = trace.prompt, trace.response
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
        return head, sampled, end, own
    if last.reasoning is not None or last.shown:
        exact = answered(tokenizer, turns_of(asked), last, chat) if last.shown or knows_reasoning(tokenizer) else None
        if exact:
            return *exact, end, chat.markers if chat.markers[0] in exact[1] else markers
        if head.rstrip().endswith(own[0]):  # the prompt opened the block; white space as it has it
            space = head[len(head.rstrip()) :]
            return head, f"{last.reasoning}{space}{own[1]}{space * 2}{last.content}", end, own
    formed = in_format(said, markers, chat.markers)
    if formed != said or begins_with_header(said, glue):
        said, glue = formed, ""
    elif thinking and said:
        head = head[:end] + unclosed(head[end:], said, own)
    if said and glue.strip():  # a header belongs to the prompt
        header = glue.rstrip(" ")
        head, glue = head + header, glue[len(header) :]
    own = chat.markers if chat.markers[0] in said else markers
    return head, glue + said if said else "", end, own


def begins_with_header(response: str, glue: str) -> bool:
    """Whether a response given as text already has the header that the template would put before it."""
    tag = re.match(r"\s*[<\[|][^\s>\]]*[>\]]", glue)
    return tag is not None and response.lstrip().startswith(tag.group().strip())


def unclosed(rest: str, response: str, markers: Markers) -> str:
    r"""End a prompt so that a response that reasons finds its reasoning block neither closed nor opened twice.

    ``rest`` is what the template puts after the user turn.
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
    tokenizer: FastTokenizer, turns: Sequence[Message], answer: Message, chat: ChatPrompt
) -> tuple[str, str] | None:
    """A prompt and its answer as the template writes them, for an answer whose reasoning or tool calls are separate.

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
