"""The table as JSONL: ours, the verdicts of ``innerjudge compare``, or anybody's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair, Rating, Trace
from .jsonl import read_records, write_jsonl
from .records import Record, describe
from .verdict_rows import size
from .verdict_table import Row, Table, Verdict

_COLUMNS = tuple(f.name for f in fields(Row) if f.name != "tags")


def read_table(path: str | Path, *, data: str | None = None) -> Table:
    """Read rows from a JSONL file, one object a line.

    ``question``, ``judge`` and one of ``score``, ``verdict`` and ``unscored`` are needed; the other columns of
    :mod:`.table` may be left out, and fields of other names become tags. The ``verdicts.jsonl`` of ``innerjudge
    compare`` is read too (told by its field ``truth``): its ``label`` is the verdict and ``truth`` the label.

    Args:
        path: The file.
        data: Name of the data set of rows that give none.

    Raises:
        InnerjudgeError: Names file, line and field.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "people.jsonl"
        ...     _ = file.write_text('{"question": "q1", "judge": "ann", "score": 4, "language": "da"}')
        ...     read_table(file)[0].tags
        {'language': 'da'}
    """
    return Table(_row(record, data or "") for record in read_records(path))


def write_table(path: str | Path, rows: Iterable[Row]) -> None:
    """Write rows as :func:`read_table` reads them, whole or not at all; tags stand beside the columns."""
    write_jsonl(path, map(row_json, rows))


def row_json(row: Row) -> dict[str, Any]:
    """The JSON object of a row; columns without a value are null.

    Example:
        >>> row_json(Row(question="q", candidate="0", judge="j", score=1.0, tags={"split": "test"}))["split"]
        'test'
    """
    clash = sorted(set(row.tags) & set(_COLUMNS))
    if clash:
        raise InnerjudgeError(f"{row.where}: given tags {clash} that are columns of the table, expected others: rename")
    return {name: getattr(row, name) for name in _COLUMNS} | dict(row.tags)


def human_rows(items: Iterable[Item], *, data: str = "") -> Iterator[Row]:
    """The scores of ratings as judges ``human-1``, ``human-2`` ...: for agreement between people.

    Example:
        >>> [(r.judge, r.score) for r in human_rows([Rating(item_id="r", prompt="", response="", scores=(4, 5))])]
        [('human-1', 4.0), ('human-2', 5.0)]
    """
    for item in items:
        for number, score in enumerate((item.scores or ()) if isinstance(item, Rating) else (), start=1):
            value = float(score)
            yield Row(**item_columns(item, data), judge=f"human-{number}", score=value, verdict=value)


def item_columns(item: Item, data: str = "") -> dict[str, Any]:
    """The columns of a row that the item itself fills; text fields of ``extra`` become tags.

    A rating has its mean human score as label. A comparison's candidate is ``"a|b"``.

    Example:
        >>> pair = Pair(pair_id="p", prompt="?", response_a="yes", response_b="no", preference="a")
        >>> item_columns(pair)["candidate"], item_columns(pair)["length"]
        ('a|b', 1.0)
    """
    tags = {k: v for k, v in item.extra.items() if isinstance(v, str) and k not in _COLUMNS}
    found: dict[str, Any] = {"data": data, "question": item.group, "tags": tags}
    match item:
        case Trace():
            one = {"candidate": item.candidate_id, "label": item.correct, "length": float(len(item.response))}
        case Rating():
            tags |= {"criterion": item.criterion} if item.criterion else {}
            one = {"candidate": item.id, "label": item.mean_score, "length": float(len(item.response))}
        case Choice():
            one = {"candidate": "options", "label": item.answer}
        case Pair():
            longer = float(len(item.response_a) - len(item.response_b))
            one = {"candidate": "a|b", "label": item.preference, "length": longer}
    return found | one


def score_of(score: Any) -> float | None:
    """One number for a judge's score: itself, or, of a list of option scores, how far the best is above the second.

    Example:
        >>> score_of([0.1, 0.7, 0.4]), score_of(2)
        (0.29999999999999993, 2.0)
    """
    return size(score)


def _row(record: Record, data: str) -> Row:
    values = record.values
    if "truth" in values and "label" in values:
        return _compared(record, data)
    tags = {k: str(v) for k, v in values.items() if k not in _COLUMNS and v is not None}
    return Row(
        data=record.optional_text("data") or data,
        question=record.label("question"),
        candidate=record.optional_text("candidate") or "0",
        judge=record.label("judge"),
        order=record.optional_text("order") or "given",
        repeat=record.whole("repeat", range(10**6)) if record.has("repeat") else 0,
        template=record.optional_text("template") or "default",
        verdict=_verdict(record, "verdict"),
        label=_verdict(record, "label"),
        score=_number(record, "score"),
        length=_number(record, "length"),
        unscored=record.optional_text("unscored"),
        tags=tags,
    )


def _compared(record: Record, data: str) -> Row:
    """A row of ``verdicts.jsonl``."""
    name = next((n for n in ("item_id", "pair_id", "question_id") if record.has(n)), "question_id")
    question = record.label(name)
    other = {"item_id": question, "pair_id": "a|b"}.get(name, "options")
    return Row(
        data=record.optional_text("data") or data,
        question=question,
        candidate=record.optional_text("candidate_id") or other,
        judge=record.label("judge"),
        score=score_of(record.values.get("score")),
        verdict=_verdict(record, "label"),
        label=_verdict(record, "truth"),
        unscored=record.optional_text("unscored"),
    )


def _number(record: Record, name: str) -> float | None:
    return record.number(name, float("-inf"), float("inf")) if record.has(name) else None


def _verdict(record: Record, name: str) -> Verdict | None:
    value = record.values.get(name)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise record.error(name, describe(value), "true, false, a number or a string", "write one value")
