"""A person labels traces one by one: every label is a row of verdicts, written at once."""

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from ...models.conversation import plain_text
from ...models.errors import InnerjudgeError
from ...models.items import Item, Trace
from ...probes import Verdict
from ..data.jsonl import require_room, write_jsonl, writing
from ..data.verdict_files import read_table, row_json, verdict_row
from ..data.verdict_table import Row
from ..selection.labelling import NextRule, answers_of, next_to_label

_MENU = "[r]ight [w]rong [s]kip [b]ack [q]uit"
_SAID = {"r": Verdict("", label=True), "w": Verdict("", label=False), "s": Verdict("", unscored="skipped")}


def label_job(
    items: Sequence[Item],
    out: Path,
    ask: Callable[[str], str],
    *,
    rater: str = "me",
    rule: NextRule | None = None,
    spread: bool = False,
    seed: int = 0,
) -> str:
    """Ask for the label of every trace: ``ask`` shows a text and returns a key (``"q"`` where its input ends).

    Traces come as they stand, or as a ``rule`` of :func:`.next_to_label` says. With ``spread`` a label is written for
    all candidates with the same answer, and one of them is asked for. What the rater labelled or skipped in ``out`` is
    not asked for again, other rows stay; back takes the last label away. Only traces can be labelled so.
    """
    traces: list[Trace] = [item for item in items if isinstance(item, Trace)]
    if len(traces) < len(items) or not traces:
        raise InnerjudgeError("given items that are no traces, expected answers to be called right or wrong")
    require_room(out)
    rows: list[Row] = list(read_table(out)) if out.exists() and out.stat().st_size else []
    keys: list[Hashable] = answers_of(traces) if spread else [item.id for item in traces]
    by_id = {item.id: (item, key) for item, key in zip(traces, keys, strict=True)}
    first = [] if rule is None else next_to_label(traces, [None] * len(traces), rule=rule, seed=seed)
    order = dict.fromkeys((*first, *by_id))
    while True:
        there = ((row, by_id.get(f"{row.question}/{row.candidate}")) for row in rows if row.judge == rater)
        mine = {row.key: found[1] for row, found in there if found is not None}
        done = {f"{row.question}/{row.candidate}" for row in rows if row.key in mine}
        left = [by_id[one] for one in order if one not in done]
        said = f"{len(done)} labelled or skipped, {len(left)} left"
        item = left[0][0] if left else None
        text = "" if item is None else f"{plain_text(item.prompt)}\n\n{plain_text(item.response)}"
        if item is None or (typed := ask(f"\n--- {item.id} ({said})\n{text}\n\n{_MENU}")) == "q":
            return f"{said}, in {out}: `innerjudge fit --labels-from` fits on them."
        if typed == "b" and mine:
            last = [*mine.values()][-1]
            rows = [row for row in rows if mine.get(row.key) != last]
        elif typed in _SAID:
            same = (one for one, key in by_id.values() if key == left[0][1] and one.id not in done)
            rows += [verdict_row(one, _SAID[typed], data="", judge=rater) for one in same]
        with writing(out):
            write_jsonl(out, map(row_json, rows), seal=False)
