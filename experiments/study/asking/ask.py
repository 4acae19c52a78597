"""Candidates, and questions about them put to a model: by logits without decoding, in text, after reasoning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from ....extraction.extract import extract
from ....extraction.readouts import LabelLogits
from ....extraction.writing.generate import generate
from ....models.conversation import Text, plain_text
from ....models.errors import InnerjudgeError, UnreadableError
from ....models.items import Item, Pair, Rating, Trace
from ....models.loading import LanguageModel
from ....models.positions import Encoding, encode_prompt, unreadable
from ....models.prompts import Prompt
from ....probes import BaseJudge, EScore, TextJudge, Verdict
from ....probes.value_judge import Answer
from ....probes.verdict_text import settled
from ...data.verdict_files import item_columns, said_row
from ...data.verdict_table import Label, Row
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
            raise InnerjudgeError.of("study.greedy-samples", self.samples, self.by, self.temperature)


def ask(lm: LanguageModel, questions: Sequence[Question], *, judge: str, manner: Manner | None = None) -> list[Row]:
    """Put every question and return its row (``samples`` rows, ``repeat`` from 0), in order.

    A row is ``unscored`` with the reason for an over-long prompt or a text without one clear verdict.
    """
    manner = manner or Manner()
    found: dict[int, list[Row]] = {}
    prompts = {k: (q.prompt.cue, q.prompt.labels) for k, q in enumerate(questions) if isinstance(q.prompt, Prompt)}
    shape = {k: (q.values, q.answers, prompts.get(k)) for k, q in enumerate(questions)}
    for _, members in groupby(sorted(shape, key=lambda k: repr(shape[k])), key=lambda k: shape[k]):
        rows = list(members)
        for repeat in range(manner.samples):
            verdicts = _verdicts(lm, [questions[k] for k in rows], manner, repeat, judge)
            for k, verdict in zip(rows, verdicts, strict=True):
                found.setdefault(k, []).append(said_row({**questions[k].columns, "repeat": repeat}, judge, verdict))
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


def _encode(lm: LanguageModel, prompt: Prompt | UnreadableError, name: str, reasoned: bool) -> Encoding:
    if isinstance(prompt, UnreadableError):
        return unreadable(name, name, str(prompt))
    return encode_prompt(lm.tokenizer, name, name, prompt, reasoned=reasoned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One response that can be judged by itself: the ``candidate`` of a ``question`` (unit of splits and intervals).

    ``truth`` is what is known of it, ``scale`` the lowest and highest grade that is asked for (``None``: whether it is
    correct), ``criterion`` what grades are about, ``reference`` a right answer, ``tags`` those of its rows.
    """

    prompt: Text
    response: str
    question: str
    candidate: str
    data: str = ""
    truth: Label | None = None
    scale: tuple[int, int] | None = None
    criterion: str | None = None
    reference: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of its rows that no judge changes."""
        own = {name: getattr(self, name) for name in ("data", "question", "candidate", "truth", "tags")}
        return own | {"length": float(len(self.response))}


def candidates_of(items: Sequence[Item], *, data: str = "", scale: tuple[int, int] = (1, 5)) -> list[Candidate]:
    """Traces (asked whether they are correct), ratings (asked for a grade) and both responses of pairs (likewise).

    A trace's reference is ``extra["reference"]`` or ``extra["ground_truth"]``, else the answer of a correct trace of
    its question. Choices have no responses and give none.
    """
    known = {
        item.question_id: item.answer for item in items if isinstance(item, Trace) and item.correct and item.answer
    }
    found = []
    for item in items:
        columns = item_columns(item, data)
        base: dict[str, Any] = {name: columns[name] for name in ("data", "question", "candidate", "truth", "tags")}
        match item:
            case Trace():
                given = item.extra.get("reference") or item.extra.get("ground_truth") or known.get(item.question_id)
                base["reference"] = None if given is None else str(given)
                found.append(Candidate(**base, prompt=item.prompt, response=plain_text(item.response)))
            case Rating():
                base |= {"criterion": item.criterion, "reference": item.reference, "scale": scale}
                found.append(Candidate(**base, prompt=item.prompt, response=plain_text(item.response)))
            case Pair():
                for side, text in (("a", item.response_a), ("b", item.response_b)):
                    own = base | {"question": item.id, "candidate": side, "truth": None}
                    found.append(Candidate(**own, prompt=item.prompt, response=plain_text(text), scale=scale))
    return found
