"""Verdicts of every judge on the test items: labels named as in the item, whatever order the model saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.compare import judging
from innerjudge.experiments.compare.evaluate import figures
from innerjudge.experiments.compare.judging import Judging, Settings
from innerjudge.experiments.judges.panel import Seat
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


def judged(picks: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, float | None]:
    rng = np.random.default_rng(0)
    choices = []
    for k in range(30):
        options = [f"wrong {j}" for j in range(2 + k % 3)]
        answer = int(rng.integers(len(options) + 1))
        options.insert(answer, "right")
        choices.append(Choice(question_id=f"c{k}", question="?", options=tuple(options), answer=answer))
    monkeypatch.setattr(judging, "read", lambda _lm, items, _passes: of_choices(items, [picks(c) for c in items]))
    rows = np.arange(30)
    seats = {"text": Seat("text", TextJudge.choice())}
    run = Judging(None, choices, rows[:10], rows[10:], Settings(), seats)  # type: ignore[arg-type]
    monkeypatch.setattr(judging, "choice_curves", lambda *_, **__: ((), ()))
    outcomes, _, _ = run.choices()
    found = figures(outcomes, data="d", kind="choice", items=choices[10:])
    return {row.metric: row.value for row in found}


def test_a_judge_that_knows_the_text_is_right_in_every_order(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(lambda c: LETTERS[c.options.index("right")], monkeypatch)
    assert (found["accuracy"], found["permutation_accuracy"]) == (1.0, 1.0)


def test_a_judge_that_says_a_letter_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(lambda c: "A", monkeypatch)
    assert found["accuracy"] is not None
    assert 0 < found["accuracy"] < 0.7
    assert found["permutation_accuracy"] is not None
    assert found["permutation_accuracy"] < found["accuracy"]


def test_a_judge_that_abstains_is_wrong_in_every_order(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(lambda c: LETTERS[len(c.options) + 1], monkeypatch)
    assert (found["accuracy"], found["permutation_accuracy"]) == (0.0, 0.0)


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
    rows = np.arange(12)
    run = Judging(None, pairs, rows[:6], rows[6:], Settings(), seats)  # type: ignore[arg-type]
    outcomes, _, _ = run.pairs()
    found = figures(outcomes, data="d", kind="pair", items=pairs[6:])
    values = {(row.judge, row.metric): row.value for row in found}
    assert values["text", "accuracy_both_orders"] == both
    assert values["text", "accuracy"] == (1.0 if says == "better" else 4 / 6)  # p7, p8, p10, p11 of p6 to p11 say a
    assert values["lager", "accuracy_both_orders"] == 1.0
    assert values["lager", "accuracy_both_orders_minus_text"] == 1.0 - both


def test_letter_judges_of_no_abstaining_have_as_many_scores_as_options() -> None:
    choices = [Choice(question_id="c", question="?", options=("x", "y", "z"))]
    (verdict,) = LetterLogits(abstain=False).verdicts(of_choices(choices, ["A"]))
    assert verdict.score == [0.0, 0.0, 0.0]
