"""Verdicts as JSONL, one row of the table a line, and the rows that verdicts of items make."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from ...models.conversation import Text, plain_text
from ...models.errors import InnerjudgeError, shown
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...probes import Verdict
from .jsonl import is_damaged, is_whole, read_records, require_undamaged, seal, write_jsonl, writing
from .records import Record, describe
from .verdict_table import Label, Row, Table

_COLUMNS = tuple(f.name for f in fields(Row) if f.name != "tags")
#: Columns that stand in a line only where they say something.
_OPTIONAL = ("scores", "answer", "tokens", "step_scores")


def verdict_row(item: Item, verdict: Verdict, *, data: str, judge: str, tags: Mapping[str, str] | None = None) -> Row:
    """The row of what a judge said of an item; ``tags`` stand beside what the item itself says."""
    return said_row(item_columns(item, data) | {"tags": dict(tags or {})}, judge, verdict)


def said_row(columns: Mapping[str, Any], judge: str, verdict: Verdict) -> Row:
    """The row of a verdict on the item with these columns."""
    listed = tuple(map(score_of, verdict.score)) if isinstance(verdict.score, list | tuple) else None
    said: dict[str, Any] = {"score": score_of(verdict.score), "label": verdict.label, "unscored": verdict.unscored}
    return Row(**columns, **said, judge=judge, scores=listed, step_scores=verdict.step_scores)


def score_of(score: Any) -> float | None:
    """A verdict's score as one number: itself, or for a list how far its best stands above its second best."""
    if isinstance(score, list | tuple):
        known = sorted((s for s in map(score_of, score) if s is not None), reverse=True)
        return known[0] - known[1] if len(known) > 1 else None
    return float(score) if isinstance(score, int | float) and math.isfinite(score) else None


def item_columns(item: Item, data: str = "") -> dict[str, Any]:
    """The columns of a row that the item itself fills; text fields of ``extra`` become tags.

    A rating has its mean human score as truth. The candidate of a pair is ``"a|b"``, and of one of
    several pairs of a question ``"ID/a|ID/b"``.
    """
    tags = {k: v for k, v in item.extra.items() if isinstance(v, str) and k not in _COLUMNS}
    found: dict[str, Any] = {"data": data, "question": item.group, "tags": tags}
    match item:
        case Trace():
            one: dict[str, Any] = {"candidate": item.candidate_id, "truth": item.correct, "answer": item.answer}
            one |= {"length": _length(item.response), "tokens": len(item.extra.get("response_ids") or ()) or None}
        case Rating():
            tags |= {"criterion": item.criterion} if item.criterion else {}
            one = {"candidate": item.id, "truth": item.mean_score, "length": _length(item.response)}
        case Choice():
            one = {"candidate": "options", "truth": item.answer}
        case Pair():
            longer = _length(item.response_a) - _length(item.response_b)
            named = "a|b" if item.group == item.id else "|".join(f"{item.id}/{side}" for side in "ab")
            one = {"candidate": named, "truth": item.preference, "length": longer}
    return found | one


def _length(text: Text) -> float:
    return float(len(plain_text(text)))


def row_json(row: Row) -> dict[str, Any]:
    """The JSON object of a row; columns without a value are null."""
    clash = sorted(set(row.tags) & set(_COLUMNS))
    if clash:
        raise InnerjudgeError(f"{row.where}: given tags {clash} that are columns of the table, expected others: rename")
    values = {name: getattr(row, name) for name in _COLUMNS}
    return {k: v for k, v in values.items() if v is not None or k not in _OPTIONAL} | dict(row.tags)


def read_table(path: str | Path, *, data: str | None = None) -> Table:
    """Read rows from a JSONL file, one object a line; errors name file, line and field.

    ``question``, ``judge`` and one of ``score``, ``label`` and ``unscored`` are needed; the other columns of
    :mod:`.verdict_table` may be left out (``data`` is then the argument's), and fields of other names become tags.
    """
    return Table(_row(record, data or "") for record in read_records(path))


@contextmanager
def shared_rows(path: Path) -> Iterator[list[Row]]:
    """Rows of a file that several write into, one at a time, in this block; none if it is empty, or not there yet."""
    with writing(path), FileLock(f"{path}.lock"):
        require_undamaged(path)
        if is_whole(path):
            seal(path, path)  # a killed run may have left the checksums of two
        yield list(read_table(path)) if path.exists() and path.stat().st_size else []


def read_rows(path: Path, what: str = "verdicts") -> list[dict[str, Any]]:
    """Rows of a file that one of the commands wrote, as plain objects."""
    require_undamaged(path)
    try:
        return [dict(record.values) for record in read_records(path)]
    except InnerjudgeError as error:
        raise InnerjudgeError.of("data.out-of-others", shown(path), what, shown(error)) from None


def keep_rows(out: Path, rows: Sequence[Mapping[str, Any]], other: str, what: str = "verdicts") -> bool:
    """Write rows into a file, and say whether it held them already; ``other`` is the refusal of a file of others."""
    there = out.exists() and not is_damaged(out)
    if there and read_rows(out, what) != rows:
        raise InnerjudgeError(other)
    if not there:
        with writing(out):
            write_jsonl(out, rows)
    return there


def _row(record: Record, data: str) -> Row:
    values = record.values
    tags = {k: str(v) for k, v in values.items() if k not in _COLUMNS and v is not None}
    words = {"data": data, "candidate": "0", "order": "given", "template": "default"}
    return Row(
        **{name: record.label(name) for name in ("question", "judge")},
        **{name: record.optional_text(name) or usual for name, usual in words.items()},
        repeat=record.whole("repeat", range(10**6)) if record.has("repeat") else 0,
        label=_label(record, "label"),
        truth=_label(record, "truth"),
        score=_number(record, "score"),
        length=_number(record, "length"),
        unscored=record.optional_text("unscored"),
        scores=_listed(record, "scores"),
        step_scores=_listed(record, "step_scores"),
        answer=None if values.get("answer") is None else str(values["answer"]),
        tokens=int(tokens) if (tokens := _number(record, "tokens")) is not None else None,
        tags=tags,
    )


def _listed(record: Record, name: str) -> tuple[float | None, ...] | None:
    values = record.values.get(name)
    return tuple(map(score_of, values)) if isinstance(values, list) else None


def _number(record: Record, name: str) -> float | None:
    return record.number(name, float("-inf"), float("inf")) if record.has(name) else None


def _label(record: Record, name: str) -> Label | None:
    value = record.values.get(name)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise record.error(name, describe(value), "true, false, a number or a string", "write one value")
