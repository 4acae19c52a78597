"""From a prompt to token ids and token positions, found by character offsets and checked on every item.

Positions by role: ``prompt_end``, ``response_end``, ``reasoning_start``, ``reasoning_end``, ``score`` (the token before
the verdict) and ``option_end`` (one per option line). A position that an item lacks has a reason instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .arguments import checked
from .chat import ChatPrompt, Frames, render, require_unrendered, write_trace
from .conversation import plain_text
from .errors import UnreadableError
from .items import Trace
from .markers import THINK, Markers, Span, last_overlap, marker_positions
from .prompts import Prompt
from .roles import PARTS, Role, Tokens, ranges_within
from .tokens import FastTokenizer, LabelTokens, control_tokens, decoded, replayed_spans, tokens
from .unfit import unfit

#: Tokens that an opening marker and what follows it take at the end of a prompt, at most.
_NEAR = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One text, ready for the pass: token ids without padding, and role -> token indices (one, or one per option).

    ``label_ids`` are the tokens of the verdict labels in this context, in order. ``missing`` says why a role has no
    position; the role ``"*"`` stands for all of them. ``ranges`` are the token ranges of the roles that were asked for.
    """

    id: str
    group: str
    ids: tuple[int, ...]
    positions: Mapping[str, tuple[int, ...]]
    label_ids: tuple[int, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)

    def places(self, role: str) -> tuple[Span, ...]:
        """Token ranges ``[start, end)`` of a role (a position is a range of one token); empty if the item lacks it."""
        at = self.positions
        if role in self.ranges:
            return self.ranges[role]
        if role == "prompt" and role not in at and "prompt_end" in at:
            return ((0, at["prompt_end"][0] + 1),)
        if role == "text" and self.ids:
            return ((0, len(self.ids)),)
        if role == "response" and role not in at and "response_end" in at:
            return ((at["prompt_end"][0] + 1, at["response_end"][0] + 1),)
        return tuple((k, k + 1) for k in at.get(role, ()))

    def tokens(self, role: str) -> tuple[int, ...]:
        """Tokens of a role, range after range; empty if the item lacks it."""
        return tuple(k for start, end in self.places(role) for k in range(start, end))


class Alike:
    """A cache of what the texts of one tokenizer (which must not change) have in common; it only saves time."""

    def __init__(self, tokenizer: FastTokenizer) -> None:
        self.frames: Frames = {}
        self.labels = LabelTokens(tokenizer)


@checked
def encode_trace(
    tokenizer: FastTokenizer, trace: Trace, *, markers: Markers = THINK, sampled_by: str | None = None,
    alike: Alike | None = None, roles: Sequence[str] = ()
) -> Encoding:  # fmt: skip
    """Encode a question and its sampled answer.

    Stored token ids (``extra["response_ids"]``, sampled by the model with fingerprint ``extra["sampled_by"]``) are
    used again when that is the model ``sampled_by``: tokenising decoded text need not give the same ids. ``alike`` is a
    cache for this tokenizer, which saves time where many texts are encoded.

    The prompt lets the model reason, as it does when the answer is sampled (ids that are replayed, and the empty
    response to sample from). A response given as text without reasoning is written as the template writes an answer,
    header included, and a block that the template opens is closed, so that an ordinary answer is not its reasoning. A
    template with marks of its own around reasoning (channels) is given it between those.

    Positions are ``prompt_end`` and ``response_end``, and the markers' last tokens as ``reasoning_start`` and
    ``reasoning_end``. The opening marker is one that the template left open at the end of the prompt, else the first of
    the response; the closing one is the first after it. A response that closes a block which neither opened (written
    for a template that opens one) reasons from its beginning: ``reasoning_start`` is ``prompt_end``. A response that
    only mentions the opening marker has no reasoning. ``roles`` (see :mod:`.roles`) are looked for as well; they are
    found in ``ranges``, or in ``missing``.
    """
    stored: list[int] = list(trace.extra.get("response_ids") or ())
    broken = trace.unanswered or unfit(tokenizer, plain_text(trace.prompt), plain_text(trace.response), ids=stored)
    if broken:
        return unreadable(trace.id, trace.group, broken)
    replayed = bool(stored) and sampled_by is not None and trace.extra.get("sampled_by") == sampled_by
    sampled = decoded(tokenizer, stored) if replayed else None
    frames = None if alike is None else alike.frames
    try:
        require_unrendered(tokenizer, trace.prompt, frames)
        prompt, answer, user_end, markers = write_trace(tokenizer, trace, sampled, markers=markers, frames=frames)
    except UnreadableError as error:
        return unreadable(trace.id, trace.group, str(error))
    text = prompt + answer
    if replayed:
        ids, spans = tokens(tokenizer, prompt)
        prompt_end = len(ids) - 1
        ids, spans = (*ids, *stored), spans + replayed_spans(tokenizer, stored, len(prompt))
    else:
        ids, spans = tokens(tokenizer, text)
        prompt_end = max((i for i, (_, end) in enumerate(spans) if end <= len(prompt)), default=0)
    whole = Tokens(text, spans, steps=_own_steps(trace, text, len(prompt)))
    return _placed(trace, ids, whole, (len(prompt), prompt_end), user_end, markers, roles, sampled=replayed)


def _own_steps(trace: Trace, text: str, begin: int) -> tuple[Span, ...] | None:
    """Characters of an item's steps in the whole text, whose answer begins there; none where they are not found."""
    if trace.steps is None:
        return None
    said, spans = plain_text(trace.response), trace.step_spans
    place = text.find(said.strip(), begin)
    if place >= 0:
        place -= len(said) - len(said.lstrip())
        return tuple((place + a, place + b) for a, b in spans)
    found: list[Span] = []
    for a, b in spans:  # the template wrote the reasoning in a format of its own
        place = text.find(said[a:b].strip(), begin)
        if place < 0:
            return ()
        found.append((place, begin := place + len(said[a:b].strip())))
    return tuple(found)


def encode_sampled(
    tokenizer: FastTokenizer, prompt: Sequence[int], answer: Sequence[int], *, markers: Markers = THINK,
    roles: Sequence[str] = (), item: str = ""
) -> Encoding:  # fmt: skip
    """Encode an answer from token ids alone: of its prompt, as a template rendered it, and of what was sampled.

    Positions are those of :func:`encode_trace`. Where the user's text ends is not known, so the prompt has opened the
    reasoning only if it ends with the opening marker.
    """
    text, said, ids = decoded(tokenizer, list(prompt)), decoded(tokenizer, list(answer)), [*prompt, *answer]
    # Where the tokens of a long prompt stand takes time; without a role in it, those of a marker at its end will do.
    near = list(prompt if any(role.startswith(("prompt/", "text/")) for role in roles) else prompt[-_NEAR:])
    spans = replayed_spans(tokenizer, near, len(text) - len(decoded(tokenizer, near)))
    spans = [(0, 0)] * (len(prompt) - len(near)) + spans + replayed_spans(tokenizer, list(answer), len(text))
    whole = Tokens(text + said, spans)
    opened = text.rstrip().endswith(markers[0])
    user_end = len(text.rstrip()) - len(markers[0]) if opened else len(text)
    trace = Trace(question_id=item, candidate_id="", prompt="", response="")
    return _placed(trace, ids, whole, (len(text), len(prompt) - 1), user_end, markers, roles, sampled=True)


@checked
def encode_own_text(
    tokenizer: FastTokenizer, asked: Encoding, said: Sequence[int], *, verdict: int | str, roles: Sequence[str],
    cue: str = "", markers: Markers = THINK
) -> Encoding:  # fmt: skip
    """A prompt and the tokens that the judge wrote after it; ``own_text(ROLE)`` of ``roles`` is the role in these.

    ``verdict`` is the first character of the verdict in what it wrote, or why there is none; the role ``score`` is the
    token before it, or the end of a ``cue`` that then follows what was written. Other roles are those of
    :func:`encode_sampled`, as are ``prompt`` and the like by themselves, and the options stand where they stood.
    """
    inside = {r: one.argument if (one := Role.parse(r)).kind == "own_text" else r for r in roles if r != "option_end"}
    within = [one for one in inside.values() if one != "score"]
    found = encode_sampled(tokenizer, asked.ids, said, markers=markers, roles=within, item=asked.id)
    ranges, missing = {role: found.places(one) for role, one in inside.items()}, {**asked.missing, **found.missing}
    ids = found.ids
    if isinstance(verdict, int):
        ends = (end for _, end in replayed_spans(tokenizer, list(said), 0))
        at = len(asked.ids) - 1 + next(k for k, end in enumerate(ends) if end > verdict)
    else:
        missing["score"] = verdict
        ids += tuple(tokenizer(f"\n{cue}", add_special_tokens=False)["input_ids"]) if cue else ()
        at = len(ids) - 1
    if isinstance(verdict, int) or cue:
        ranges |= {role: ((at, at + 1),) for role, one in inside.items() if one == "score"}
    missing |= {role: missing.get(inside[role], f"no {inside[role]} in what was written") for role in inside}
    places = {role: (some[0][0],) for role, some in ranges.items() if len(some) == 1}
    kept = {role: at for role, at in asked.positions.items() if role == "option_end"}
    return replace(asked, ids=ids, positions=kept | places, ranges=ranges, missing=missing)


def _placed(
    trace: Trace, ids: Sequence[int], text: Tokens, prompt: tuple[int, int], user_end: int, markers: Markers,
    roles: Sequence[str], *, sampled: bool
) -> Encoding:  # fmt: skip
    """Positions and ranges in a whole text; ``prompt`` is its number of characters and its last token."""
    characters, prompt_end = prompt
    named = _named_spans(trace, text.text, characters) if any("named" in role for role in roles) else []
    found = marker_positions(text.spans, text.text, characters, user_end, markers, prompt_end, sampled=sampled)
    positions, missing = found
    positions["prompt_end"] = (prompt_end,)
    if prompt_end + 1 < len(ids):
        positions["response_end"] = (len(ids) - 1,)
    else:
        missing["response_end"] = "the response is empty"
    if isinstance(named, str):
        missing["named"] = named
    else:
        text = replace(text, named=named)
    item = Encoding(id=trace.id, group=trace.group, ids=tuple(ids), positions=positions, missing=missing)
    return with_ranges(item, roles, text, markers[1]) if roles else item


def _named_spans(trace: Trace, text: str, begin: int) -> list[tuple[str, Span]] | str:
    """The item's own spans, as characters of the whole text, or what is wrong; none if the template changed these."""
    given, response = trace.extra.get("spans") or (), plain_text(trace.response)
    named: Mapping[str, Sequence[Span]] = given if isinstance(given, Mapping) else {"": given}
    at = text.find(response.strip(), begin)
    at -= (len(response) - len(response.lstrip())) * (at >= 0)
    try:
        found = [(name, (at + a, at + b)) for name, spans in named.items() for a, b in spans]
        if not all(at <= a < b <= at + len(response) for _, (a, b) in found):
            raise ValueError
    except (TypeError, ValueError):
        return f"its spans {given!r:.60} are not [start, end] characters of its response, in a list or in lists by name"
    return found if at >= 0 else []


def with_ranges(item: Encoding, roles: Sequence[str], tokens: Tokens, closing: str) -> Encoding:
    """An item with the token ranges of roles, or the reasons why it has none; ``closing`` ends its reasoning."""
    ranges: dict[str, tuple[Span, ...]] = {}
    missing = dict(item.missing)
    parts = {part: span for part in PARTS for span in _part(item, part, tokens, closing)}
    absent = {"response": missing.get("response_end"), "reasoning": missing.get("reasoning_end")}
    for name in dict.fromkeys(roles):
        role = Role.parse(name)
        own = tokens.steps is not None and role.part in ("response", "reasoning") and "step" in role.kind
        role = replace(role, part="response") if own else role
        if role.part is None:
            found = item.places(role.kind)
        elif role.part not in parts:
            missing[name] = absent.get(role.part) or f"the {role.part} is empty"
            continue
        else:
            part = parts[role.part]
            found = (part,) if role.kind == role.part else ranges_within(role, tokens, part)
        moved = tuple((a + role.shift, b + role.shift) for a, b in found if a + role.shift >= 0)
        if moved:
            ranges[name] = moved
        else:
            place = f" in the {role.part}" if role.part else ""
            why = "a step of the item has no token of its own" if own else f"no {name.split('/')[-1]}{place}"
            missing.setdefault(name, missing.get(role.kind, why))
    return replace(item, ranges={**item.ranges, **ranges}, missing=missing)


def _part(item: Encoding, part: str, tokens: Tokens, closing: str) -> tuple[Span, ...]:
    """Tokens of a part, or none; those of the reasoning lie between its markers, and behind the prompt."""
    if part != "reasoning":
        return item.places(part)
    if not {"reasoning_start", "reasoning_end"} <= item.positions.keys():
        return ()
    # A template may open the reasoning, and write a line end behind the marker.
    start = max(item.positions["reasoning_start"][0], *item.positions.get("prompt_end", (-1,))) + 1
    end = item.positions["reasoning_end"][0]
    mark = tokens.text.rfind(closing, 0, tokens.spans[end][1])
    while end > start and tokens.spans[end - 1][0] >= mark:
        end -= 1
    return ((start, end),) if end > start else ()


def encode_prompt(
    tokenizer: FastTokenizer, item_id: str, group: str, prompt: Prompt, *, reasoned: bool = False,
    markers: Markers = THINK, alike: Alike | None = None
) -> Encoding:  # fmt: skip
    """Encode a prompt whose verdict is the next token (direct), or that the model answers freely (``reasoned``).

    Direct: position ``score`` (the last token), ``label_ids`` and, for choices, ``option_end`` (the last token that
    overlaps each option line, newline included). Reasoned: ``prompt_end`` and ``option_end``. ``UnreadableError``
    if a label is not one token in this context. Text that is not valid Unicode is no error: the item then lacks every
    position. ``alike`` is a cache for this tokenizer, which saves time where many prompts are encoded.
    """
    broken = unfit(tokenizer, plain_text(prompt.turns))
    if broken:
        return unreadable(item_id, group, broken)
    frames = None if alike is None else alike.frames
    try:
        require_unrendered(tokenizer, prompt.asked, frames)
        rendered = render(tokenizer, prompt.turns, thinking=reasoned, markers=markers, frames=frames)
    except UnreadableError as error:
        return unreadable(item_id, group, str(error))
    if not rendered.judged[1] and not control_tokens(tokenizer).isdisjoint(tokens(tokenizer, prompt.user)[0]):
        return unreadable(item_id, group, "the chat template moves a text with control tokens in it")
    if reasoned:
        found = encode_stem(tokenizer, item_id, group, prompt, rendered, rendered.text)
        return replace(found, positions={role: at for role, at in found.positions.items() if role != "score"})
    stem = rendered.text + rendered.glue + prompt.cue
    labels = alike.labels if alike else LabelTokens(tokenizer)
    ids, spans, label_ids = labels.after(stem, prompt.labels, prompt.cue, rendered.judged)
    return replace(_verdict_encoding(item_id, group, prompt, rendered, ids, spans), label_ids=label_ids)


def encode_stem(
    tokenizer: FastTokenizer, item_id: str, group: str, prompt: Prompt, rendered: ChatPrompt, stem: str
) -> Encoding:
    """A rendered prompt up to the end of ``stem``, where its verdict stands; without ``label_ids``."""
    ids, spans = tokens(tokenizer, stem, rendered.judged)
    return _verdict_encoding(item_id, group, prompt, rendered, ids, spans)


def _verdict_encoding(
    item_id: str, group: str, prompt: Prompt, rendered: ChatPrompt, ids: tuple[int, ...], spans: Sequence[Span]
) -> Encoding:
    positions: dict[str, tuple[int, ...]] = {"score": (len(ids) - 1,), "prompt_end": (len(ids) - 1,)}
    missing: dict[str, str] = {}
    if prompt.option_spans:
        start = rendered.user_start
        ends = [last_overlap(spans, (start + a, start + b)) for a, b in prompt.option_spans if start >= 0]
        if not ends:
            missing["option_end"] = "the chat template changed the text of the options"
        elif any(e is None for e in ends) or len(set(ends)) < len(ends):
            missing["option_end"] = "an option line has no token of its own"
        else:
            positions["option_end"] = tuple(e for e in ends if e is not None)
    return Encoding(id=item_id, group=group, ids=ids, positions=positions, missing=missing)


def unreadable(item_id: str, group: str, reason: str) -> Encoding:
    """An item that cannot be put to the model, with the reason."""
    return Encoding(id=item_id, group=group, ids=(), positions={}, missing={"*": reason})
