"""Putting questions to a model: from the logits without decoding, in text, after reasoning, once or many times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, cast

from ....extraction.extract import extract
from ....extraction.readouts import LabelLogits
from ....extraction.writing.generate import generate
from ....models.errors import InnerjudgeError, UnreadableError
from ....models.loading import LanguageModel
from ....models.positions import Encoding, encode_prompt, unreadable
from ....models.prompts import Prompt
from ....probes import BaseJudge, EScore, TextJudge, Verdict
from ....probes.value_judge import Answer
from ....probes.verdict_text import settled
from ...data.verdict_table import Row
from ...reading.passes import DIRECT_TOKENS
from ...reading.progress import Steps, silent

By = Literal["logits", "text", "reasoned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question (or why it cannot be asked), worth and verdict of each of its labels, and columns of its row."""

    prompt: Prompt | UnreadableError
    values: tuple[float, ...]
    answers: tuple[Answer, ...]
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How questions are put, and how often (``samples``).

    ``by`` is ``"logits"``: expected value and nearest answer under the label logits, fp32, without decoding;
    ``"text"``: the verdict that the model writes; ``"reasoned"``: the one that it writes after at most
    ``reasoning_tokens``. More than one sample needs a ``temperature``; 0 is greedy.
    """

    by: By = "logits"
    samples: int = 1
    temperature: float = 0.0
    seed: int = 0
    reasoning_tokens: int = 128
    batch_size: int = 16
    steps: Steps = silent

    def __post_init__(self) -> None:
        if self.by not in ("logits", "text", "reasoned") or self.samples < 1:
            raise InnerjudgeError(f"given by={self.by!r}, samples={self.samples}, expected logits, text or reasoned")
        if self.samples > 1 and (self.by == "logits" or self.temperature <= 0):
            raise InnerjudgeError(
                f"given {self.samples} samples by {self.by} at temperature {self.temperature}, expected text at a "
                "temperature above 0: greedy answers are all the same"
            )


def ask(lm: LanguageModel, questions: Sequence[Question], *, judge: str, manner: Manner | None = None) -> list[Row]:
    """Put every question and return its row (``samples`` rows, ``repeat`` from 0), in order.

    A row is ``unscored`` with the reason for an over-long prompt or a text without one clear verdict.

    Example:
        >>> from innerjudge.models.loading import load
        >>> from innerjudge.models.prompts import verdict_prompt
        >>> one = Question(prompt=verdict_prompt("2+2?", "4"), values=(0, 1), answers=(False, True),
        ...             columns={"question": "q", "candidate": "0"})
        >>> (row,) = ask(load("reference"), [one], judge="logits")
        >>> row.judge, 0 <= row.score <= 1, row.label == (row.score > 0.5)
        ('logits', True, True)
    """
    manner = manner or Manner()
    found: dict[int, list[Row]] = {}
    shape = {k: (q.values, q.answers, _shape(q.prompt)) for k, q in enumerate(questions)}
    for _, members in groupby(sorted(shape, key=lambda k: repr(shape[k])), key=lambda k: shape[k]):
        rows = list(members)
        for repeat in range(manner.samples):
            verdicts = _verdicts(lm, [questions[k] for k in rows], manner, repeat, judge)
            for k, verdict in zip(rows, verdicts, strict=True):
                found.setdefault(k, []).append(_row(questions[k], verdict, judge, repeat))
    return [row for k in range(len(questions)) for row in found[k]]


def _verdicts(
    lm: LanguageModel, questions: Sequence[Question], manner: Manner, repeat: int, name: str
) -> Sequence[Verdict]:
    """Verdicts of questions that share labels, cue, values and answers."""
    reasoned = manner.by == "reasoned"
    encoded = [_encode(lm, q.prompt, str(k), reasoned) for k, q in enumerate(questions)]
    first = next((q.prompt for q in questions if isinstance(q.prompt, Prompt)), None)
    if first is None:
        return [Verdict(e.id, unscored=e.missing["*"]) for e in encoded]
    values, answers = questions[0].values, questions[0].answers
    advance = manner.steps(f"asking ({name})", len(encoded))
    if manner.by == "logits":
        features = extract(lm, encoded, [LabelLogits()], batch_size=manner.batch_size, on_batch=advance)
        judge: BaseJudge = EScore(values=values, answers=answers)
        return judge.verdicts(features)
    kind: Literal["direct", "reasoned"] = "reasoned" if reasoned else "direct"
    features = generate(
        lm,
        encoded,
        name=kind,
        max_new_tokens=manner.reasoning_tokens if reasoned else DIRECT_TOKENS,
        temperature=manner.temperature,
        settled=None if reasoned else lambda _, text: settled(text, first.labels),
        seed=manner.seed + 7919 * repeat,  # far enough apart that studies with neighbouring seeds share no draw
        batch_size=manner.batch_size,
        on_batch=advance,
    )
    judge = TextJudge(generation=kind, cue=first.cue, labels=first.labels, values=values, answers=answers)
    return judge.verdicts(features)


def _row(question: Question, verdict: Verdict, judge: str, repeat: int) -> Row:
    said = {"score": cast("float | None", verdict.score), "label": verdict.label, "unscored": verdict.unscored}
    return Row(**(dict(question.columns) | said), judge=judge, repeat=repeat)


def _encode(lm: LanguageModel, prompt: Prompt | UnreadableError, name: str, reasoned: bool) -> Encoding:
    if isinstance(prompt, UnreadableError):
        return unreadable(name, name, str(prompt))
    return encode_prompt(lm.tokenizer, name, name, prompt, reasoned=reasoned)


def _shape(prompt: Prompt | UnreadableError) -> tuple[Any, ...]:
    return (prompt.cue, prompt.labels) if isinstance(prompt, Prompt) else ()
