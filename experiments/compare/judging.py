"""One data set on its way from items to what every judge says of the test items."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from ...extraction.features import Features
from ...models.items import Choice, Pair, Rating, Trace
from ...probes import BaseJudge, Verdict
from ..data.labels import label_to_fit
from ..data.variants import Responses, permuted
from ..judges.between import positions
from ..judges.fitting import fit_seat, no_verdicts
from ..judges.opponent import tried_rows
from ..judges.panel import TEXT, Seat
from ..reading.read import pair_features, rating_features
from ..reading.ways import Turn
from .by_block import choice_curves, rating_curves, trace_curves
from .item_features import Index, ItemFeatures, over_all
from .results import Curve, HeadMap, Outcome, moved_back
from .settings import Settings
from .text_side import both_responses, permuted_sample
from .turns import LEAST, note_of, read_open, reads_the_verdict, try_turns

_NOT_PERMUTED = "its options were not permuted: a sample of the questions is"
_SWAPPED = {"a": "b", "b": "a", "tie": "tie"}


@dataclass(kw_only=True)
class Judging(ItemFeatures):
    """Reads the items once, fits each judge on ``fit`` and asks it about ``test``.

    Args:
        kind: Kind of the items.
        fit: Rows to fit on.
        test: Rows to judge.
        seats: The judges.
        settings: How they are compared.
        lm, items, passes, keep: As of :class:`~innerjudge.experiments.compare.item_features.ItemFeatures`.

    Attributes:
        notes: What was chosen, as sentences for the report.
        permuted: Of choices, the features with options permuted and the answers there; missing outside of the sample.
        sample: Rows of the choices that are also asked with their options permuted.
        turns: Where each judge that reads the place of the verdict does so.
    """

    kind: str
    fit: Index
    test: Index
    seats: Mapping[str, Seat]
    settings: Settings
    notes: list[str] = field(default_factory=list, init=False)
    permuted: tuple[Features, list[int | None]] | None = field(default=None, init=False)
    labels: list[Any] = field(init=False)
    turns: dict[str, Turn] = field(default_factory=dict, init=False)
    sample: Index = field(default_factory=lambda: np.zeros(0, dtype=np.intp), init=False)

    def __post_init__(self) -> None:
        self.labels = [label_to_fit(item, self.settings.scale) for item in self.items]

    def outcomes(self) -> list[Outcome]:
        """What every judge says of the test items."""
        if self.kind == "pair":
            return pair_outcomes(self)
        return choice_outcomes(self) if self.kind == "choice" else self._of_one_form()

    def _of_one_form(self) -> list[Outcome]:
        """Traces and ratings: every judge reads the same features."""
        features = self.without_reasoning("items", self.items)
        self.choose_turns(features)
        opened = self.opened("items-open", self.items, features)
        return [
            self.outcome(name, seat, opened if self.turns.get(name) == "open" else features)
            for name, seat in self.seats.items()
        ]

    def choose_turns(self, features: Features) -> None:
        """Behind the cue or in an open turn: where each judge reads the verdict, by some items of the fitting half."""
        rows = tried_rows(self.items, self.fit, self.settings.seeds.split)
        if len(rows) < LEAST or not any(reads_the_verdict(s.judge) and not s.pointwise for s in self.seats.values()):
            return
        some, text = [self.items[k] for k in rows], TEXT in self.seats
        opened = self.kept(
            "tried-open-open", some, self.passes, lambda part, how: read_open(self.lm, part, self.kind, how, text=text)
        )
        labels = [self.labels[k] for k in rows]
        found = try_turns(self.kind, self.seats, some, labels, features.take(rows), opened)
        self.turns = {one.judge: one.turn for one in found}
        self.notes.append(note_of(self.kind, found, len(rows)))

    def opened(self, name: str, items: Sequence[Any], cued: Features, *, swapped: bool = False) -> Features:
        """What is read in an open turn; where no judge was better there, nothing is, and this is what the cue gave."""
        if "open" not in self.turns.values():
            return cued
        return self.kept(
            name,
            items,
            self.passes,
            lambda some, how: read_open(self.lm, some, self.kind, how, text=False, swapped=swapped),
        )

    def outcome(
        self, name: str, seat: Seat, features: Features, *, permuted: tuple[Features, Sequence[Any]] | None = None
    ) -> Outcome:
        """Fit where there is something to learn, then judge the test items."""
        note = fit_seat(name, seat.judge, features, self.labels, self.fit, permuted=permuted)
        self.notes += [note] if note else []
        part = features.take(self.test)
        if "reasoned" in seat.judge.needs and "reasoned" not in features.texts:
            part, permuted = replace(self.reasoned(seat.judge.needs, self.test), arrays=part.arrays), None
        if seat.judge.learns and seat.judge.provenance_ is None:
            return Outcome(judge=name, verdicts=no_verdicts(seat.judge, part))
        started = time.perf_counter()
        verdicts = seat.judge.verdicts(part)
        spent = time.perf_counter() - started + _pass_seconds(part, seat.judge)
        again = seat.judge.verdicts(permuted[0].take(self.test)) if permuted else None
        return Outcome(judge=name, verdicts=verdicts, again=again, seconds_per_item=spent / max(len(part), 1))


def choice_outcomes(run: Judging) -> list[Outcome]:
    """Choices, as given and with options permuted."""
    choices = cast(Sequence[Choice], run.items)
    seed = run.settings.seeds.split
    run.sample = permuted_sample(len(choices), seed)
    moved, orders = permuted([choices[k] for k in run.sample], seed=seed)
    features = run.without_reasoning("items", choices)
    some = run.without_reasoning("permuted", moved)
    answers: list[int | None] = [None] * len(choices)
    for k, item in zip(run.sample.tolist(), moved, strict=True):
        answers[k] = item.answer
    run.permuted = over_all(some, features, _NOT_PERMUTED), answers
    run.choose_turns(features)
    opened = run.opened("items-open", choices, features)
    without = over_all(run.opened("permuted-open", moved, some), opened, _NOT_PERMUTED), answers
    order = dict(zip(run.sample.tolist(), orders, strict=True))
    outcomes = []
    for name, seat in run.seats.items():
        is_open = run.turns.get(name) == "open"
        outcome = run.outcome(
            name, seat, opened if is_open else features, permuted=without if is_open else run.permuted
        )
        if outcome.again is not None:
            said = zip(outcome.again, run.test.tolist(), strict=True)
            back = [moved_back(v, order[k]) if v is not None and k in order else None for v, k in said]
            outcome = replace(outcome, again=back)
        outcomes.append(outcome)
    return outcomes


def pair_outcomes(run: Judging) -> list[Outcome]:
    """Pairs in both orders, and each response on its own for point-wise judges."""
    pairs, passes = cast(Sequence[Pair], run.items), run.passes
    forward = run.kept("items", pairs, passes, lambda some, how: pair_features(run.lm, some, how, swapped=False))
    backward = run.kept("swapped", pairs, passes, lambda some, how: pair_features(run.lm, some, how, swapped=True))
    needs = frozenset(need for seat in run.seats.values() if seat.pointwise for need in seat.judge.needs)
    single, own = list(Responses(pairs)), replace(passes, needs=needs)
    alone = run.kept("alone", single, own, lambda some, how: rating_features(run.lm, some, how))
    sides = [one.extra.get("preferred") for one in single]
    run.choose_turns(forward)
    opened = run.opened("items-open", pairs, forward)
    turned = run.opened("swapped-open", pairs, backward, swapped=True)
    ids, outcomes = [pairs[k].id for k in run.test], []
    for name, seat in run.seats.items():
        if seat.pointwise:
            note = fit_seat(name, seat.judge, alone, sides, both_responses(run.fit))
            run.notes += [note] if note else []
            outcomes.append(by_difference(name, seat.judge, alone.take(both_responses(run.test)), ids))
            continue
        first, second = (opened, turned) if run.turns.get(name) == "open" else (forward, backward)
        outcome = run.outcome(name, seat, first)
        again = [
            v if v.label is None else replace(v, label=_SWAPPED[str(v.label)])
            for v in seat.judge.verdicts(second.take(run.test))
        ]
        outcomes.append(replace(outcome, again=again))
    return outcomes


def curves_of(run: Judging) -> tuple[tuple[Curve, ...], tuple[HeadMap, ...]]:
    """Curves over blocks and maps of heads, of what was read of the items; pairs have none."""
    features = run.features.get("items")
    if features is None or run.kind == "pair":
        return (), ()
    if run.kind == "trace":
        start, end = positions(run.settings.between)
        traces = cast(Sequence[Trace], run.items)
        return trace_curves(features, traces, run.fit, run.test, start=start, end=end), ()
    if run.kind == "rating":
        ratings = cast(Sequence[Rating], run.items)
        return rating_curves(features, ratings, run.test, scale=run.settings.scale), ()
    curves, maps = choice_curves(features, cast(Sequence[Choice], run.items), run.fit, run.test)
    chosen = {"QK-score": "qk-score", "Attention-score": "attention-score"}
    # The maps are of the prompts with the cue; heads that were chosen in an open turn are not on them.
    heads = {name: s.judge.chosen_heads for name, s in run.seats.items() if run.turns.get(name) != "open"}
    return curves, tuple(replace(m, chosen=heads.get(chosen[m.label], ())) for m in maps)


def _pass_seconds(features: Features, judge: BaseJudge) -> float:
    """Wall time of the passes that a judge needs; readouts of one pass carry the same time and count once."""
    return sum({features.seconds[name] for name in judge.needs if name in features.seconds})


def by_difference(name: str, judge: BaseJudge, features: Features, pair_ids: Sequence[str]) -> Outcome:
    """Preference for the response with the higher score; equal scores are a tie."""
    if judge.learns and judge.provenance_ is None:
        return Outcome(judge=name, verdicts=[Verdict(i, unscored="the judge could not be fitted") for i in pair_ids])
    started = time.perf_counter()
    single = judge.verdicts(features)
    spent = time.perf_counter() - started + _pass_seconds(features, judge)
    verdicts = []
    for pair_id, a, b in zip(pair_ids, single[::2], single[1::2], strict=True):
        if a.unscored or b.unscored:
            side = f"response a: {a.unscored}" if a.unscored else f"response b: {b.unscored}"
            verdicts.append(Verdict(pair_id, unscored=side))
            continue
        gap = cast(float, a.score) - cast(float, b.score)
        verdicts.append(Verdict(pair_id, score=gap, label="a" if gap > 0 else "b" if gap < 0 else "tie"))
    return Outcome(judge=name, verdicts=verdicts, seconds_per_item=spent / max(len(pair_ids), 1))
