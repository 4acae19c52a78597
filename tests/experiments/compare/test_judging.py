"""Verdicts of every judge on the test items: labels named as in the item, whatever order the model saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.compare import judging
from innerjudge.experiments.compare.judging import Judging
from innerjudge.experiments.compare.results import Outcome
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.verdict_table import Label
from innerjudge.experiments.judges.panel import Seat
from innerjudge.experiments.reading.passes import Passes
from innerjudge.extraction import Features, Provenance
from innerjudge.models.items import Choice, Pair
from innerjudge.probes import LAGER, LetterLogits, TextJudge

P = Provenance("m", None, "f", "float32", "sdpa", "none")
LETTERS = "ABCDEFGH"


def of_choices(choices: Sequence[Choice], letters: list[str]) -> Features:
    n = len(choices)
    counts = np.array([len(c.options) + 2 for c in choices], np.float32)
    return Features(
        ids=tuple(c.id for c in choices),
        groups=tuple(c.group for c in choices),
        provenance=P,
        arrays={"labels": counts, "logits/score": np.zeros((n, 2, 3, int(counts.max())), np.float32)},
        texts={"direct": tuple(f" {letter}" for letter in letters)},
    )


def judging_of(kind: str, items: Sequence[Any], fit: int, seats: dict[str, Seat]) -> Judging:
    """Judges fitted on the first items and asked about the rest; no model is run."""
    rows, passes = np.arange(len(items)), Passes()
    return Judging(
        lm=None,  # type: ignore[arg-type]
        kind=kind,
        items=items,
        fit=rows[:fit],
        test=rows[fit:],
        seats=seats,
        settings=Settings(),
        passes=passes,
        keep=lambda _, items, read_part: read_part(items, passes.steps),
    )


def share_right(outcome: Outcome, known: Sequence[Label | None]) -> tuple[float, float]:
    """Share of the items that are right as given, and of those asked in both forms that are right in both."""
    again = outcome.again if outcome.again is not None else outcome.verdicts
    first = [verdict.label == right for verdict, right in zip(outcome.verdicts, known, strict=True)]
    second = [None if other is None else other.label == right for other, right in zip(again, known, strict=True)]
    both = [a and b for a, b in zip(first, second, strict=True) if b is not None]
    assert len(both) >= len(known) // 2
    return float(np.mean(first)), float(np.mean(both))


def judged(picks: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    choices = []
    for k in range(30):
        options = [f"wrong {j}" for j in range(2 + k % 3)]
        answer = int(rng.integers(len(options) + 1))
        options.insert(answer, "right")
        choices.append(Choice(question_id=f"c{k}", question="?", options=tuple(options), answer=answer))
    monkeypatch.setattr(judging, "read", lambda _lm, items, _passes: of_choices(items, [picks(c) for c in items]))
    run = judging_of("choice", choices, 10, {"text": Seat("text", TextJudge.choice())})
    (outcome,) = run.outcomes()
    return share_right(outcome, [choice.answer for choice in choices[10:]])


def test_a_judge_that_knows_the_text_is_right_in_every_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(lambda c: LETTERS[c.options.index("right")], monkeypatch) == (1.0, 1.0)


def test_a_judge_that_says_a_letter_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    given, both = judged(lambda c: "A", monkeypatch)
    assert 0 < given < 0.7
    assert both < given


def test_a_judge_that_abstains_is_wrong_in_every_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(lambda c: LETTERS[len(c.options) + 1], monkeypatch) == (0.0, 0.0)


@pytest.mark.parametrize(("says", "both"), [("better", 1.0), ("first", 0.0)])
def test_pairs_are_named_as_in_the_item(says: str, both: float, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [
        Pair(
            pair_id=f"p{k}",
            prompt="?",
            response_a="good" if k % 3 else "bad",
            response_b="bad" if k % 3 else "good",
            preference="a" if k % 3 else "b",
        )
        for k in range(12)
    ]

    def shown(_lm: Any, items: Sequence[Pair], _passes: Any, *, swapped: bool) -> Features:
        letters = []
        for p in items:
            first = p.response_b if swapped else p.response_a
            letters.append("A" if says == "first" or first == "good" else "B")
        ids = tuple(p.id for p in items)
        return Features(ids=ids, groups=ids, provenance=P, texts={"direct": tuple(f" {x}" for x in letters)})

    def alone(_lm: Any, items: Any, _passes: Any) -> Features:
        logits = np.zeros((len(items), 2, 2, 5), np.float32)
        logits[:, :, :, 4] = [[[5.0 if r.response == "good" else -5.0]] for r in items]
        return Features(
            ids=tuple(r.id for r in items),
            groups=tuple(r.group for r in items),
            provenance=P,
            arrays={"logits/score": logits, "labels": np.full(len(items), 5, np.float32)},
        )

    monkeypatch.setattr(judging, "pair_features", shown)
    monkeypatch.setattr(judging, "rating_features", alone)
    seats = {"text": Seat("text", TextJudge.pair()), "lager": Seat("hidden", LAGER(), pointwise=True)}
    text, lager = judging_of("pair", pairs, 6, seats).outcomes()
    known = [pair.preference for pair in pairs[6:]]
    # p7, p8, p10, p11 of p6 to p11 say a
    assert share_right(text, known) == (1.0 if says == "better" else 4 / 6, both)
    assert share_right(lager, known) == (1.0, 1.0)
    assert lager.again is None, "a judge of single responses says the same in both orders"


def test_letter_judges_of_no_abstaining_have_as_many_scores_as_options() -> None:
    choices = [Choice(question_id="c", question="?", options=("x", "y", "z"))]
    (verdict,) = LetterLogits(abstain=False).verdicts(of_choices(choices, ["A"]))
    assert verdict.score == [0.0, 0.0, 0.0]
