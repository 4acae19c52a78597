"""Rows of judges from elsewhere, and how they come to stand beside the study's own."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from ...models.errors import InnerjudgeError
from ..data.verdict_table import ItemKey, Row


def with_score(row: Row) -> Row:
    """An imported row with the score that its verdict is: right 1 and wrong 0, a grade itself, a preference 1 for a.

    Example:
        >>> with_score(Row(question="q", candidate="a|b", judge="ann", label="tie")).score
        0.5
        >>> with_score(Row(question="q", candidate="0", judge="ann", label=True)).score
        1.0
    """
    if row.score is not None or row.label is None:
        return row
    if isinstance(row.label, str):
        return replace(row, score={"a": 1.0, "tie": 0.5, "b": 0.0}.get(row.label))
    return replace(row, score=None if row.candidate == "options" else float(row.label))


def unmatched(rows: Sequence[Row], known: Set[ItemKey], *, file: str, data: str, alone: bool) -> list[str]:
    """A note on imported rows of no item here.

    ``InnerjudgeError`` if there is no other data (``alone``) and none match.
    """
    odd = [row for row in rows if row.item not in known]
    if not odd:
        return []
    first = ", ".join(f"question {row.question!r} candidate {row.candidate!r}" for row in odd[:3])
    if len(odd) == len(rows) and alone:
        raise InnerjudgeError(
            f"{file}: given {len(odd)} rows of which none is of an item of {data} (first: {first}), expected "
            "its questions and candidates: write them as in verdicts.jsonl of a study"
        )
    return [f"{file}: {len(odd)} of {len(rows)} rows are of no item here and were left out (first: {first})."]


def on_sides(rows: Iterable[Row], side: Mapping[Any, str]) -> list[Row]:
    """Rows of items that are reported or calibrated on, with their side.

    Example:
        >>> row = Row(question="q", candidate="0", judge="ann", label=True)
        >>> [found.tags for found in on_sides([row], {row.item: "test"})], on_sides([row], {})
        ([{'split': 'test'}], [])
    """
    kept = [row for row in rows if row.item in side]
    return [replace(row, tags=dict(row.tags) | {"split": side[row.item]}) for row in kept]
