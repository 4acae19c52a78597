"""From the items of one data set to what every judge says of the test items."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np

from ...extraction.features import Features
from ...extraction.ragged import Ragged
from ...models.items import Choice, Item, Pair
from ...models.loading import LanguageModel
from ...probes import BaseJudge, Verdict
from ..data.labels import fields_of, label_to_fit
from ..data.splits import Index
from ..data.variants import Responses, permuted
from ..judges.between import positions
from ..judges.fitting import fit_seat, no_verdicts
from ..judges.opponent import as_given
from ..judges.panel import Seat
from ..reading.passes import Passes
from ..reading.progress import Steps
from ..reading.read import pair_features, rating_features, read
from ..reading.ways import Turn
from .by_block import choice_curves, rating_curves, trace_curves
from .results import Curve, HeadMap, Outcome, moved_back
from .settings import Settings
from .turns import both_responses, choose_turns, opened_items, permuted_sample

_NOT_PERMUTED = "its options were not permuted: a sample of the questions is"

#: Reads some items of a data set.
Read = Callable[[Sequence[Any], Passes], Features]

#: Called with the name of a set of features, its items and what reads any part of them: where they may be kept.
Keep = Callable[[str, Sequence[Any], Callable[[Sequence[Any], Steps], Features]], Features]


@dataclass(kw_only=True)
class ItemFeatures:
    """Reads the items of a data set once; ``keep`` may put features on disk, ``features`` holds them by name.

    ``labels`` are those to fit on.
    """

    lm: LanguageModel
    items: Sequence[Item]
    passes: Passes
    keep: Keep
    settings: Settings
    features: dict[str, Features] = field(default_factory=dict, init=False)
    labels: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.labels = [label_to_fit(item, self.settings.scale) for item in self.items]

    def kept(self, name: str, items: Sequence[Any], passes: Passes, how: Read) -> Features:
        """Features of items under a name: read now, or taken from an earlier reading of at least these items."""
        ids, found = [item.id for item in items], self.features.get(name)
        if found is None or not set(ids) <= set(found.ids):
            found = self.keep(name, items, lambda some, steps: how(some, replace(passes, steps=steps)))
            self.features[name] = found
        if list(found.ids) == ids:
            return found
        place = {one: row for row, one in enumerate(found.ids)}
        return found.take([place[one] for one in ids])

    def labels_of(self, judge: BaseJudge) -> list[Any]:
        """The labels to fit a judge on: those of aspects or steps too, for one that learns from these."""
        if not {"aspects", "step_labels", "span_labels"} & {*judge.label_fields}:
            return self.labels
        return [judge.label_of(fields_of(item), y) or y for item, y in zip(self.items, self.labels, strict=True)]

    def without_reasoning(self, name: str, items: Sequence[Item]) -> Features:
        """Features without reasoning before the verdict, which is written for the test items only."""
        needs = self.passes.needs
        passes = self.passes if needs is None else replace(self.passes, needs=needs - {"reasoned"})
        return self.kept(name, items, passes, lambda some, how: read(self.lm, some, how))

    def reasoned(self, needs: Iterable[str], rows: Index) -> Features:
        """What is written after reasoning about the test items, ``rows`` (no fit needs it); read once."""
        if "reasoned" not in self.features:
            passes = replace(self.passes, needs=frozenset(needs) - {"labels"})
            self.kept("reasoned", [self.items[k] for k in rows], passes, lambda some, how: read(self.lm, some, how))
        return self.features["reasoned"]


@dataclass(kw_only=True)
class Judging(ItemFeatures):
    """Reads the items once, fits each judge (``seats``) on the rows ``fit`` and asks it about those of ``test``.

    ``notes`` says what was chosen, as sentences for the report; ``turns`` in which turn each judge that reads at the
    verdict does so. Of choices, ``sample`` are the rows that are also asked with their options permuted, ``permuted``
    the features and answers there; missing outside of the sample.
    """

    kind: str
    fit: Index
    test: Index
    seats: Mapping[str, Seat]
    notes: list[str] = field(default_factory=list, init=False)
    permuted: tuple[Features, list[int | None]] | None = field(default=None, init=False)
    turns: dict[str, Turn] = field(default_factory=dict, init=False)
    sample: Index = field(default_factory=lambda: np.zeros(0, dtype=np.intp), init=False)

    def outcomes(self) -> list[Outcome]:
        """What every judge says of the test items; all judges of traces and ratings read the same features."""
        if self.kind in ("pair", "choice"):
            return self._of_pairs() if self.kind == "pair" else self._of_choices()
        features = self.without_reasoning("items", self.items)
        choose_turns(self, features)
        opened = opened_items(self, "items-open", self.items, features)
        return [
            self._outcome(name, seat, opened if self.turns.get(name) == "open" else features)
            for name, seat in self.seats.items()
        ]

    def _of_choices(self) -> list[Outcome]:
        choices, seed = cast(Sequence[Choice], self.items), self.settings.seeds.split
        self.sample = permuted_sample((self.fit, self.test), seed)
        moved, orders = permuted([choices[k] for k in self.sample], seed=seed)
        features = self.without_reasoning("items", choices)
        some = self.without_reasoning("permuted", moved)
        answer_of = {k: item.answer for k, item in zip(self.sample.tolist(), moved, strict=True)}
        answers = [answer_of.get(k) for k in range(len(choices))]
        self.permuted = over_all(some, features, _NOT_PERMUTED), answers
        choose_turns(self, features)
        opened = opened_items(self, "items-open", choices, features)
        without = over_all(opened_items(self, "permuted-open", moved, some), opened, _NOT_PERMUTED), answers
        order = dict(zip(self.sample.tolist(), orders, strict=True))
        outcomes = []
        for name, seat in self.seats.items():
            read, again = (opened, without) if self.turns.get(name) == "open" else (features, self.permuted)
            found = self._outcome(name, seat, read, permuted=again)
            said = zip(found.again or (), self.test.tolist(), strict=False)  # as given, and nothing outside the sample
            given = [moved_back(v, order[k]) if v is not None and k in order else None for v, k in said]
            outcomes.append(replace(found, again=given or None))
        return outcomes

    def _of_pairs(self) -> list[Outcome]:
        """Pairs in both orders, and each response on its own for point-wise judges."""
        pairs, passes = cast(Sequence[Pair], self.items), self.passes
        needs = frozenset(need for seat in self.seats.values() if seat.pointwise for need in seat.judge.needs)
        single = list(Responses(pairs))
        alone = self.kept("alone", single, replace(passes, needs=needs), partial(rating_features, self.lm))
        if not all(seat.pointwise for seat in self.seats.values()):  # else nobody is asked about a pair
            forward = self.kept("items", pairs, passes, partial(pair_features, self.lm, swapped=False))
            backward = self.kept("swapped", pairs, passes, partial(pair_features, self.lm, swapped=True))
            choose_turns(self, forward)
            opened = opened_items(self, "items-open", pairs, forward)
            turned = opened_items(self, "swapped-open", pairs, backward, swapped=True)
        ids, sides, outcomes = [pairs[k].id for k in self.test], [one.extra.get("preferred") for one in single], []
        for name, seat in self.seats.items():
            if seat.pointwise:
                note = fit_seat(name, seat.judge, alone, sides, both_responses(self.fit))
                self.notes += [note] if note else []
                outcomes.append(by_difference(name, seat.judge, alone.take(both_responses(self.test)), ids))
                continue
            first, second = (opened, turned) if self.turns.get(name) == "open" else (forward, backward)
            again = as_given(seat.judge.verdicts(second.take(self.test)), swapped=True)
            outcomes.append(replace(self._outcome(name, seat, first), again=again))
        return outcomes

    def _outcome(
        self, name: str, seat: Seat, features: Features, *, permuted: tuple[Features, Sequence[Any]] | None = None
    ) -> Outcome:
        note = fit_seat(name, seat.judge, features, self.labels_of(seat.judge), self.fit, permuted=permuted)
        self.notes += [note] if note else []
        part = features.take(self.test)
        if "reasoned" in seat.judge.needs and "reasoned" not in features.texts:
            texts = self.reasoned(seat.judge.needs, self.test)
            part, permuted = replace(texts, arrays=part.arrays, ragged=part.ragged), None
        if seat.judge.learns and seat.judge.provenance_ is None:
            return Outcome(judge=name, verdicts=no_verdicts(seat.judge, part))
        started = time.perf_counter()
        verdicts = seat.judge.verdicts(part)
        spent = time.perf_counter() - started + _pass_seconds(part, seat.judge)
        again = seat.judge.verdicts(permuted[0].take(self.test)) if permuted else None
        return Outcome(judge=name, verdicts=verdicts, again=again, seconds_per_item=spent / max(len(part), 1))


def curves_of(run: Judging) -> tuple[tuple[Curve, ...], tuple[HeadMap, ...]]:
    """Curves over blocks and maps of heads, of what was read of the items; pairs have none."""
    features = run.features.get("items")
    if features is None or run.kind == "pair":
        return (), ()
    if run.kind == "trace":
        start, end = positions(run.settings.between)
        return trace_curves(features, run.items, run.fit, run.test, start=start, end=end), ()
    if run.kind == "rating":
        return rating_curves(features, run.items, run.test, scale=run.settings.scale), ()
    curves, maps = choice_curves(features, run.items, run.fit, run.test)
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


def over_all(some: Features, whole: Features, reason: str) -> Features:
    """Features of some of the items, extended to all of them: the others are missing, for ``reason``."""
    place = {one: k for k, one in enumerate(some.ids)}
    rows = [place.get(one) for one in whole.ids]
    left = dict.fromkeys((one for one in whole.ids if one not in place), reason)

    def spread(values: Any, none: Any) -> list[Any]:
        return [none if k is None else values[k] for k in rows]

    arrays = {name: np.stack(spread(v, np.zeros(v.shape[1:], v.dtype))) for name, v in some.arrays.items()}
    ragged = {name: Ragged.of(spread(one, one.values[:0]), one.values.shape[1:]) for name, one in some.ragged.items()}
    names = (*some.arrays, *some.ragged, *some.texts)
    texts = {name: tuple(spread(said, "")) for name, said in some.texts.items()}
    missing = {name: {**left, **some.missing.get(name, {})} for name in names} if left else some.missing
    own: dict[str, Any] = {"arrays": arrays, "ragged": ragged, "texts": texts, "missing": missing}
    return replace(some, ids=whole.ids, groups=whole.groups, **own)
