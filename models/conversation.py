"""What a prompt or a response may be: a text, or a conversation of messages.

A conversation is given as the list of messages that chat libraries use. A single plain message of the user (or, as a
response, of the assistant) is the same as its text.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from .errors import InnerjudgeError, one_line
from .foreign import parse_json

#: Names that chat templates, trainers and servers have for reasoning beside the content.
REASONING = ("reasoning_content", "reasoning", "thinking")
ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython")
#: Fields of a message that a template may show, beside role, content and reasoning.
_SHOWN = ("tool_calls", "tool_call_id", "name")
#: Fields that say nothing to a model.
_IDLE = ("id", "annotations")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn; ``shown`` is JSON of what else a template may show (tool calls), empty if there is nothing."""

    role: str
    content: str
    reasoning: str | None = None
    shown: str = ""

    @classmethod
    def of(cls, given: object, where: str) -> Self:
        """Read a message; ``InnerjudgeError`` names a field that is unknown or is not text."""
        if not isinstance(given, Mapping):
            raise InnerjudgeError(f"{where}: given a {type(given).__name__}, expected {{'role': ..., 'content': ...}}")
        role = given.get("role", "assistant" if set(given) & {"content", *REASONING} else None)
        if not isinstance(role, str) or role not in ROLES:
            raise InnerjudgeError(f"{where}: given the role {role!r:.40}, expected one of {', '.join(ROLES)}")
        known = {"role", "content", *REASONING, *_SHOWN, *_IDLE}
        odd = next((name for name, value in given.items() if name not in known and value not in (None, [], {})), None)
        if odd is not None:
            raise InnerjudgeError(f"{where}: given the field {odd!r:.40}, which no template shows: leave it out")
        shown = {name: given[name] for name in _SHOWN if given.get(name) not in (None, [], "")}
        if "tool_calls" in shown:
            shown["tool_calls"] = [_call(one, where) for one in _listed(shown["tool_calls"], where)]
        content, apart = _parts(given.get("content"), where)
        said = next((given[name] for name in REASONING if given.get(name) not in (None, "")), None)
        reasoning = apart or None if said is None else _parts(said, f"{where}, reasoning")[0]
        if given.get("content") is None and reasoning is None and "tool_calls" not in shown:
            raise InnerjudgeError(f"{where}: given no content, expected a text")
        try:
            beside = json.dumps(shown, ensure_ascii=False, allow_nan=False) if shown else ""
        except (TypeError, ValueError, RecursionError) as error:
            raise InnerjudgeError(f"{where}: given a tool call that JSON cannot hold ({one_line(error)})") from None
        return cls(str(role), content, reasoning, beside)

    @property
    def calls(self) -> list[str]:
        """Names of the tools that are called."""
        found = json.loads(self.shown).get("tool_calls", ()) if self.shown else ()
        return [str(one.get("function", one).get("name", "")) for one in found]

    def to_json(self) -> dict[str, Any]:
        """The message as chat libraries write it."""
        own: dict[str, Any] = {"role": self.role, "content": self.content}
        own |= {} if self.reasoning is None else {REASONING[0]: self.reasoning}
        return own | (json.loads(self.shown) if self.shown else {})


@dataclass(frozen=True, slots=True, repr=False)
class Conversation:
    """Messages in their order.

    Example:
        >>> talk = Conversation.of([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}])
        >>> talk.to_json()[0]
        {'role': 'system', 'content': 'Be brief.'}
    """

    messages: tuple[Message, ...]

    @classmethod
    def of(cls, given: object, where: str = "messages") -> Self:
        """Read a list of messages, or one message alone."""
        if isinstance(given, cls):
            return given
        many = [given] if isinstance(given, Mapping) else _listed(given, where)
        if not many:
            raise InnerjudgeError(f"{where}: given no messages, expected at least one")
        return cls(tuple(Message.of(one, f"{where}, message {n}") for n, one in enumerate(many, start=1)))

    def __repr__(self) -> str:
        return f"Conversation({self.to_json()!r})"

    def to_json(self) -> list[dict[str, Any]]:
        """The list of messages."""
        return [message.to_json() for message in self.messages]

    def merged(self) -> "Text":
        r"""Put the system turns before the first user turn, for templates without a system turn.

        Example:
            >>> Conversation.of([{"role": "system", "content": "Brief."}, {"role": "user", "content": "2+2?"}]).merged()
            'Brief.\n\n2+2?'
        """
        first = [one.content for one in self.messages if one.role in ("system", "developer")]
        rest = [one for one in self.messages if one.role not in ("system", "developer")]
        at = next((k for k, one in enumerate(rest) if one.role == "user"), None)
        if not first or at is None:
            return self
        rest[at] = Message("user", "\n\n".join([*first, rest[at].content]), None, rest[at].shown)
        return as_prompt(Conversation(tuple(rest)))


#: What may stand for a prompt or a response.
Text = str | Conversation


def as_prompt(given: object, where: str = "prompt") -> Text:
    """Read a prompt: a text, or messages of which the last is one that the assistant answers."""
    if isinstance(given, str):
        return given
    found = Conversation.of(given, where)
    last = found.messages[-1]
    if last.role == "assistant":
        raise InnerjudgeError.of("models.unanswered", where)
    return last.content if len(found.messages) == 1 and last == Message("user", last.content) else found


def as_response(given: object, where: str = "response") -> Text:
    """Read a response: a text, or messages that end with the assistant's, which answers those before it."""
    if isinstance(given, str):
        return given
    found = Conversation.of(given, where)
    last = found.messages[-1]
    if last.role != "assistant":
        raise InnerjudgeError(f"{where}: given messages that end with the {last.role}'s, expected the assistant's")
    return last.content if len(found.messages) == 1 and last == Message("assistant", last.content) else found


def turns_of(prompt: Text, response: Text = "") -> tuple[Message, ...]:
    """The messages that the last message of a response answers."""
    asked = (Message("user", prompt),) if isinstance(prompt, str) else prompt.messages
    return asked if isinstance(response, str) else (*asked, *response.messages[:-1])


def plain_text(given: Text, markers: tuple[str, str] = ("<think>", "</think>")) -> str:
    """A text as it is, or a conversation written out turn by turn, as it is shown to a judge or a person."""
    if isinstance(given, str):
        return given
    if len(given.messages) == 1 and given.messages[0].role == "assistant":
        return _said(given.messages[0], markers)
    return "\n\n".join(f"{one.role.capitalize()}:\n{_said(one, markers)}" for one in given.messages)


def _said(message: Message, markers: tuple[str, str]) -> str:
    text = message.content
    if message.reasoning is not None and not text.lstrip().startswith(markers[0]):  # some servers write it twice
        text = f"{markers[0]}{message.reasoning}{markers[1]}{text}"
    calls = json.loads(message.shown).get("tool_calls", ()) if message.shown else ()
    return "\n".join([*([text] if text or not calls else []), *(json.dumps(c.get("function", c)) for c in calls)])


def _listed(given: object, where: str) -> Sequence[Any]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Sequence):
        raise InnerjudgeError.of("models.no-messages", where, type(given).__name__)
    return given


def _parts(content: object, where: str) -> tuple[str, str]:
    """Text and reasoning of a content: a string, or a list of parts that are all text."""
    if content is None or isinstance(content, str):
        return content or "", ""
    texts, apart = [], []
    for part in _listed(content, f"{where}, content"):
        kind = str(part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__)
        if kind in REASONING and isinstance(part.get(kind), str):
            apart.append(part[kind])
        elif re.fullmatch("text|(in|out)put_text", kind) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            raise InnerjudgeError(f"{where}: given a part of type {kind!r:.40}, expected text: a judge reads text only")
    return "".join(texts), "".join(apart)


def _call(given: Any, where: str) -> dict[str, Any]:
    """A tool call whose arguments are an object, as templates read them; servers send them as a string."""
    inner = given.get("function", given) if isinstance(given, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise InnerjudgeError(f"{where}: given a tool call without a function's name, expected {{'function': {{...}}}}")
    arguments = inner.get("arguments", {})
    if isinstance(arguments, str):
        with suppress(ValueError):  # shown as it was written
            arguments = parse_json(arguments)
    function = {"name": inner["name"], "arguments": arguments}
    return {**{k: given[k] for k in ("id", "type") if k in given}, "function": function}
