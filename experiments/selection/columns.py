"""Candidates as columns, read from JSONL: any score, its answers, what is known of them, and what they cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from ...models.errors import InnerjudgeError, shown
from ..data.answers import normalise
from ..data.jsonl import read_records
from ..data.kinds import are_ids
from ..data.records import Record, describe
from .maths import equal_answers

Spelling = Literal["plain", "maths", "exact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Candidates of all questions, one entry each; ``None`` stands for what is not known.

    ``candidates`` are ids within the question, ``answers`` the final ones in one spelling; ``tokens`` and ``seconds``
    are what each took to write.
    """

    questions: tuple[str, ...]
    candidates: tuple[str, ...]
    answers: tuple[str | None, ...]
    scores: tuple[float | None, ...]
    correct: tuple[bool | None, ...]
    tokens: tuple[float | None, ...]
    seconds: tuple[float | None, ...]

    def __len__(self) -> int:
        return len(self.questions)

    def take(self, rows: Sequence[int]) -> "Columns":
        """The candidates at ``rows``, in that order."""
        return Columns(**{f.name: tuple(getattr(self, f.name)[k] for k in rows) for f in fields(self)})

    def with_answers(self, spelling: Spelling) -> "Columns":
        """Answers in one spelling a question: ``"plain"`` (numbers, letters, words), ``"maths"`` or ``"exact"``."""
        if spelling == "exact":
            return self
        if spelling == "plain":
            return replace(self, answers=tuple(normalise(a) for a in self.answers))
        spelt: list[str | None] = [None] * len(self)
        for question in dict.fromkeys(self.questions):  # "5" and "x=5" are one answer to one question
            rows = [k for k, one in enumerate(self.questions) if one == question]
            for row, answer in zip(rows, equal_answers([self.answers[row] for row in rows]), strict=True):
                spelt[row] = answer
        return replace(self, answers=tuple(spelt))


def read_columns(
    path: str | Path, *, score: str = "score", judge: str | None = None, data: str | Path | None = None
) -> Columns:
    """Read candidates from JSONL, one a line, those of one ``judge`` where its field ``judge`` names several.

    Rows have ``question_id``, the field ``score`` (``null`` is unscored) and, if present, ``candidate_id`` (else their
    number within the question), ``answer``, ``correct`` (or ``truth``), ``tokens`` and ``seconds``. What they lack is
    taken from ``data``, the candidates' own file (``tokens`` else from ``response_ids``). Errors name file, line and
    field: a score that is not a number, a candidate that is there twice, rows of several judges, a column that no row
    has, or rows that ``data`` lacks.
    """
    rows = of_judge(read_records(path), judge, shown(Path(path).name))
    more = {} if data is None else by_id(read_records(data))
    found = by_id(rows)
    lacking = [key for key in found if more and key not in more]
    if lacking:
        names, (question, candidate) = [shown(Path(str(one)).name) for one in (path, data)], map(shown, lacking[0])
        raise InnerjudgeError.of("selection.lacking", names[0], names[1], question, candidate)
    if not any(score in row.values for row in rows):
        fields = shown(", ".join(sorted(rows[0].values)), 500)
        raise InnerjudgeError.of("selection.no-scores", shown(Path(path).name), shown(score), fields)
    both = [(row, more[key]) if more else (row,) for key, row in found.items()]
    return Columns(
        questions=tuple(key[0] for key in found),
        candidates=tuple(key[1] for key in found),
        answers=tuple(map(_answer, both)),
        scores=tuple(number_of(row, score) for row in found.values()),
        correct=tuple(map(_correct, both)),
        tokens=tuple(map(_tokens, both)),
        seconds=tuple(_number(its, "seconds") for its in both),
    )


def judges_of(path: str | Path) -> list[str]:
    """Names of the judges of a verdict file, in order; empty where its rows name none."""
    return list(dict.fromkeys(str(r.values["judge"]) for r in read_records(path) if r.has("judge")))


def source_of(its: Sequence[Record], *names: str) -> tuple[Record, str] | None:
    """The record that has one of some fields, and that field: the first of them, in the row before its ``data``."""
    return next(((r, n) for n in names for r in its if r.has(n)), None)


def _answer(its: Sequence[Record]) -> str | None:
    source = source_of(its, "answer")
    if source is None:
        return None
    value = source[0].values["answer"]
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return (str(value) if plain else source[0].text("answer")).strip() or None


def _correct(its: Sequence[Record]) -> bool | None:
    source = source_of(its, "correct") or source_of(its[:1], "truth")
    return None if source is None else source[0].flag(source[1])


def _number(its: Sequence[Record], name: str) -> float | None:
    source = source_of(its, name)
    return None if source is None else number_of(*source)


def _tokens(its: Sequence[Record]) -> float | None:
    source, known = source_of(its, "response_ids"), _number(its, "tokens")
    if known is not None or source is None:
        return known
    row, name = source
    if not are_ids(row.values[name]):
        raise row.error(name, describe(row.values[name]), "a list of token ids", "correct it, or rename the field")
    return float(len(row.values[name]))


def of_judge(rows: Sequence[Record], judge: str | None, name: str) -> list[Record]:
    """The rows of one judge of the file ``name``; all where it names none."""
    judges = list(dict.fromkeys(str(row.values["judge"]) for row in rows if row.has("judge")))
    named = shown(", ".join(judges))
    if judge is None and len(judges) > 1:
        raise InnerjudgeError(f"{name}: given verdicts of {named}, expected those of one: name a judge")
    kept = [row for row in rows if judge is None or row.values.get("judge") == judge]
    if not kept:
        raise InnerjudgeError(f"{name}: given the judge {shown(judge)!r}, expected one of {named or 'none'}")
    return kept


def by_id(rows: Sequence[Record]) -> dict[tuple[str, str], Record]:
    """Rows by question and candidate, each there once."""
    found: dict[tuple[str, str], Record] = {}
    counts: dict[str, int] = {}
    for row in rows:
        new = not row.has("question_id") and row.has("question")  # a row of verdicts, not of candidates
        question = row.label("question" if new else "question_id")
        number = counts[question] = counts.get(question, -1) + 1
        name = "candidate" if new else "candidate_id"
        key = (question, row.label(name) if row.has(name) else str(number))
        if key in found:
            raise InnerjudgeError.of("selection.twice", row.where, shown(key[1]), shown(question), found[key].where)
        found[key] = row
    return found


def number_of(row: Record, name: str, *, flags: bool = False) -> float | None:
    """A number or nothing; with ``flags`` true is 1 and false is 0."""
    value: Any = row.values.get(name)
    if flags and isinstance(value, bool):
        return float(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise row.error(name, describe(value), "a number, or null where there is none", "name another column")
    return float(value)
