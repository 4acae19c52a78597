"""Where the reasoning of a rendered text begins and ends, by the marks around it."""

from __future__ import annotations

from collections.abc import Sequence

#: Characters ``[start, end)`` of a text.
Span = tuple[int, int]


def marker_positions(
    spans: Sequence[Span],
    text: str,
    response_start: int,
    user_end: int,
    markers: tuple[str, str],
    prompt_end: int,
) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Role -> token of a marker's last character, and role -> why there is none."""
    opening, closing = markers
    start = text.find(opening, response_start)
    if start < 0:
        prefilled = text.rfind(opening, user_end, response_start)
        left_open = prefilled >= 0 and text.find(closing, prefilled, response_start) < 0
        start = prefilled if left_open else -1
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
