"""The four kinds of item that a judge can be asked about.

An item is plain data: what was asked, what was answered, and (optionally) what is known about the answer. Prompts
and token positions are made from items; labels are read from them by the comparison only.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any, ClassVar

from .conversation import Text, as_prompt, as_response, plain_text
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


#: Fields of a trace about its steps.
_OF_STEPS = ("steps", "step_labels", "first_error")


class _Named:
    """What all items have: ids, texts, and the question that they belong to."""

    __slots__ = ()
    _ids: ClassVar[tuple[str, ...]]  # fields whose values, joined, are the item's name
    _texts: ClassVar[tuple[str, ...]] = ("prompt", "response")  # the first is what was asked
    extra: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in self._ids:
            value = getattr(self, name)
            if not isinstance(value, str):
                given = f"{type(self).__name__}: given a {type(value).__name__} as {name}"
                raise InnerjudgeError(f"{given}, expected a string: write str(...)")
        for name in self._texts:  # lists of messages become conversations, and those of one plain message its text
            read = as_prompt if name == self._texts[0] else as_response
            object.__setattr__(self, name, read(getattr(self, name), f"{type(self).__name__}.{name}"))

    @property
    def id(self) -> str:
        """Unique name of the item within its data set."""
        return "/".join(getattr(self, name) for name in self._ids)

    @property
    def group(self) -> str:
        """Unit of splitting and of intervals: the question; null and an empty name in ``extra`` are none."""
        own = str(getattr(self, self._ids[0]))
        named = None if self._ids[0] == "question_id" else self.extra.get("question_id")
        return own if named is None or named == "" else str(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace(_Named):
    """One sampled answer, with its reasoning, to one question.

    Args:
        question_id: Traces with the same ``question_id`` are candidates of one question.
        candidate_id: Unique within the question.
        prompt: What the user asked: a text, or a list of messages (system, earlier turns) that ends with the user's.
        response: What the model wrote, reasoning markers included; or its message, with ``reasoning_content`` apart.
            Messages before it (tool calls and their results) belong to what it answers.
        answer: The final answer, as used for voting.
        correct: Whether ``answer`` is right; ``None`` where unknown.
        steps: Steps of the response: their texts, which follow one another with nothing but white space between them
            and make up the whole of it, or the characters ``(start, end)`` of each. Roles such as ``step_end`` then
            take these.
        step_labels: Whether each step is right; ``None`` where unknown.
        first_error: Index of the first wrong step, -1 if there is none, ``None`` where unknown. It follows from the
            labels; labels follow from it, unknown behind the error.
        extra: Unknown fields of the input, kept as they were; ``extra["unanswered"]`` says why there is no response.

    Example:
        >>> Trace(question_id="q1", candidate_id="0", prompt="1+1?", response="<think>1+1=2</think>2").id
        'q1/0'
        >>> fields = {"question_id": "q1", "candidate_id": "1", "prompt": "1+1?"}
        >>> Trace(**fields, response="1+1=3. So 3.", steps=["1+1=3.", "So 3."], first_error=0).step_labels
        (False, None)
    """

    _ids = ("question_id", "candidate_id")
    question_id: str
    candidate_id: str
    prompt: Text
    response: Text
    answer: str | None = None
    correct: bool | None = None
    steps: Steps | None = None
    step_labels: StepLabels | None = None
    first_error: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _Named.__post_init__(self)
        given = self.steps, self.step_labels, self.first_error
        if given != (None, None, None):
            for name, value in zip(_OF_STEPS, checked_steps(plain_text(self.response), *given), strict=True):
                object.__setattr__(self, name, value)

    @property
    def step_spans(self) -> tuple[Span, ...]:
        """Characters ``[start, end)`` of each step in the response; none where the item has no steps."""
        return step_spans(self.steps or (), plain_text(self.response))

    @property
    def step_texts(self) -> tuple[str, ...]:
        """The text of each step."""
        said = plain_text(self.response)
        return tuple(said[start:end] for start, end in self.step_spans)

    def bare(self, **changed: Any) -> "Trace":
        """The question without a response and what is known of it, and with the fields that are to be changed."""
        return replace(self, **{"response": "", "answer": None, "correct": None, **dict.fromkeys(_OF_STEPS), **changed})

    @property
    def unanswered(self) -> str | None:
        """Why there is no response, where its source says so: such an item is unscored by every judge."""
        reason = self.extra.get("unanswered")
        return f"no response: {reason}" if isinstance(reason, str) and reason and not self.response else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating(_Named):
    """One response that people scored on a scale.

    ``group`` is ``extra["question_id"]`` where the data give one (several responses to one prompt), else the item.

    Example:
        >>> Rating(item_id="r1", prompt="Say hi.", response="hi", scores=(4, 5)).mean_score
        4.5
    """

    _ids = ("item_id",)
    item_id: str
    prompt: Text
    response: Text
    criterion: str | None = None
    reference: str | None = None
    scores: tuple[float, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _Named.__post_init__(self)
        many = self.scores
        if many is not None and not (isinstance(many, list | tuple) and all(isinstance(one, Real) for one in many)):
            raise InnerjudgeError(f"Rating: given scores={many!r:.60}, expected a tuple of numbers: write scores=(4,)")

    @property
    def mean_score(self) -> float | None:
        """Mean of the human scores; ``None`` without any."""
        return sum(self.scores) / len(self.scores) if self.scores else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(_Named):
    """One multiple-choice question; ``answer`` is the 0-based index of the right option.

    Example:
        >>> Choice(question_id="c1", question="Which is a fruit?", options=("iron", "pear"), answer=1).id
        'c1'
    """

    _ids, _texts = ("question_id",), ("question",)
    question_id: str
    question: Text
    options: tuple[str, ...]
    answer: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _Named.__post_init__(self)
        if not isinstance(self.options, list | tuple) or not all(isinstance(one, str) for one in self.options):
            raise InnerjudgeError("Choice: given options that are not a tuple of strings, expected one: write str(...)")
        if not (self.answer is None or (isinstance(self.answer, Integral) and 0 <= self.answer < len(self.options))):
            raise InnerjudgeError.of("models.answer", self.answer, len(self.options) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(_Named):
    """Two responses to one prompt; ``preference`` is ``"a"``, ``"b"`` or ``"tie"``.

    ``group`` is ``extra["question_id"]`` where the data give one (several pairs of one prompt), else the pair.

    Example:
        >>> Pair(pair_id="p1", prompt="Say hi.", response_a="hi", response_b="no", preference="a").group
        'p1'
    """

    _ids, _texts = ("pair_id",), ("prompt", "response_a", "response_b")
    pair_id: str
    prompt: Text
    response_a: Text
    response_b: Text
    preference: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def sides(self, swapped: bool = False) -> tuple[Text, Text]:
        """Both responses, b first if they are ``swapped``."""
        return (self.response_b, self.response_a) if swapped else (self.response_a, self.response_b)


Item = Trace | Rating | Choice | Pair
