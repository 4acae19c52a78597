"""Answers that are the same mathematically: LaTeX, fractions, decimals, sets and expressions, by math-verify."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any

from ...models.extra import require
from ..data.answers import normalise

#: Longer answers are no final answers; they keep their own spelling.
_MOST = 400
#: Seconds for one answer or one comparison; what takes longer counts as different. A signal keeps them, which only the
#: main thread has.
_PATIENCE = 1
_NUMBER = re.compile(r"[-+]?[$]?[\d.,/ ]*\d[\d.,/ ]*%?")
#: Powers of powers, and exponents and factorials of many digits: to compute them would take for ever.
_HUGE = re.compile(r"\^\s*\{[^}]*\^|\*\*[^*+]*\*\*|(\^|\*\*)\s*\{?\s*-?\d{5,}|\d{5,}\s*!")
_SIGNS = re.compile(r"[\\^{}()\[\]+*=|<>]")


def equal_answers(answers: Sequence[str | None]) -> list[str | None]:
    r"""One spelling for answers that are mathematically equal.

    ``1/2``, ``0.5`` and ``\frac{1}{2}`` are one answer. Letters and words are compared as
    :func:`~innerjudge.experiments.data.answers.normalise` spells them. Every group has the
    spelling of its first member; an answer that cannot be parsed keeps its own.

    Args:
        answers: Final answers; ``None`` and blank ones give ``None``.

    Raises:
        InnerjudgeError: If math-verify (the extra ``[math]``) is not installed.

    Example:
        >>> equal_answers(["1/2", r"\frac{1}{2}", "0.50", "x=5", "5", "(b)", "B", "not given.", None])
        ['1/2', '1/2', '1/2', 'x=5', 'x=5', 'B', 'B', 'not given', None]
    """
    library = require("math_verify", "math")
    spellings: dict[str, str] = {}
    groups: list[tuple[str, list[Any]]] = []
    for answer in answers:
        plain = normalise(answer)
        if answer is None or plain is None or answer in spellings:
            continue
        parsed = _parsed(library, answer, plain)
        same = next((name for name, other in groups if name == plain or _equal(library, parsed, other)), None)
        if same is None:
            groups.append((plain, parsed))
        spellings[answer] = same or plain
    return [None if a is None else spellings.get(a) for a in answers]


def _parsed(library: Any, answer: str, plain: str) -> list[Any]:
    """What math-verify makes of an answer; nothing where it is words, a letter, or no answer at all."""
    text = answer.strip().strip("$").strip()
    if len(text) > _MOST or not (_NUMBER.fullmatch(text) or (_SIGNS.search(text) and len(plain) > 1)):
        return []
    if _HUGE.search(text):
        return []
    # Between dollars, the whole answer is one expression: of a bare "3\\sqrt{2}" only the 3 would be read.
    how = [library.LatexExtractionConfig()]
    return list(library.parse(f"${text}$", how, parsing_timeout=_patience()))


def _equal(library: Any, one: list[Any], other: list[Any]) -> bool:
    return bool(one and other and library.verify(one, other, timeout_seconds=_patience()))


def _patience() -> int | None:
    return _PATIENCE if threading.current_thread() is threading.main_thread() else None
