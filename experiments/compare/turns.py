"""Where judges of hidden states read the verdict: after the published cue, or where an open turn begins.

A model that does not follow a cue in its turn has little to read there. So both places are tried for every judge that
reads them, on items of the fitting half and by the measure of the ways of asking in text. The published place is left
only for a lead of more than two standard errors on at least :data:`LEAST` items: on few, the better of two is luck.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from ...extraction.features import Features
from ...models.errors import InnerjudgeError
from ...models.items import Item
from ...models.loading import LanguageModel
from ...probes import BaseJudge, Verdict
from ...probes.labels import folds
from ..judges.fitting import fit_seat
from ..judges.opponent import MEASURE, chance_of, quality, tried_rows
from ..judges.panel import TEXT, Seat
from ..reading.passes import VERDICT_NEEDS, Passes
from ..reading.read import VERDICT_READOUTS
from ..reading.verdict_pass import wanted_of
from ..reading.ways import Turn, ask
from .figures import worded

if TYPE_CHECKING:
    from .judging import Judging

_OPEN = "verdicts without a cue"
#: Fewest items to try both places on.
LEAST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTrial:
    """How a judge did after the cue and in an open turn, on items that it was not fitted on.

    ``None`` where it could not be fitted; ``error`` is the standard error of such a figure at chance.
    """

    judge: str
    cue: float | None
    opened: float | None
    error: float

    @property
    def turn(self) -> Turn:
        """An open turn if it leads by more than two standard errors, or if nothing can be read after the cue."""
        if self.opened is None or (self.cue is not None and self.opened <= self.cue + 2 * self.error):
            return "cue"
        return "open"


def reads_the_verdict(judge: BaseJudge) -> bool:
    """Whether a judge reads the place of the verdict, and nothing else of the item."""
    needs = {*judge.needs, *judge.fit_needs}
    return not judge.reads_text and needs <= VERDICT_NEEDS and bool(needs - {"labels"})


def choose_turns(run: "Judging", features: Features) -> None:
    """Choose where each judge reads the verdict, by some items of the fitting half; adds to the notes.

    ``features`` are those of the prompts that all judges share.
    """
    rows = tried_rows(run.items, run.fit, run.settings.seeds.split)
    if len(rows) < LEAST or not any(reads_the_verdict(s.judge) and not s.pointwise for s in run.seats.values()):
        return
    some, text = [run.items[k] for k in rows], TEXT in run.seats
    opened = run.kept(
        "tried-open-open", some, run.passes, lambda part, how: read_open(run.lm, part, run.kind, how, text=text)
    )
    found = try_turns(run.kind, run.seats, some, [run.labels[k] for k in rows], features.take(rows), opened)
    run.turns = {one.judge: one.turn for one in found}
    tried = [one for one in found if one.cue is not None or one.opened is not None]
    moved = [one.judge for one in tried if one.turn == "open"]
    told: Any = {"n": len(rows), "measure": MEASURE[run.kind], "trials": tried, "moved": moved}
    run.notes += worded("turns", **told, error=max((one.error for one in tried), default=0.0))


def opened_items(run: "Judging", name: str, items: Sequence[Any], cued: Features, *, swapped: bool = False) -> Features:
    """What is read in an open turn; if no judge was better there, nothing is read, and this is ``cued``."""
    if "open" not in run.turns.values():
        return cued
    return run.kept(
        name, items, run.passes, lambda some, how: read_open(run.lm, some, run.kind, how, text=False, swapped=swapped)
    )


def read_open(
    lm: LanguageModel, items: Sequence[Item], kind: str, passes: Passes, *, text: bool, swapped: bool = False
) -> Features:
    """What judges read where the verdict stands in an open turn; ``text`` also has the model write there."""
    needs = (VERDICT_NEEDS if passes.needs is None else passes.needs & VERDICT_NEEDS) - {"labels"}
    wanted = wanted_of(VERDICT_READOUTS.get(kind, ()), replace(passes, needs=needs))
    found = ask(lm, items, "open", passes, text=text, swapped=swapped, more=wanted, every_block=True)
    prompt = "; ".join(part for part in (passes.told(kind), _OPEN) if part)
    return replace(found, provenance=replace(found.provenance, prompt=prompt))


def try_turns(
    kind: str, seats: Mapping[str, Seat], items: Sequence[Item], labels: Sequence[Any], cued: Features, opened: Features
) -> list[TurnTrial]:
    """Each judge that reads the place of the verdict, at both places, on labelled items of the fitting half."""
    _, error = chance_of(kind, items)
    return [
        TurnTrial(
            error=error,
            judge=name,
            cue=held_out_quality(kind, seat.judge, items, labels, cued),
            opened=held_out_quality(kind, seat.judge, items, labels, opened),
        )
        for name, seat in seats.items()
        if reads_the_verdict(seat.judge) and not seat.pointwise
    ]


def held_out_quality(
    kind: str, judge: BaseJudge, items: Sequence[Item], labels: Sequence[Any], features: Features
) -> float | None:
    """Quality of a judge's verdicts on items whose questions it was not fitted on; ``None`` where that cannot be."""
    if not judge.learns:
        return quality(kind, items, judge.verdicts(features))
    verdicts: dict[int, Verdict] = {}
    for train, test in folds(features.groups):
        fold = clone(judge)
        try:
            fit_seat("", fold, features, labels, train)
        except InnerjudgeError:
            return None
        if fold.provenance_ is None:
            return None
        verdicts |= dict(zip(test.tolist(), fold.verdicts(features[test]), strict=True))
    return quality(kind, items, [verdicts[k] for k in range(len(items))]) if verdicts else None
