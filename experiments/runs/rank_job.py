"""Rankings of the candidates of each question, made from verdicts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError
from ...models.items import Item
from ..data.jsonl import write_jsonl
from ..data.outputs import is_damaged, writing
from ..data.splits import rows_by_group
from ..data.verdict_files import read_rows


def require_rankable(kind: str) -> None:
    """Refuse items that are no candidates of a question."""
    if kind == "choice":
        raise InnerjudgeError(
            "given choices, each of them one question, expected candidates to rank (traces, ratings or pairs): "
            "use `innerjudge score`"
        )


def require_ranking(out: Path) -> None:
    """Refuse a file that is there and holds no ranking, before anything is run."""
    kept = [] if not out.exists() or is_damaged(out) else read_rows(out, "ranking")
    if not all({"question_id", "ranking"} <= row.keys() for row in kept):
        raise InnerjudgeError(f"given --out {out}, which holds no ranking, expected a new file: choose another --out")


def write_ranking(items: Sequence[Item], verdicts: Path, out: Path) -> str:
    """The ranking that a verdict file gives, one question a line, into the JSONL file ``out``.

    Raises:
        InnerjudgeError: If ``out`` holds another ranking, or something else.
    """
    require_ranking(out)
    rows = list(ranking_rows(items, read_rows(verdicts)))
    if out.exists() and not is_damaged(out):
        if read_rows(out) == rows:
            return f"{out} is complete already."
        raise InnerjudgeError(
            f"given --out {out}, which holds another ranking than {verdicts} gives, expected a new file: choose "
            "another --out or delete it"
        )
    with writing(out):
        write_jsonl(out, rows)
    return f"The ranking is in {out}, the verdicts in {verdicts}."


def ranking_rows(items: Sequence[Item], rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row a question, in the order of the items: candidates best first, and those unscored with the reason."""
    for members in rows_by_group([item.group for item in items]):
        pairs = [(items[k], rows[k]) for k in members]
        scored = sorted((p for p in pairs if p[1]["unscored"] is None), key=lambda p: -float(p[1]["score"]))
        yield {
            "question_id": pairs[0][0].group,
            "ranking": [_ranked(item, row, place) for place, (item, row) in enumerate(scored, 1)],
            "unscored": [{"id": item.id, "reason": row["unscored"]} for item, row in pairs if row["unscored"]],
        }


def _ranked(item: Item, row: dict[str, Any], place: int) -> dict[str, Any]:
    found = {"rank": place, "id": item.id, "score": row["score"]}
    answer = getattr(item, "answer", None)
    return found | ({"answer": answer} if answer is not None else {})
