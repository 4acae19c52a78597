"""Steps that an answer brings along: where they stand in it, and which of them are known to be right."""

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from .errors import InnerjudgeError, shown
from .markers import Span

#: Texts of steps, or the characters ``[start, end)`` of each.
Steps = tuple[str, ...] | tuple[Span, ...]
#: Right, wrong or unknown, one a step.
StepLabels = tuple[bool | None, ...]


def checked_steps(response: str, steps: Any, labels: Any, first: Any) -> tuple[Steps, StepLabels | None, int | None]:
    """Steps, labels and first error of a response, of which labels and first error say what follows from the other.

    ``InnerjudgeError`` names the field that does not fit.
    """
    if not isinstance(steps, list | tuple) or not steps:
        raise _fault("steps", steps, "a list of the texts of steps, or of [start, end], beside what is known of them")
    own = tuple(tuple(one) if isinstance(one, list) else one for one in steps)
    step_spans(own, response)
    if labels is not None:
        whole = isinstance(labels, list | tuple) and len(labels) == len(own)
        if not whole or any(one not in (True, False, None) for one in labels):
            raise _fault("step_labels", labels, f"true, false or null for each of {len(own)} steps")
        labels = tuple(one if one is None else bool(one) for one in labels)
    if first is not None:
        if not isinstance(first, Integral) or isinstance(first, bool) or not -1 <= int(first) < len(own):
            raise _fault("first_error", first, f"the place of a step from 0 to {len(own) - 1}, or -1 for none")
        first, sound = int(first), len(own) if first < 0 else int(first)
        labels = (True,) * sound + (False, *[None] * len(own))[: len(own) - sound] if labels is None else labels
        if False in labels[:sound] or labels[sound : sound + 1] == (True,):
            raise _fault("first_error", first, f"the first step that step_labels call wrong: {labels}")
    elif labels is not None:
        known = labels[: labels.index(False)] if False in labels else labels
        first = None if None in known else -1 if known == labels else len(known)
    return own, labels, first


_SPACE = re.compile(r"\s*")


def step_spans(steps: Sequence[Any], response: str) -> tuple[Span, ...]:
    """Characters of each step in the response, in order; ``InnerjudgeError`` where they are not there.

    Texts follow one another, with nothing but white space between and around them.
    """
    found: list[Span] = []
    at = 0
    for k, step in enumerate(steps):
        if isinstance(step, str):
            start = at if response.startswith(step, at) else _SPACE.match(response, at).end()  # type: ignore[union-attr]
            span = (start, start + len(step))
            there = response.startswith(step, start)
        else:
            span = step
            whole = isinstance(span, tuple) and len(span) == 2 and all(isinstance(one, Integral) for one in span)
            there = whole and at <= int(span[0]) <= int(span[1]) <= len(response)
        if not there or not response[slice(*span)].strip():
            raise _fault("steps", step, f"step {k} in the response, behind the one before it, with some text in it")
        found.append((span[0], at := span[1]))
    if steps and isinstance(steps[-1], str) and response[at:].strip():
        raise _fault("steps", f"{len(steps)} steps", f"one with the end of the response, {shown(response[at:], 40)!r}")
    return tuple(found)


def _fault(name: str, given: Any, expected: str) -> InnerjudgeError:
    return InnerjudgeError(f"field {name!r}: given {shown(given, 80)}, expected {expected}: correct it")
