"""Where the reasoning of a rendered text begins and ends, by the marks around it."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

#: Characters ``[start, end)`` of a text.
Span = tuple[int, int]
#: What stands before reasoning, and what behind it.
Markers = tuple[str, str]
#: Reasoning markers, as Qwen3, DeepSeek-R1 and the built-in model write them.
THINK = ("<think>", "</think>")
_WRITTEN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
#: Reasoning formats by name.
FORMATS: dict[str, Markers] = {name: (opening, closing) for name, (opening, closing) in _WRITTEN.items()}


def reasons(response: str, markers: Markers) -> bool:
    """Whether a response begins with the opening marker, or has the closing one anywhere."""
    opening, closing = markers
    return response.lstrip().startswith(opening) or closing in response


def in_format(response: str, markers: Markers, own: Markers) -> str:
    """A response whose reasoning stands between ``markers``, in the format that the template writes."""
    opening, closing = markers
    if own == markers or not reasons(response, markers):
        return response
    reasoning, closed, answer = response.partition(closing)
    reasoning = reasoning.lstrip().removeprefix(opening).strip()
    return f"{own[0]}{reasoning}{own[1]}{answer.lstrip()}" if closed else f"{own[0]}{reasoning}"


def marker_positions(
    spans: Sequence[Span], text: str, response_start: int, user_end: int, markers: Markers, prompt_end: int, *,
    sampled: bool = False
) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:  # fmt: skip
    """Role -> token of a marker's last character, and role -> why there is none.

    A reasoning block that the prompt left open begins there, whatever the response mentions; so does the block of a
    response that closes one before it opens any. Markers in the user turn do not count, nor does an opening marker
    after other words that is never closed, unless the response was ``sampled``.
    """
    opening, closing = markers
    start = text.rfind(opening, user_end, response_start)
    own = text.find(opening, response_start)
    mentioned = own < 0 or bool(text[response_start:own].strip())
    if start < 0 or text.find(closing, start, response_start) >= 0:  # the prompt left no block open
        first = text.find(closing, response_start)
        closes = first >= 0 and (own < 0 or first < own) and bool(text[response_start:first].strip())
        start = -1 if closes or (mentioned and first < 0 and not sampled) else own
    elif not mentioned:
        start = own  # sampled twice: the block begins at the second
    close = text.find(closing, start + len(opening) if start >= 0 else response_start)
    positions: dict[str, tuple[int, ...]] = {}
    missing: dict[str, str] = {}
    for role, at, marker in (("reasoning_start", start, opening), ("reasoning_end", close, closing)):
        token = last_overlap(spans, (at, at + len(marker))) if at >= 0 else None
        if token is not None:
            positions[role] = (token,)
        elif role == "reasoning_start" and close >= 0:
            positions[role] = (prompt_end,)
        else:
            missing[role] = f"no {marker} in the response"
    return positions, missing


def last_overlap(spans: Sequence[Span], wanted: Span) -> int | None:
    """Index of the last token that shares a character with ``wanted``."""
    start, end = wanted
    return max((i for i, (a, b) in enumerate(spans) if a < end and b > start), default=None)
