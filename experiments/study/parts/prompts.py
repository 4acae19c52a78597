"""Judge prompts compared: every judge that is asked is asked, and fitted, again in each, on the same sides."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...compare.evaluation import Evaluation
from ...compare.figures import Cell, Figure, Section, grid, section, worded
from ...compare.lens import Lens, differences
from ...compare.metrics import metrics, scored_by
from ...compare.report.draw import bars
from ...compare.turns import reads_the_verdict
from ...data.verdict_table import Row, Table
from ...stats.biases.consistency import consensus_share, flip_rate, score_spread, self_consistency
from ..spec import OURS, Study


def in_each_prompt(study: Study, one: Evaluation, lens: Lens) -> tuple[dict[str, list[Row]], list[str]]:
    """Prompt -> reported rows of every judge that is asked, its template the prompt; that of the study first. Notes.

    Prompts of other kinds of items are left out. Every prompt is a step of its own, so that a killed study goes on
    with the next one; what is read of the items themselves is not read again. Grades are put on the study's scale.
    """
    seats = {n: s.judge for n, s in one.seats.items() if not s.pointwise}
    names = tuple(n for n, judge in seats.items() if judge.reads_text or reads_the_verdict(judge))
    mine = one.passes.prompt
    own = OURS if mine is None or mine.kind != one.kind else mine.name
    found = {own: [replace(row, template=own) for row in lens.table if row.judge in names]}
    truths, notes = dict(zip(lens.table.items, lens.truths, strict=True)), list[str]()
    for name, how in study.prompted.items() if names else ():
        if name != own and (how.prompt is None or how.prompt.kind == one.kind):
            scale = how.scale if one.kind == "rating" else study.settings.scale
            again = replace(one, settings=how, passes=how.passes(one.passes.steps), only=names)
            found[name] = [
                replace(on_scale(row, scale, study.settings.scale), template=name, truth=truths[row.item])
                for row in again.rows()
                if row.judge in names and row.item in truths
            ]
            notes += [f"{name}: {note}" for note in again.beside.notes]
    if len(found) < 2:
        notes.append("No judge here is asked in the words of a prompt, or no prompt is for such items: none compared.")
    return found, notes


def on_scale(row: Row, used: tuple[int, int], wanted: tuple[int, int]) -> Row:
    """A row whose score and label are put from one scale on another, the label on a whole grade."""

    def moved(value: Any) -> float:
        return wanted[0] + (float(value) - used[0]) / (used[1] - used[0]) * (wanted[1] - wanted[0])

    if used == wanted:
        return row
    return replace(
        row,
        score=None if row.score is None else moved(row.score),
        label=None if row.label is None else math.floor(moved(row.label) + 0.5),  # half a grade goes up
    )


KEY = "prompts"


def prompts(lens: Lens, asked: Mapping[str, Sequence[Row]]) -> Section | None:
    """The headline figure of each judge with each prompt, how far it moves between prompts, and what items say.

    ``asked``: prompt -> rows of the judges that were asked in it (their template), on the scale of the study; the
    study's own first. Differences to that one are corrected for all judges and prompts.
    """
    if len(asked) < 2:
        return None
    first, rows = next(iter(asked)), [row for some in asked.values() for row in some]
    judges, table = list(dict.fromkeys(row.judge for row in rows)), Table(rows)
    small = lens.of([replace(row, judge=f"{row.judge}, {row.template}", template="default") for row in rows])
    main, of = next(iter(metrics(small).items()))
    scored = {name: scored_by(small, main, name) for name in small.table.judges}
    every = [True] * len(small.truths)
    shown = {j: {p: small.figure(KEY, f"{j}, {p}", main, of(f"{j}, {p}", every)) for p in asked} for j in judges}
    against = {f"{j}, {p}": f"{j}, {first}" for j in judges for p in asked if p != first}
    gaps = differences(small, KEY, main, of, scored, against=against)
    cells: list[list[Cell]] = [[f.judge, f, gaps.get(f.judge)] for held in shown.values() for f in held.values()]
    items: list[list[Cell]] = []
    for judge in judges:
        said: list[list[Any]] = [table.labels(judge, template=p) for p in asked]
        made = {
            "two prompts agree": self_consistency(said),
            "prompts with a consensus": consensus_share(said),
            "flips from the consensus": flip_rate(said),
            "spread of scores": score_spread([table.scores(judge, template=p) for p in asked]),
        }
        items.append([judge, *(lens.describe(KEY, judge, name, one) for name, one in made.items())])
    grids = [grid("prompts", cells, first=first, main=main), grid("prompts items", items)]
    plot = bars(lens.data, KEY, f"{main} by prompt", shown, y=main)
    return section(KEY, "Judge prompts", _said(main, shown, list(gaps.values()), first), grids, [plot])


def _said(main: str, shown: Mapping[str, Mapping[str, Figure]], gaps: Sequence[Figure], first: str) -> list[str]:
    known = {j: sorted((f.value, p) for p, f in of.items() if f.value is not None) for j, of in shown.items()}
    judge = max(known, key=lambda j: known[j][-1][0] - known[j][0][0] if known[j] else -1.0)
    if not known[judge]:
        return []
    (low, worst), (high, best) = known[judge][0], known[judge][-1]
    moved = [gap for gap in gaps if gap.verdict in ("better", "worse")]
    leaders: dict[str, list[str]] = {}
    for prompt in shown[judge]:
        values = {j: of[prompt].value for j, of in shown.items() if of[prompt].value is not None}
        if values:
            leaders.setdefault(max(values, key=lambda j: values[j] or 0.0), []).append(prompt)
    ends: Any = {"low": low, "worst": worst, "high": high, "best": best}
    return worded(KEY, main=main, judge=judge, **ends, gaps=len(gaps), first=first, moved=moved, leaders=leaders)
