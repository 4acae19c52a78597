"""How the model is asked: where judges of hidden states read the verdict, and the text judge in its best way.

A model that does not follow a cue in its turn has little to read there. So both places are tried for every judge that
reads them, on items of the fitting half and by the measure of the ways of asking in text. The published place is left
only for a lead of more than two standard errors on at least :data:`LEAST` items: on few, the better of two is luck.
The text judge is asked in the way that was best on the fitting half.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.base import clone

from ...extraction.features import Features
from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair
from ...models.loading import LanguageModel
from ...probes import BaseJudge, Verdict
from ...probes.labels import folds
from ..data.splits import Index
from ..data.variants import Responses, permutations
from ..judges.fitting import fit_seat
from ..judges.opponent import MEASURE, Ask, chance_of, choose_opponent, opponent_says, quality, tried_rows
from ..judges.panel import TEXT, Seat
from ..reading.cost import CostCounter
from ..reading.passes import VERDICT_NEEDS, Passes
from ..reading.read import VERDICT_READOUTS
from ..reading.verdict_pass import wanted_of
from ..reading.ways import Turn, Way, ask
from .figures import worded
from .results import Outcome, moved_back

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


def choose_turns(run: Judging, features: Features) -> None:
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


def opened_items(run: Judging, name: str, items: Sequence[Any], cued: Features, *, swapped: bool = False) -> Features:
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
    found = []
    for name, seat in seats.items():
        if reads_the_verdict(seat.judge) and not seat.pointwise:
            cue, other = (held_out_quality(kind, seat.judge, items, labels, read) for read in (cued, opened))
            found.append(TurnTrial(judge=name, cue=cue, opened=other, error=error))
    return found


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


#: Share of the questions of a side that are also asked with their options permuted, and how many are in any case.
PERMUTED, FEWEST = 1 / 3, 12


def permuted_sample(sides: Sequence[Index], seed: int) -> Index:
    """Rows of the questions whose options are permuted as well, in order: a share of every side.

    Each side has its own draw, as judges choose heads on those to fit on and figures rest on those that are reported.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(rows)[: max(FEWEST, round(PERMUTED * len(rows)))] for rows in sides]
    return np.sort(np.concatenate(drawn)).astype(np.intp)


def with_best_text(run: Judging, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, those of the judge called ``text`` replaced by its best way of asking; adds to the notes."""
    if all(outcome.judge != TEXT for outcome in outcomes):
        return list(outcomes)
    passes = run.passes

    def asking(name: str, some: Sequence[Item], turn: Turn, text: bool, swapped: bool) -> Features:
        def read(part: Sequence[Any], how: Passes) -> Features:
            return ask(run.lm, part, turn, how, text=text, swapped=swapped)

        return run.kept(f"{name}-{turn}", some, passes, read)

    features = run.features["items"]
    seed, swapped = run.settings.seeds.split, run.features.get("swapped")
    found = choose_opponent(run.kind, run.items, features, run.fit, passes, asking, seed=seed, swapped=swapped)
    run.notes += found.notes
    started = time.perf_counter()
    test, cued = [run.items[k] for k in run.test], features.take(run.test)
    verdicts = opponent_says(found.way, run.kind, test, passes, asking, cued=cued)
    spent = (time.perf_counter() - started) / max(len(test), 1)
    again: Sequence[Verdict | None] | None = None
    if run.kind == "pair":
        back = run.features["swapped"].take(run.test)
        again = opponent_says(found.way, "pair", test, passes, asking, cued=back, swapped=True)
    elif run.kind == "choice":
        again = _permuted(run, found.way, asking)
    own = cued if found.way.turn == "cue" else run.features[f"text-{found.way.turn}"]
    cost = CostCounter(run.lm, test, passes).of_way(found.way.turn, own, text=found.way.read == "text")

    def best(o: Outcome) -> Outcome:
        shared = (o.seconds_per_item or 0.0) if found.way.turn == "cue" else 0.0  # of the passes with the cue
        return replace(o, verdicts=verdicts, again=again, cost=cost, seconds_per_item=spent + shared)

    return [best(o) if o.judge == TEXT else o for o in outcomes]


def with_costs(run: Judging, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes with the prompts and tokens that each judge costs an item, where that is not known yet."""
    test, found = [run.items[k] for k in run.test], []
    whole = CostCounter(run.lm, test, run.passes)
    single = CostCounter(run.lm, list(Responses([item for item in test if isinstance(item, Pair)])), run.passes)
    for outcome in outcomes:
        seat = run.seats[outcome.judge]
        needs, turn = seat.judge.needs, run.turns.get(outcome.judge, "cue")
        if outcome.cost is None and test and seat.pointwise:
            one = single.of(needs, run.features["alone"].take(both_responses(run.test)))
            outcome = replace(outcome, cost=one + one)
        elif outcome.cost is None and test:
            said = run.features.get("reasoned") if "reasoned" in needs else None
            part = run.features["items"].take(run.test) if said is None else said
            outcome = replace(outcome, cost=whole.of(needs, part, turn))
        found.append(outcome)
    return found


def both_responses(rows: Index) -> Index:
    """Rows of :class:`.variants.Responses` that belong to rows of pairs."""
    return np.stack((2 * rows, 2 * rows + 1), axis=1).reshape(-1)


def _permuted(run: Judging, way: Way, asking: Ask) -> list[Verdict | None]:
    """What is said of the test items of the sample with their options permuted, with labels of the options as given."""
    choices, test = cast(Sequence[Choice], run.items), run.test.tolist()
    both = [k for k in run.sample.tolist() if k in set(test)]
    drawn = permutations([choices[k] for k in run.sample], seed=run.settings.seeds.split)
    forms = dict(zip(run.sample.tolist(), drawn, strict=True))
    moved = [forms[k][0] for k in both]
    if not moved:
        return [None] * len(test)
    cued = run.features["permuted"].take(np.searchsorted(run.sample, both))
    named: Ask = lambda name, *rest: asking(f"{name}-permuted", *rest)  # noqa: E731
    said = opponent_says(way, "choice", moved, run.passes, named, cued=cued)
    back = {k: moved_back(verdict, forms[k][1]) for k, verdict in zip(both, said, strict=True)}
    return [back.get(k) for k in test]
