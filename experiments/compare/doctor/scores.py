"""A table of scores from any tool: read from a file or a frame, every field checked, in columns."""

from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....models.errors import InnerjudgeError, shown
from ...data.kinds import flag_of
from ...data.records import Record
from ...data.tables import records_of

#: Fields that are read where they are there, beside ``question``, ``score`` and ``label``.
OPTIONAL = ("candidate", "text", "prompt", "answer", "source", "split")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scored candidates, column by column, ``n`` rows; a higher score is better, ``None`` is unscored.

    ``again`` is a second label of the same row, by somebody else (``None`` where there is none); ``more`` has the
    fields of :data:`OPTIONAL` that every row has.
    """

    name: str
    questions: tuple[str, ...]
    scores: tuple[float | None, ...]
    labels: tuple[bool, ...]
    again: tuple[bool | None, ...]
    more: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def lengths(self) -> npt.NDArray[np.float64] | None:
        """Characters of each text; ``None`` without texts."""
        return np.array([float(len(t)) for t in self.more["text"]]) if "text" in self.more else None

    @property
    def leaked(self) -> npt.NDArray[np.float64] | None:
        """1 where the answer stands in the prompt, whatever its case; ``None`` without prompts or answers."""
        if not {"prompt", "answer"} <= self.more.keys():
            return None
        pairs = zip(self.more["answer"], self.more["prompt"], strict=True)
        return np.array([float(bool(a.strip()) and f" {_words(a)} " in f" {_words(p)} ") for a, p in pairs])

    def scored(self) -> "Scores":
        """The rows that have a score."""
        held = [score is not None for score in self.scores]
        kept: dict[str, Any] = {
            name: tuple(compress(getattr(self, name), held)) for name in ("questions", "scores", "labels", "again")
        }
        return replace(self, **kept, more={name: tuple(compress(one, held)) for name, one in self.more.items()})


def _words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def read_scores(source: str | Path | pd.DataFrame) -> Scores:
    """A table of scores from a JSONL file, a Parquet file (``.parquet``), or a pandas frame.

    It has the columns ``question``, ``score`` (a number, higher is better, or null) and ``label`` (whether a candidate
    is right: true or false, 1 or 0); optional are ``candidate``, ``text`` (what the model wrote), ``prompt``,
    ``answer``, ``source`` (who or what wrote it), ``split``, and ``label_again`` (a second person's label). An error
    names the place and the field: no such file, a missing or wrong field, a candidate twice, fewer than two questions,
    or labels of one class.
    """
    if not isinstance(source, str | Path) and not hasattr(source, "to_dict"):
        raise InnerjudgeError.of("compare.no-frame", type(source).__name__)
    name = shown(Path(source).name) if isinstance(source, str | Path) else "the frame"
    records = list(records_of(source))
    if not records:
        raise InnerjudgeError(f"{name}: given no row, expected one a candidate")
    found = [_row(record) for record in records]
    more = {key: [row[key] for row in found] for key in OPTIONAL}
    whole = {key: tuple(column) for key, column in more.items() if None not in column}
    questions = tuple(row["question"] for row in found)
    if "candidate" in whole:
        seen: dict[tuple[str, str], str] = {}
        for record, key in zip(records, zip(questions, whole["candidate"], strict=True), strict=True):
            if key in seen:
                raise InnerjudgeError.of("compare.twice", record.where, shown(key[0]), shown(key[1]), seen[key])
            seen[key] = record.where
    labels = tuple(row["label"] for row in found)
    if len(set(questions)) < 2 or len(set(labels)) < 2:
        raise InnerjudgeError.of("compare.one-class", name, len(set(questions)), sum(labels), len(labels))
    again, scores = (tuple(row[key] for row in found) for key in ("label_again", "score"))
    return Scores(name=name, questions=questions, scores=scores, labels=labels, again=again, more=whole)


def _row(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {"question": _id(record, "question"), "score": None}
    if record.has("score"):
        row["score"] = record.number("score", -1e300, 1e300)
    elif "score" not in record.values:
        record.number("score", -1e300, 1e300)  # says what is missing
    row["label"] = flag_of(record, "label") if record.has("label") else record.flag("label")
    row["label_again"] = flag_of(record, "label_again")
    for name in OPTIONAL:
        given = record.values.get(name)
        row[name] = None if given is None else _id(record, name) if name != "text" else record.text(name)
    return row


def _id(record: Record, name: str) -> str:
    """A string, or a whole number as one: ids and answers are often numbers."""
    value = record.values.get(name)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else record.text(name)
