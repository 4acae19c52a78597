"""Multiple-choice questions: MMLU, ARC, HellaSwag."""

import csv
import io
import re
from pathlib import Path
from typing import Any

from ....models.errors import InnerjudgeError, shown
from ....models.items import Choice, Item
from ..records import Record
from ..tables import decoded, unpacked
from .files import Rows, by_rows, kept, one_of

_LETTERS = "ABCD"
_SPLIT = re.compile(r"_(dev|val|test)$")


def mmlu(path: Path) -> list[Item]:
    """MMLU: a CSV a subject, rows ``question, A, B, C, D, letter`` without a header; or a folder of them (one split).

    ``question_id`` is ``SUBJECT/ROW`` (rows from 0) and ``extra["subject"]`` the subject, in alphabetical order: the
    file's name without its split. A row with another number of cells, an empty cell, or no letter A to D is an error.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        inner = sorted(p.name for p in path.iterdir() if p.is_dir() and any(p.glob("*.csv")))
        hint = f"pass one of its folders: {', '.join(inner)}" if inner else "check the path"
        raise InnerjudgeError(f"given {str(path)!r}, a folder without CSV files, expected one CSV a subject: {hint}")
    return [item for file in files for item in _subject(file)]


def _subject(file: Path) -> list[Item]:
    subject = _SPLIT.sub("", file.stem)
    rows = csv.reader(io.StringIO(decoded(unpacked(file), shown(file.name)), newline=""), strict=True)
    items: list[Item] = []
    try:
        for number, row in enumerate(rows):
            items.append(_question(row, subject, number, f"{shown(file.name)} record {number + 1}"))
    except csv.Error as error:
        raise InnerjudgeError.of("data.broken-csv", shown(file.name), len(items) + 1, error) from None
    return items


def _question(row: list[str], subject: str, number: int, where: str) -> Item:
    if len(row) != 6:
        raise InnerjudgeError.of("data.six-cells", where, len(row))
    *texts, letter = (cell.strip() for cell in row)
    record = Record({}, where)
    for name, cell in zip(("question", *_LETTERS), texts, strict=True):
        if not cell:
            raise record.error(name, "an empty cell", "text", "fill it or drop the row")
    if letter not in tuple(_LETTERS):
        raise record.error("answer", repr(shown(letter)), "A, B, C or D", "correct the letter")
    question, *options = texts
    known: dict[str, Any] = {"answer": _LETTERS.index(letter), "extra": {"subject": subject}}
    return Choice(question_id=f"{subject}/{number}", question=question, options=tuple(options), **known)


@by_rows
def arc(record: Record, name: str) -> Rows:
    """ARC: choices with labels A to E or 1 to 5, as on the hub or in the original file."""
    old = isinstance(record.values.get("question"), dict)
    asked = record.inner("question") if old else record
    if isinstance(asked.values.get("choices"), list):
        labels, texts = zip(*((one.label("label"), one.text("text")) for one in asked.records("choices")), strict=True)
    else:
        labels, texts = asked.inner("choices").texts("label"), asked.inner("choices").texts("text")
    if len(labels) != len(texts) or len({*labels}) < len(labels):
        raise asked.error("choices", f"{len(labels)} labels of {len(texts)} texts", "one label each", "correct them")
    known = dict(zip(labels, texts, strict=True))
    answer = one_of(record, "answerKey", list(known)) if record.values.get("answerKey") else None
    question = {"question_id": record.label("id"), "question": asked.text("stem" if old else "question")}
    yield question | {"options": list(known.values()), "answer": answer}


@by_rows
def hellaswag(record: Record, name: str) -> Rows:
    """HellaSwag: which ending continues the text; the test split has no labels."""
    endings, label = record.texts("endings", at_least=2), record.values.get("label")
    labels = Record({"label": str(label)}, record.where)
    answer = None if label in (None, "") else one_of(labels, "label", list(map(str, range(len(endings)))))
    question = {"question_id": name, "question": record.text("ctx"), "options": list(endings), "answer": answer}
    yield question | kept(record, "activity_label")
