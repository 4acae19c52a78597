"""The text judge of a comparison, asked in the way that was best on the fitting half."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...extraction.features import Features
from ...models.items import Choice, Item, Pair
from ...probes.judge import Verdict
from ..data.splits import Index
from ..data.variants import Responses, permutations
from ..judges.opponent import Ask, choose_opponent, opponent_says
from ..judges.panel import TEXT
from ..reading.cost import CostCounter
from ..reading.passes import Passes
from ..reading.ways import Turn, Way, ask
from .results import Outcome, moved_back

if TYPE_CHECKING:
    from .judging import Judging

#: Share of the questions of a side that are also asked with their options permuted, and how many are in any case.
PERMUTED, LEAST = 1 / 3, 12


def permuted_sample(sides: Sequence[Index], seed: int) -> Index:
    """Rows of the questions whose options are permuted as well, in order: a share of every side.

    Each side has its own draw, as judges choose heads on those to fit on and figures rest on those that are reported.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(rows)[: max(LEAST, round(PERMUTED * len(rows)))] for rows in sides]
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
