"""Prompts and completions that come as chat messages, as the text that a judge reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def text_of(given: Any) -> str | None:
    r"""Text of a string or of a list of messages ``{"role", "content"}``, contents joined by blank lines.

    Contents may be strings or lists of parts; parts other than text cannot be judged.

    Returns:
        ``None`` where there is anything but text.

    Example:
        >>> text_of([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}])
        'Be brief.\n\n2+2?'
        >>> text_of([{"role": "user", "content": [{"type": "image"}]}]) is None
        True
    """
    if isinstance(given, str):
        return given
    if not isinstance(given, Sequence):
        return None
    found = [_content(message) for message in given]
    texts = [text for text in found if text is not None]
    return "\n\n".join(texts) if len(texts) == len(found) else None


def reply_of(given: Any) -> str | None:
    """Text of a completion: a string, or the one message of an assistant; ``None`` for several (tool calls, say).

    Example:
        >>> reply_of([{"role": "assistant", "content": "4"}]), reply_of([]) is None
        ('4', True)
    """
    if isinstance(given, str):
        return given
    return text_of(given) if isinstance(given, Sequence) and len(given) == 1 else None


def _content(message: Any) -> str | None:
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return None
    parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts and len(texts) == len(parts) else None
