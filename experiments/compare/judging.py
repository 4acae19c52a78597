"""One data set on its way from items to what every judge says of the test items."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ...extraction.features import Features
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...models.loading import LanguageModel
from ...probes import BaseJudge, Verdict
from ..data.labels import label_to_fit
from ..data.variants import Responses, permuted
from ..judges.fitting import fit_seat, no_verdicts
from ..judges.panel import Seat
from ..reading.passes import Passes
from ..reading.read import pair_features, rating_features, read
from .by_block import choice_curves, rating_curves, trace_curves
from .metrics_by_kind import TOP_MAJ
from .results import Curve, HeadMap, Outcome

Index = npt.NDArray[np.intp]
_SWAPPED = {"a": "b", "b": "a", "tie": "tie"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a comparison is made.

    Args:
        seed: Of sampling and splitting.
        fit_share: Share of the questions that judges are fitted and heads chosen on; the rest is reported on.
        candidates: Answers sampled for each question of ``builtin:solve``.
        between: Positions that CLUE and the probes read.
        passes: How the model is run.
        top_maj: The ``k`` of top-maj@k.
        curves: Whether curves over blocks and maps of heads are made.
    """

    seed: int = 0
    fit_share: float = 0.5
    candidates: int = 8
    between: tuple[str, str] = ("reasoning_start", "reasoning_end")
    passes: Passes = field(default_factory=Passes)
    top_maj: tuple[int, ...] = TOP_MAJ
    curves: bool = True


#: Called with the name of a set of features, its items and what reads any part of them: where they may be kept.
Keep = Callable[[str, Sequence[Any], Callable[[Sequence[Any]], Features]], Features]


def unkept(_name: str, items: Sequence[Any], read_part: Callable[[Sequence[Any]], Features]) -> Features:
    """Features that are read now and kept nowhere."""
    return read_part(items)


#: Outcomes, curves over blocks, maps of heads.
Found = tuple[list[Outcome], tuple[Curve, ...], tuple[HeadMap, ...]]


class Judging:
    """Reads the items once, fits each judge on ``fit`` and asks it about ``test``.

    ``notes`` collects what was chosen, as sentences for the report; ``features`` what was read of all items, by name;
    ``permuted`` holds, of choices, the features with options permuted and the answers there.
    ``keep`` may put features on disk, and take them from there.
    """

    def __init__(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        fit: Index,
        test: Index,
        settings: Settings,
        seats: Mapping[str, Seat],
        keep: Keep = unkept,
    ) -> None:
        self.lm, self.items, self.fit, self.test = lm, items, fit, test
        self.settings, self.seats, self.keep = settings, seats, keep
        self.features: dict[str, Features] = {}
        self.labels = [label_to_fit(item, settings.passes.scale) for item in items]
        self.notes: list[str] = []
        self.permuted: tuple[Features, list[int | None]] | None = None

    def traces(self) -> Found:
        """Traces: every judge reads the same features."""
        features = self._read("items", self.items)
        outcomes = [self._outcome(name, seat, features) for name, seat in self.seats.items()]
        if not self.settings.curves:
            return outcomes, (), ()
        start, end = self.settings.between
        traces = cast(Sequence[Trace], self.items)
        curves = trace_curves(features, traces, self.fit, self.test, start=start, end=end)
        return outcomes, curves, ()

    def ratings(self) -> Found:
        """Ratings, likewise."""
        features = self._read("items", self.items)
        outcomes = [self._outcome(name, seat, features) for name, seat in self.seats.items()]
        if not self.settings.curves:
            return outcomes, (), ()
        ratings, scale = cast(Sequence[Rating], self.items), self.settings.passes.scale
        return outcomes, rating_curves(features, ratings, self.test, scale=scale), ()

    def choices(self) -> Found:
        """Choices, as given and with options permuted."""
        choices = cast(Sequence[Choice], self.items)
        moved, orders = permuted(choices, seed=self.settings.seed)
        features = self._read("items", choices)
        self.permuted = self._read("permuted", moved), [item.answer for item in moved]
        outcomes = []
        for name, seat in self.seats.items():
            outcome = self._outcome(name, seat, features, permuted=self.permuted)
            if outcome.again is not None:
                back = [_moved_back(v, orders[k]) for v, k in zip(outcome.again, self.test, strict=True)]
                outcome = replace(outcome, again=back)
            outcomes.append(outcome)
        if not self.settings.curves:
            return outcomes, (), ()
        curves, maps = choice_curves(features, choices, self.fit, self.test)
        chosen = {"QK-score": "qk-score", "Attention-score": "attention-score"}
        heads = {name: seat.judge.chosen_heads for name, seat in self.seats.items()}
        maps = tuple(replace(m, chosen=heads.get(chosen[m.label], ())) for m in maps)
        return outcomes, curves, maps

    def pairs(self) -> Found:
        """Pairs in both orders, and each response on its own for point-wise judges."""
        pairs = cast(Sequence[Pair], self.items)
        passes = self.settings.passes
        forward = self._kept("items", pairs, lambda part: pair_features(self.lm, part, passes, swapped=False))
        backward = self._kept("swapped", pairs, lambda part: pair_features(self.lm, part, passes, swapped=True))
        own = replace(passes, needs=self._pointwise_needs())
        single = list(Responses(pairs))
        alone = self._kept("alone", single, lambda part: rating_features(self.lm, part, own))
        sides = [one.extra.get("preferred") for one in single]
        outcomes = []

        for name, seat in self.seats.items():
            if seat.pointwise:
                note = fit_seat(name, seat.judge, alone, sides, both_responses(self.fit))
                self.notes += [note] if note else []
                found = by_difference(
                    name, seat.judge, alone.take(both_responses(self.test)), [pairs[k].id for k in self.test]
                )
                outcomes.append(found)
                continue
            outcome = self._outcome(name, seat, forward)
            again = [
                v if v.label is None else replace(v, label=_SWAPPED[str(v.label)])
                for v in seat.judge.verdicts(backward.take(self.test))
            ]
            outcomes.append(replace(outcome, again=again))
        return outcomes, (), ()

    def _read(self, name: str, items: Sequence[Item]) -> Features:
        return self._kept(name, items, lambda part: read(self.lm, part, self.settings.passes))

    def _kept(self, name: str, items: Sequence[Any], read_part: Callable[[Sequence[Any]], Features]) -> Features:
        self.features[name] = self.keep(name, items, read_part)
        return self.features[name]

    def _pointwise_needs(self) -> frozenset[str]:
        return frozenset(need for seat in self.seats.values() if seat.pointwise for need in seat.judge.needs)

    def _outcome(
        self, name: str, seat: Seat, features: Features, *, permuted: tuple[Features, Sequence[Any]] | None = None
    ) -> Outcome:
        """Fit where there is something to learn, then judge the test items."""
        note = fit_seat(name, seat.judge, features, self.labels, self.fit, permuted=permuted)
        if note:
            self.notes.append(note)
        part = features.take(self.test)
        if seat.judge.learns and seat.judge.provenance_ is None:
            return Outcome(judge=name, verdicts=no_verdicts(seat.judge, part))
        started = time.perf_counter()
        verdicts = seat.judge.verdicts(part)
        spent = time.perf_counter() - started + _pass_seconds(part, seat.judge)
        again = seat.judge.verdicts(permuted[0].take(self.test)) if permuted else None
        return Outcome(judge=name, verdicts=verdicts, again=again, seconds_per_item=spent / max(len(part), 1))


def _pass_seconds(features: Features, judge: BaseJudge) -> float:
    """Wall time of the passes that a judge needs; readouts of one pass carry the same time and count once."""
    return sum({features.seconds[name] for name in judge.needs if name in features.seconds})


def _moved_back(verdict: Verdict, order: tuple[int, ...]) -> Verdict:
    """The label of a permuted question as an index into its options as given; abstaining keeps its place."""
    label = verdict.label
    return replace(verdict, label=order[label]) if isinstance(label, int) and label < len(order) else verdict


def both_responses(rows: Index) -> Index:
    """Rows of :class:`.variants.Responses` that belong to rows of pairs.

    Example:
        >>> both_responses(np.array([0, 3])).tolist()
        [0, 1, 6, 7]
    """
    return np.stack((2 * rows, 2 * rows + 1), axis=1).reshape(-1)


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
