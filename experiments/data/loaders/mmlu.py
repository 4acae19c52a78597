"""MMLU: a CSV a subject, rows ``question, A, B, C, D, letter`` without a header."""

import csv
import io
import re
from pathlib import Path

from ....models.errors import InnerjudgeError
from ....models.items import Choice, Item
from .files import read_text

_LETTERS = "ABCD"
_SPLIT = re.compile(r"_(dev|val|test)$")


def mmlu(path: Path) -> list[Item]:
    """Questions of one CSV, or of every CSV in a folder (one split), subjects in alphabetical order.

    ``question_id`` is ``SUBJECT/ROW`` (rows from 0) and ``extra["subject"]`` the subject: the file's name without its
    split. A row with another number of cells, an empty cell, or no letter A to D is an error.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        inner = sorted(p.name for p in path.iterdir() if p.is_dir() and any(p.glob("*.csv")))
        hint = f"pass one of its folders: {', '.join(inner)}" if inner else "check the path"
        raise InnerjudgeError(f"given {str(path)!r}, a folder without CSV files, expected one CSV a subject: {hint}")
    return [item for file in files for item in _subject(file)]


def _subject(file: Path) -> list[Item]:
    subject = _SPLIT.sub("", file.stem)
    rows = csv.reader(io.StringIO(read_text(file), newline=""), strict=True)
    items: list[Item] = []
    try:
        for number, row in enumerate(rows):
            items.append(_question(row, subject, number, f"{file.name} record {number + 1}"))
    except csv.Error as error:
        raise InnerjudgeError(
            f"{file.name} record {len(items) + 1}: given broken CSV ({error}), expected 6 cells"
        ) from None
    return items


def _question(row: list[str], subject: str, number: int, where: str) -> Item:
    if len(row) != 6:
        raise InnerjudgeError(
            f"{where}: given {len(row)} cells, expected 6 (question, 4 options, letter): check the file"
        )
    *texts, letter = (cell.strip() for cell in row)
    for name, cell in zip(("question", *_LETTERS), texts, strict=True):
        if not cell:
            raise InnerjudgeError(
                f"{where}: field {name!r}: given an empty cell, expected text: fill it or drop the row"
            )
    if letter not in tuple(_LETTERS):
        raise InnerjudgeError(f"{where}: field 'answer': given {letter!r}, expected A, B, C or D: correct the letter")
    return Choice(
        question_id=f"{subject}/{number}",
        question=texts[0],
        options=tuple(texts[1:]),
        answer=_LETTERS.index(letter),
        extra={"subject": subject},
    )
