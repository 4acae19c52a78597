r"""Roles: places in a text, as half-open ranges of tokens.

A role is written as text, so that it can be part of the name of a readout: ``PART/KIND(ARGUMENT)@SHIFT``, of which only
the kind is required.

| role | ranges |
| --- | --- |
| ``prompt``, ``response``, ``reasoning``, ``text`` | the part (of ``text`` both prompt and response), one range |
| ``step``, ``step(line)``, ``step(sentence)`` | text up to and with a blank line (a line's end, a sentence's end) |
| ``step_end`` | the last token of each step |
| ``before_step`` | the token before each delimiter, and the last token of the part |
| ``segment(500)`` | blocks of 500 tokens, and what is left |
| ``token`` | each token of the part |
| ``start(3)`` | the first 3 tokens, or as many as there are, as one range |
| ``nth_last(2)`` | the second last token |
| ``cue(wait,hmm)`` | the token in which each such word ends |
| ``chunk``, ``chunk(wait,verify;line)`` | steps up to the next one that has such a word, and so starts a new path |
| ``named``, ``named(entity)`` | the item's own ``spans``: all, or those of such names |
| ``own_text(ROLE)`` | the role in what the judge wrote; ``score`` is the token before its verdict, or a cue's end |
| any other word | the position of that name |

An item's own steps (:attr:`.Trace.steps`) take the place of those between delimiters, in whatever part of the answer.

Without a part it is the response; ``reasoning/step_end`` means the ends of the steps of the reasoning. ``@-1`` is the
token before a range: its state wrote the range's first token. What is found in the response never lies in the prompt.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast, get_args

from .errors import InnerjudgeError
from .markers import Span, last_overlap

Part = Literal["prompt", "response", "reasoning", "text"]
PARTS: tuple[Part, ...] = get_args(Part)
#: Kinds of role that stand within a part; the value is the argument where none is written.
_WITHIN = {"step": "blank", "step_end": "blank", "before_step": "blank"}
_WITHIN |= {"segment": "", "start": "", "nth_last": "", "cue": ""}
#: Words of a paragraph that starts a new path of reasoning (arXiv 2504.05419); every name of a span.
_WITHIN |= {"chunk": "wait,double-check,alternatively,make sure,another way,verify,to confirm", "named": "*"}
_WRITTEN = re.compile(r"(?:(prompt|response|reasoning|text)/)?(\w+)(?:\((.+)\))?(@-1)?", re.DOTALL)

#: Where a step ends. Each expression begins at a character that the scan meets once, so its time is linear.
_DELIMITERS = {
    "blank": re.compile(r"\r?\n(?:[ \t]*\r?\n)+"),
    "line": re.compile(r"\r?\n(?:[ \t]*\r?\n)*"),
    "sentence": re.compile(r"(?<!^\d)(?<!^\d\d)[.!?][\"')\]]*\s+|\r?\n(?:[ \t]*\r?\n)*", re.MULTILINE),
}
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Role:
    """A role, read from its text by :meth:`parse`: the ``kind`` of range to find within a part, or a position.

    ``argument`` is the delimiter, the number of tokens, the words or the name; ``shift`` -1 for the token before.
    """

    kind: str
    part: Part | None = None
    argument: str = ""
    shift: int = 0

    @classmethod
    def parse(cls, text: str) -> "Role":
        """Read a role from its text; ``InnerjudgeError`` says what is wrong with it."""
        match = _WRITTEN.fullmatch(text)
        if match is None:
            raise InnerjudgeError(f"given the role {text!r}, expected one such as response, step_end or cue(wait)")
        part, kind, argument, shift = match.groups()
        if kind == "token" and not argument:
            kind, argument = "segment", "1"
        if kind in PARTS and not part and not argument:
            part = kind
        elif kind in _WITHIN:
            part, argument = part or "response", argument or _WITHIN[kind]
            _check_argument(text, kind, argument)
        elif kind == "own_text" and argument and not (part or shift or argument.startswith("own_text(")):
            Role.parse(argument)
        elif part or argument:
            raise InnerjudgeError.of("models.role", text, ", ".join((*_WITHIN, "token", "own_text")))
        return cls(kind, cast(Part | None, part), argument or "", -1 if shift else 0)

    @property
    def many(self) -> bool:
        """Whether an item may have several ranges of this role."""
        if self.kind == "own_text":
            return Role.parse(self.argument).many
        return self.kind == "option_end" or (self.kind in _WITHIN and self.kind not in ("start", "nth_last"))


def _check_argument(text: str, kind: str, argument: str) -> None:
    if kind in ("segment", "start", "nth_last"):
        ok, expected = argument.isdecimal() and int(argument) > 0, f"a number of tokens, such as {kind}(2)"
    elif kind in ("cue", "chunk", "named"):
        words, _, delimiter = argument.partition(";" if kind == "chunk" else "\0")
        ok, expected = all(map(str.strip, words.split(","))), f"words, such as {kind}(wait,hmm)"
        ok = ok and (delimiter or "blank") in _DELIMITERS
    else:
        ok, expected = argument in _DELIMITERS, f"a delimiter: {', '.join(_DELIMITERS)}"
    if not ok or not argument:
        raise InnerjudgeError(f"given the role {text!r}, expected {expected}")


def checked_roles(names: Sequence[str]) -> list[Role]:
    """Read roles whose ranges end where a text that is still being written can be looked at.

    ``InnerjudgeError`` for others: the end of a sentence, say, is known only from the tokens after it.
    """
    roles = [Role.parse(name) for name in names]
    for name, role in zip(names, roles, strict=True):
        steps = role.kind in ("step", "step_end") and role.argument in ("blank", "line")
        if not (steps or role.kind in ("segment", "cue")) or role.part in ("prompt", "text") or role.shift:
            raise InnerjudgeError.of("models.role-along", name)
    return roles


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text, the characters ``[start, end)`` of each of its tokens, of spans by name, and of the item's own steps."""

    text: str
    spans: Sequence[Span]
    named: Sequence[tuple[str, Span]] = ()
    steps: Sequence[Span] | None = None


def ranges_within(role: Role, tokens: Tokens, part: Span) -> tuple[Span, ...]:
    r"""Ranges of a role within the tokens ``[start, end)`` of a part, before any shift; none where there is none.

    A token belongs to the step in which its first character lies, so one that straddles a delimiter ends a step. Fenced
    code is never split. White space alone is not a step.
    """
    first, last = part
    if first >= last:
        return ()
    match role.kind:
        case "segment":
            size = int(role.argument)
            return tuple((k, min(k + size, last)) for k in range(first, last, size))
        case "start":
            return ((first, min(first + int(role.argument), last)),)
        case "nth_last":
            at = last - int(role.argument)
            return ((at, at + 1),) if at >= first else ()
        case "cue":
            return tuple((k, k + 1) for k in _cues(role.argument, tokens, part))
        case "chunk":
            return _chunks(role.argument, tokens, part)
        case "named":
            return _named(role.argument, tokens, part)
    own = tokens.steps is not None and role.part not in ("prompt", "text")
    steps = _own_steps(tokens, part) if own else _steps(_DELIMITERS[role.argument], tokens, part)
    if role.kind == "step":
        return tuple(step for step, _ in steps)
    if role.kind == "step_end":
        return tuple((end - 1, end) for (_, end), _ in steps)
    if own:
        return tuple((k := max(_before(tokens.spans, end, stop, a), a), k + 1) for (a, end), stop in steps)
    before = sorted({_before(tokens.spans, end, delimiter, first) for (_, end), delimiter in steps} | {last - 1})
    return tuple((k, k + 1) for k in before if k >= first)


def _chunks(argument: str, tokens: Tokens, part: Span) -> tuple[Span, ...]:
    """Steps put together, up to the next one in which a word stands."""
    words, _, delimiter = argument.partition(";")
    found: list[Span] = []
    for (start, end), _ in _steps(_DELIMITERS[delimiter or "blank"], tokens, part):
        said = tokens.spans[start][0], tokens.spans[end - 1][1]
        if found and not _cue_pattern(words).search(tokens.text, *said):
            start = found.pop()[0]
        found.append((start, end))
    return tuple(found)


def _named(names: str, tokens: Tokens, part: Span) -> tuple[Span, ...]:
    """Tokens that overlap the spans of these names, in their order in the text."""
    first, last = part
    starts, ends = ([span[side] for span in tokens.spans[first:last]] for side in (0, 1))
    own = (span for one, span in tokens.named if names == "*" or one in map(str.strip, names.split(",")))
    cuts = sorted({(bisect_right(ends, a), bisect_left(starts, b)) for a, b in own})
    return tuple((first + a, first + b) for a, b in cuts if a < b)


def _before(spans: Sequence[Span], end: int, delimiter: int, first: int) -> int:
    """The last token before the one that holds the character ``delimiter``; ``first - 1`` where there is none."""
    at = end - 1
    while at >= first and spans[at][1] > delimiter:
        at -= 1
    return at


def _own_steps(tokens: Tokens, part: Span) -> list[tuple[Span, int]]:
    """The item's steps as in :func:`_steps`; none where one has no token.

    A token belongs to the step of its first character that is no white space, one of white space alone to the step
    before: a delimiter in the text of a step, or between two, ends the first of them.
    """
    (first, last), own, found = part, tokens.steps or (), list[tuple[Span, int]]()
    pieces = ((a, tokens.text[a:b]) for a, b in tokens.spans[first:last])
    starts = [a + len(piece) - len(piece.lstrip()) if piece.strip() else a for a, piece in pieces]
    for k, (begin, end) in enumerate(own):
        after = own[k + 1][0] if k + 1 < len(own) else len(tokens.text)
        cut = end if tokens.text[end:after].strip() else after
        span = first + bisect_left(starts, begin), first + bisect_left(starts, cut)
        if span[0] == span[1]:
            return []
        found.append((span, begin + len(tokens.text[begin:end].rstrip())))
    return found


def _steps(delimiter: re.Pattern[str], tokens: Tokens, part: Span) -> list[tuple[Span, int]]:
    """Tokens of each step with its delimiter, and the character at which the delimiter begins (or the step ends)."""
    first, last = part
    starts = [max(start, tokens.spans[first][0]) for start, _ in tokens.spans[first:last]]
    begin, stop = starts[0], max(tokens.spans[last - 1][1], starts[0])
    cuts = [(m.start(), m.end()) for m in _outside_code(delimiter, tokens.text, begin, stop)]
    found: list[tuple[Span, int]] = []
    at, token = begin, first
    for ends, cut in (*((a, min(b, stop)) for a, b in cuts), (stop, stop)):
        if not tokens.text[at:ends].strip():  # white space alone: it goes with what follows, or with the last step
            if cut == stop and found:
                (start, _), where = found[-1]
                found[-1] = (start, last), where
            continue
        until = last if cut == stop else first + bisect_left(starts, cut)
        if until > token:
            found.append(((token, until), ends))
            at, token = cut, until
    return found


def _outside_code(delimiter: re.Pattern[str], text: str, begin: int, stop: int) -> list[re.Match[str]]:
    """Delimiters that do not lie within fenced code; a fence that nothing closes runs to the end."""
    fences, found, k = [span for span, _ in _fences(text, begin, stop)], [], 0
    for match in delimiter.finditer(text, begin, stop):
        while k < len(fences) and fences[k][1] <= match.start():
            k += 1
        if k == len(fences) or match.start() < fences[k][0]:
            found.append(match)
    return found


def _fences(text: str, begin: int, stop: int) -> Iterator[tuple[Span, str]]:
    """The characters of each fenced code, and the mark that is still to close it, if any."""
    at = begin
    while opened := _FENCE.search(text, at, stop):
        closing = re.compile(rf"^ {{0,3}}{opened[1]}{opened[1][0]}*[ \t]*(?=\r?$)", re.MULTILINE)
        closed = closing.search(text, opened.end(), stop)
        at = closed.end() if closed else stop
        yield (opened.start(), at), "" if closed else opened[1]


def standing_in(role: Role, text: str, begin: int) -> tuple[str, int] | None:
    """A short text that can replace the part so far, ``text[begin:]``, and where the part begins in it.

    The cues and steps (split by blank lines or lines) of whatever follows are the same after it; it keeps only the last
    step so far. ``None`` where the end of the text does not allow it: ask again when there is more text.
    """
    if not text or text.endswith("\ufffd"):
        return None
    if role.kind == "cue":
        cut = max(begin, len(text) - 1 - max(map(len, role.argument.split(","))))
        for match in _cue_pattern(role.argument).finditer(text, begin):
            cut = match.end() if match.start() < cut < match.end() else cut
        return (text[cut - 1 :], 1) if cut > begin else (text, begin)
    if text[-1] != "\n" and (text[-1].isspace() or text[-1] in "`~"):  # a line that may become a fence
        return None
    body = text[begin:].rstrip()
    after = re.sub(r"(?:[ \t]*\r?\n){3,}", "\n\n", text[begin + len(body) :])
    if not body:
        return text[:begin] + after, begin
    open_mark = "".join(mark for _, mark in _fences(text, begin, len(text)))
    return (f"{open_mark}\nx{after}" if open_mark else f"x{after}"), 0


@lru_cache(maxsize=64)
def _cue_pattern(words: str) -> re.Pattern[str]:
    choices = "|".join(re.escape(word.strip()) for word in words.split(","))
    return re.compile(rf"(?<!\w)(?:{choices})(?!\w)", re.IGNORECASE)


def _cues(words: str, tokens: Tokens, part: Span) -> list[int]:
    """Tokens in which one of the words ends, each once; whole words in any case."""
    first, last = part
    own = tokens.spans[first:last]
    ends = [end for _, end in own]
    found = set()
    for match in _cue_pattern(words).finditer(tokens.text, own[0][0], own[-1][1]):
        k = bisect_left(ends, match.end())  # the first token that reaches the word's last character
        if k < len(own) and last_overlap(own[k : k + 1], (match.end() - 1, match.end())) is not None:
            found.add(first + k)
    return sorted(found)
