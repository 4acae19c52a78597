"""Ask a text judge behind a server about items: a row of verdicts for each, and for each order of pairs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...models.items import Item
from ..data.jsonl import require_room, write_jsonl
from ..data.kinds import kind_of
from ..data.verdict_files import row_json, shared_rows, verdict_row
from ..data.verdict_table import Row
from ..judges.openai_judge import OpenAIJudge
from ..reading.passes import Passes


def ask_job(items: Sequence[Item], typed: str, out: Path, passes: Passes, *, seed: int = 0) -> str:
    """Write the verdicts of the judge ``typed`` (``openai:URL#MODEL``) into the JSONL file ``out``.

    Replies are kept one by one in the folder ``OUT.replies``: the same command asks only for what is not there. Other
    rows in ``out`` stay, those too that others write there meanwhile.
    """
    require_room(out)
    with shared_rows(out):  # what is damaged is refused now, not after the work
        judge, kind = OpenAIJudge.of(typed, folder=out.with_name(f"{out.name}.replies")), kind_of(items[0])
    rows: list[Row] = []
    for swapped in (False, True)[: 2 if kind == "pair" else 1]:
        said = judge.verdicts(kind, items, passes, swapped=swapped, seed=seed)
        made = [verdict_row(item, one, data="", judge=judge.name) for item, one in zip(items, said, strict=True)]
        # Its score is that of the response shown first; a row's favours a.
        turned = [replace(row, order="swapped", score=None if row.score is None else 1 - row.score) for row in made]
        rows += turned if swapped else made
    mine = {row.key for row in rows}
    with shared_rows(out) as there:
        write_jsonl(out, map(row_json, (*(row for row in there if row.key not in mine), *rows)))
    silent = sum(row.unscored is not None for row in rows)
    again = "; the same command asks again where the server gave no answer" if silent else ""
    return (
        f"{len(rows)} verdicts of {judge.name} are in {out}, {silent} of them unscored{again}. "
        f"{judge.sent} requests were sent; all replies have {judge.tokens:,} tokens."
    )
