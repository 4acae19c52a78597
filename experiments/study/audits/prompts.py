"""The judges that are asked, asked again in the other prompts of a study: the same items, sides and fits anew."""

import math
from dataclasses import replace
from typing import Any

from ...compare.evaluation import Evaluation
from ...compare.lens import Lens
from ...compare.turns import reads_the_verdict
from ...data.verdict_table import Row
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
            notes += [f"{name}: {note}" for note in again.beside.notes()]
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
